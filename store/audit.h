/*
 * audit.h - what happened, in a log that shows when it was touched.
 *
 * `audit.log` is text: one JSON object per line, numbered from 1, each naming
 * the SHA-256 of the line before, so that an edited, removed, swapped or
 * inserted line breaks the chain. `audit.heads` holds signed statements "so
 * many lines, last hash so": signed notes in the text form of a C2SP tlog
 * checkpoint, so that cutting lines off below a head shows too. Both formats,
 * and the recovery table, are at the top of audit.c and in docs/STORE.md.
 *
 * Appending and group commit work as in journal.h; opening blocks; verifying
 * is a pure function over bytes. Not thread-safe.
 */
#ifndef SF_STORE_AUDIT_H
#define SF_STORE_AUDIT_H

#include "base/bytes.h"
#include "base/status.h"
#include "store/commit.h"
#include "store/disk.h"
#include "store/recovery.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SF_AUDIT_LINE_BYTES_MAX = 8192,
    SF_AUDIT_ORIGIN_BYTES_MAX = 127,
};

struct sf_audit;

/* Sign `message` (Ed25519, 64 bytes). Returns a status. */
typedef int sf_audit_sign(void *context, struct sf_view message, uint8_t ret_signature[64]);

struct sf_audit_config {
    struct sf_disk *disk;
    /* The name of the log and of its key: [A-Za-z0-9._/-], 1 to 127 bytes; lives as long as the audit. */
    const char *origin;
    uint8_t public_key[32]; /* Ed25519; heads on the disk that it did not sign refuse the open */
    sf_audit_sign *sign;
    void *sign_context;
    struct sf_recovery *ret_recovery; /* set by open also when it fails; may be NULL */
};

/*
 * Open the log, made empty if there is none, checking every line and head. A
 * torn last commit is dropped. Blocks.
 *
 * Returns SF_OK; SF_EFORMAT if the chain is broken where no crash could have
 * broken it, or does not match a signed head (*ret_recovery says where and how;
 * nothing on the disk was changed), SF_EINVAL (origin), SF_EIO, SF_ENOSPC, SF_ENOMEM.
 */
SF_MUST_USE int sf_audit_open(const struct sf_audit_config *config, struct sf_audit **ret_audit);

/* Close the files and free the log; lines without a commit are gone. No commit may be outstanding. */
void sf_audit_close(struct sf_audit *audit);

/* Free the memory alone, when the disk is gone and will call nothing back any more. */
void sf_audit_drop(struct sf_audit *audit);

/* A line being written: fields in the order in which they are added. */
struct sf_audit_entry {
    size_t bytes;
    bool overflow; /* it got too long; append answers SF_ELIMIT */
    char text[SF_AUDIT_LINE_BYTES_MAX];
};

/* Names are our own: [a-z0-9_]+, not "seq", "prev", "synced", "crc"; anything else asserts. */
void sf_audit_entry_init(struct sf_audit_entry *entry, const char *event);
void sf_audit_entry_number(struct sf_audit_entry *entry, const char *name, uint64_t number);
void sf_audit_entry_signed(struct sf_audit_entry *entry, const char *name, int64_t number);
/* Bytes of any origin: control characters are escaped, what is not UTF-8 becomes U+FFFD. */
void sf_audit_entry_text(struct sf_audit_entry *entry, const char *name, struct sf_view text);
void sf_audit_entry_hex(struct sf_audit_entry *entry, const char *name, struct sf_view bytes);
void sf_audit_entry_bool(struct sf_audit_entry *entry, const char *name, bool value);

/* Append the line (copied). Returns SF_OK, SF_ELIMIT if it is too long, or SF_ENOMEM. */
SF_MUST_USE int sf_audit_append(struct sf_audit *audit, const struct sf_audit_entry *entry);

/* Call commit->done when every line appended before is durable; SF_EIO: the log is dead. */
void sf_audit_commit(struct sf_audit *audit, struct sf_commit *commit);

/*
 * As commit; then sign the head of what is durable and make that durable too.
 * If the head has been signed already nothing is written. SF_EIO also if `sign` failed.
 */
void sf_audit_commit_head(struct sf_audit *audit, struct sf_commit *commit);

/* The SHA-256 of the last durable line (zeros if none), and how many durable lines there are. */
void sf_audit_head(const struct sf_audit *audit, uint8_t ret_hash[32], uint64_t *ret_lines);

bool sf_audit_failed(const struct sf_audit *audit);

/* Whether room runs short, and what to do then: as sf_journal_is_tight() and sf_journal_retry(). */
bool sf_audit_is_tight(const struct sf_audit *audit, uint64_t *ret_need_bytes);
void sf_audit_retry(struct sf_audit *audit);
void sf_audit_give_up(struct sf_audit *audit);

/* --- Offline ------------------------------------------------------------ */

enum sf_audit_reason {
    SF_AUDIT_INTACT = 0,
    SF_AUDIT_LINE_DAMAGED,    /* not a line of ours, or its checksum is wrong: edited or rotten */
    SF_AUDIT_LINE_UNFINISHED, /* the last line has no end: torn by a crash, or cut */
    SF_AUDIT_LINE_MISSING,    /* the number jumps ahead: lines were removed or swapped */
    SF_AUDIT_LINE_REPEATED,   /* the number is one that was there: inserted or swapped */
    SF_AUDIT_CHAIN_BROKEN,    /* `prev` is not the hash of the line before, which was replaced */
    SF_AUDIT_HEAD_DAMAGED,    /* a head is not in the form of a signed note */
    SF_AUDIT_HEAD_FORGED,     /* a head's signature, name or key does not verify */
    SF_AUDIT_HEAD_DIFFERS,    /* a signed head names another hash for that line: rewritten */
    SF_AUDIT_LOG_TRUNCATED,   /* a signed head counts more lines than there are */
};

struct sf_audit_fault {
    enum sf_audit_reason reason;
    uint64_t line;    /* in the log, from 1; for HEAD_ reasons the line that the head is about */
    uint64_t head;    /* in the heads, from 1; 0 if no head is concerned */
    uint64_t offset;  /* of the line in the log, or of the head in the heads */
    const char *text; /* English, static */
};

struct sf_audit_check {
    struct sf_view log;   /* the bytes of audit.log */
    struct sf_view heads; /* the bytes of audit.heads; may be empty */
    const char *origin;
    const uint8_t *public_key; /* 32 bytes */
};

struct sf_audit_summary {
    uint64_t lines;
    uint64_t heads;
    uint64_t lines_signed; /* covered by the highest good head */
    uint8_t hash[32];      /* of the last line */
};

/*
 * Check a whole log. Returns SF_OK with *ret_summary, or SF_EFORMAT (damaged)
 * or SF_EAUTH (rewritten, forged, truncated) with the first fault in *ret_fault.
 */
SF_MUST_USE int sf_audit_verify(const struct sf_audit_check *check,
    struct sf_audit_summary *ret_summary, struct sf_audit_fault *ret_fault);

#endif
