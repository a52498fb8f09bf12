/*
 * inbox_private.h - what the files of the inbox share: inbox.c (objects and
 * messages), partial.c (bundles being assembled), partial_repair.c (what stands
 * in for their lost segments), inbox_report.c (what is said back, and when).
 */
#ifndef SF_LINK_INBOX_PRIVATE_H
#define SF_LINK_INBOX_PRIVATE_H

#include "link/inbox.h"
#include "link/repair.h"
#include "link/report.h"

enum {
    SF_INBOX_ANSWERS_MAX = 32, /* handles to be refused or disowned in the next reports */
    SF_INBOX_CACHE = 512,      /* slots of the look-up by wire handle; a power of two */
    SF_INBOX_REPEATS = 3,      /* reports that still mention an object after it last changed */
    SF_INBOX_ROWS_MAX = 256,   /* repair rows kept of one bundle */
};

/* Something to be told to the caller, in the inbox's queue at most once. */
struct sf_inbox_note {
    struct sf_inbox_note *next;
    struct sf_inbox_note *prev;
    enum sf_inbox_event_kind kind;
    bool is_queued;
    struct sf_incoming *object;
    struct sf_partial *partial; /* NULL for what concerns the whole object */
};

enum sf_partial_state {
    SF_PARTIAL_MEMORY,   /* the buffer holds `ranges` */
    SF_PARTIAL_SPILLING, /* the caller is storing the buffer; segments are dropped */
    SF_PARTIAL_SPILLED,  /* no buffer: the caller holds `ranges` */
    SF_PARTIAL_LOADING,  /* the buffer holds `fresh`, the caller fills load_buffer with `stored` */
    SF_PARTIAL_COMPLETE, /* waits to be told */
};

/* A repair row that waits for others, or for segments; in a buffer of the pool. */
struct sf_row {
    struct sf_row *next;
    struct sf_repair_block block;
    unsigned row;
    uint8_t bytes[]; /* block.symbol_bytes */
};

struct sf_partial {
    struct sf_pool_holder holder;
    struct sf_inbox_note note;
    struct sf_incoming *object;
    uint64_t index;
    enum sf_partial_state state;
    uint8_t *buffer;
    uint8_t *load_buffer;
    struct sf_range_set ranges; /* bytes within the bundle that are here or stored */
    struct sf_range_set stored; /* LOADING: what the caller stored */
    struct sf_range_set fresh;  /* LOADING: what came since */
    struct sf_row *rows;        /* MEMORY: what repairs it */
    unsigned row_count;
};

/* An object the peer offers. */
struct sf_incoming {
    struct sf_inbox *inbox;
    struct sf_inbox_note note;
    struct sf_link_object object;
    uint32_t handle;      /* the caller's */
    uint32_t wire_handle; /* the peer's; 0 = not named since its last restart */
    uint8_t revision;
    uint8_t repeats; /* reports that shall still mention it */
    bool is_accepted;
    bool is_paused;
    bool is_gone;                 /* only waits for its GONE event to be told */
    sf_mono touched;              /* last message about it */
    struct sf_range_set done;     /* bundles complete, kept or not yet judged */
    struct sf_range_set kept;     /* bundles the caller kept; within `done` */
    struct sf_partial **partials; /* sorted by index */
    size_t partial_count;
    size_t partial_capacity;
    size_t partial_hit; /* where the last one was found */
};

struct sf_inbox_answer {
    uint32_t wire_handle;
    enum sf_report_state state; /* UNKNOWN or DECLINED */
    uint8_t repeats;
};

struct sf_inbox {
    struct sf_pool *pool;
    struct sf_incoming *objects[SF_LINK_OBJECTS_MAX];
    struct sf_incoming *cache[SF_INBOX_CACHE];
    uint32_t next_handle;
    struct sf_inbox_note *note_first;
    struct sf_inbox_note *note_last;
    sf_mono now; /* latest time given */

