/*
 * store_home.h - the home that the crash tests of the store cut off and look at.
 *
 * All four parts of the store on one simulated disk, a reference run of a sending and of a
 * receiving node through them, and the promises that it was given: what was reported done.
 */
#ifndef SF_TESTS_CRASH_STORE_HOME_H
#define SF_TESTS_CRASH_STORE_HOME_H

#include "base/crypto.h"
#include "base/prng.h"
#include "sim/disk.h"
#include "store/audit.h"
#include "store/journal.h"
#include "store/spool.h"
#include "store/vault.h"

enum {
    CLASS_BYTES = 16 * 1024,
    SLOTS = 24,
    COUNT = 20,
    FLIGHT = 6,
    TABLE_TRANSFER = 10,
    TABLE_HELD = 11,
    TABLE_ORPHAN = 12,
    TABLE_FILLER = 13,
    FILLER_BYTES = 60 * 1024,
    FILLERS = 20,
};

enum phase { PHASE_NONE, PHASE_OPEN, PHASE_COUNTED, PHASE_FINAL };

/* What has been reported done, and what has at least been begun. */
struct promise {
    enum phase phase;
    enum phase phase_begun;
    bool held[COUNT];
    bool moved; /* all orphans were taken over in one commit */
    bool removed;
    bool secret_put;
    bool erase_begun;
    bool erased;
    uint64_t lines;
    uint64_t lines_signed;
    bool other_put; /* a second secret, which stays */
    uint8_t old_kek[32];
    uint8_t old_sealed[2][32]; /* a piece of each slot under it */
    bool has_old_kek;
};

struct home {
    struct sf_sim_disk *sim;
    struct sf_disk *disk;
    struct sf_journal *journal;
    struct sf_spool_set *spools;
    struct sf_vault *vault;
    struct sf_audit *audit;
    struct sf_prng prng;
    struct sf_random random;
    struct promise promise;
    bool is_receiver;
    uint64_t lines_signed; /* as recovered */
};

struct waited {
    bool is_done;
    struct sf_commit commit;
    struct sf_spool_op op;
    struct sf_spool_io io;
    struct sf_vault_op vault_op;
};

extern const struct sf_transfer_id transfer;
extern const uint8_t secret[32];
extern uint8_t sign_pk[32];
extern uint8_t sign_sk[64];
/* Counted by expect(), which names the place: `where`, and the number of the operation there. */
extern uint64_t failures;
extern const char *where;
extern uint64_t where_operation;

#define EXPECT(expression) expect((expression), #expression, __LINE__)

bool expect(bool is_true, const char *text, int line);

/* Of the transfer; what its bundle `index` reads as, and the tag it was put with. */
struct sf_view home_key(void);
void home_make_bundle(uint64_t index, uint8_t *out);
void home_make_tag(uint64_t index, uint8_t tag[32]);

/* Poll until *is_done. Returns SF_OK; SF_EIO: the power is gone; SF_ENOSPC: it waits for room for ever. */
int home_wait(struct home *home, const bool *is_done);
void home_io_done(struct sf_spool_io *io);
/* An operation on a spool of the transfer, and its end. Returns its status, or that of the waiting. */
void home_op_init(const struct home *home, struct waited *waited);
int home_op_finish(struct home *home, struct waited *waited);

/* Power off without a word; and on again: all four parts opened, in the order of a node. */
void home_drop(struct home *home);
int home_open(struct home *home);

/* The reference run, which notes in `promise` what it was told. Returns the status that ended it. */
int home_run(struct home *home);

#endif