    /* What came. */
    uint64_t epoch;
    uint64_t counter;
    sf_mono counter_at;
    uint64_t bytes_since_report;
    struct sf_report_loss loss; /* in `epoch` */

    /* What is said back; see inbox_report.c. */
    struct sf_inbox_answer answers[SF_INBOX_ANSWERS_MAX];
    size_t answer_count;
    uint64_t report_number;
    uint64_t rtt_ns;
    sf_mono reported;     /* when the last round began */
    sf_mono due;          /* when the next one does; SF_NEVER = when something comes */
    uint64_t backoff_ns;  /* the next silence, while nothing changes */
    uint64_t allowance;   /* bytes that reports may take now without a pause */
    uint64_t round_bytes; /* of all its datagrams so far */
    uint64_t bytes_per_second;
    bool is_dark;
    bool is_in_round;        /* the cursor stands within the objects */
    size_t cursor_slot;      /* where the next report goes on */
    uint64_t cursor_address; /* within that object; 0 = from its start */
    struct sf_inbox_stats stats;
};

/* --- partial.c -------------------------------------------------------------------- */

/* The partial bundle `index`, or NULL. */
struct sf_partial *sf_partial_find(struct sf_incoming *object, uint64_t index);

/* Where the first partial bundle at or behind `index` stands in object->partials. */
size_t sf_partial_lower_bound(const struct sf_incoming *object, uint64_t index);

/* Begin bundle `index`, which is not begun. NULL if there is no room. */
struct sf_partial *sf_partial_begin(struct sf_incoming *object, uint64_t index);

/* Forget a partial bundle and give its memory back, but for what the caller holds. */
void sf_partial_free(struct sf_partial *partial);

/*
 * Store bytes at `offset` of the bundle; they lie within it. Counts them in the
 * inbox's figures. Returns whether the bundle is complete in memory now.
 */
bool sf_partial_write(struct sf_partial *partial, size_t offset, struct sf_view bytes);

/* Whether the bundle is complete in memory. */
bool sf_partial_is_whole(const struct sf_partial *partial);

/* Answers of the caller; return whether the bundle is complete in memory now. */
void sf_partial_spilled(struct sf_partial *partial, uint8_t *buffer, int status);
bool sf_partial_loaded(struct sf_partial *partial, uint8_t *buffer, int status);

/* --- partial_repair.c --------------------------------------------------------------- */

/* Keep a row of `block`, which lies within the bundle. False: no room, or no use. */
bool sf_partial_keep_row(struct sf_partial *partial, const struct sf_repair_block *block,
    unsigned row, struct sf_view bytes);

/*
 * Rebuild what is missing of the block around `offset`, if there are rows
 * enough. Returns whether the bundle is complete in memory now.
 */
bool sf_partial_repair(struct sf_partial *partial, size_t offset);

/* Forget all rows. */
void sf_partial_drop_rows(struct sf_partial *partial);

/* --- inbox.c ---------------------------------------------------------------------- */

void sf_inbox_queue(
    struct sf_inbox *inbox, struct sf_inbox_note *note, enum sf_inbox_event_kind kind);
void sf_inbox_unqueue(struct sf_inbox *inbox, struct sf_inbox_note *note);

/* --- inbox_report.c --------------------------------------------------------------- */

/* Something changed that the peer should hear of within an interval, or at once. */
void sf_inbox_report_soon(struct sf_inbox *inbox);
void sf_inbox_report_now(struct sf_inbox *inbox);

/* Name `wire_handle` as UNKNOWN or DECLINED in the next reports. */
void sf_inbox_answer(struct sf_inbox *inbox, uint32_t wire_handle, enum sf_report_state state);

/* It means something again: what was to be said of it is not true any more. */
void sf_inbox_unanswer(struct sf_inbox *inbox, uint32_t wire_handle);

/* Whether the caller kept every bundle and the count is final. */
bool sf_incoming_is_kept(const struct sf_incoming *object);

#endif
