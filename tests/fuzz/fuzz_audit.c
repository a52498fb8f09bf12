/*
 * fuzz_audit.c - any bytes as an audit log and its heads: the offline check and
 * recovery answer, agree where they must, and what opens goes on working.
 *
 * The first byte says whether the lines' checksums are set right; then the
 * length of the log (2 bytes), the log, and the heads.
 */
#include "base/crc32c.h"
#include "base/crypto.h"
#include "sim/disk.h"
#include "store/audit.h"
#include "tests/fuzz/store_pieces.h"

#include <stdio.h>

enum { TAIL_BYTES = 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint8_t public_key[32];
static uint8_t secret_key[64];
static bool is_done;

static int
sign(void *context, struct sf_view message, uint8_t ret_signature[64])
{
    (void)context;
    sf_sign(secret_key, message, ret_signature);
    return SF_OK;
}

static void
committed(struct sf_commit *commit)
{
    must(commit->status == SF_OK);
    is_done = true;
}

static void
set_checksums(uint8_t *log, size_t bytes)
{
    size_t from = 0;

    for (size_t at = 0; at < bytes; at++) {
        if (log[at] == '\n') {
            if (at - from > TAIL_BYTES) {
                char tail[TAIL_BYTES + 1];

                snprintf(tail, sizeof(tail), ",\"crc\":\"%08x\"}",
                    (unsigned int)sf_crc32c(0, log + from, at - from - TAIL_BYTES));
                memcpy(log + at - TAIL_BYTES, tail, TAIL_BYTES);
            }
            from = at + 1;
        }
    }
}

static struct sf_view
read_back(struct sf_sim_disk *sim, const char *path, uint8_t *out, size_t room)
{
    size_t bytes;

    must(sf_sim_disk_get(sim, path, 0, out, room, &bytes) == SF_OK && bytes < room);
    return sf_view(out, bytes);
}

/* It opened: it takes a line and a head, and the whole verifies. */
static void
use(struct sf_disk *disk, struct sf_sim_disk *sim, struct sf_audit *audit)
{
    static uint8_t log[1 << 18];
    static uint8_t heads[1 << 18];
    struct sf_commit commit = {.done = committed};
    struct sf_audit_check check = {.origin = "node", .public_key = public_key};
    struct sf_audit_summary summary;
    struct sf_audit_fault fault;
    struct sf_audit_entry entry;

    sf_audit_entry_init(&entry, "more");
    must(sf_audit_append(audit, &entry) == SF_OK);
    is_done = false;
    sf_audit_commit_head(audit, &commit);
    while (!is_done) {
        (void)sf_disk_poll(disk);
    }
    sf_audit_close(audit);
    check.log = read_back(sim, "audit.log", log, sizeof(log));
    check.heads = read_back(sim, "audit.heads", heads, sizeof(heads));
    must(sf_audit_verify(&check, &summary, &fault) == SF_OK);
    must(summary.lines_signed == summary.lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t seed[32] = {9};
    struct sf_sim_disk_config sim_config = {.seed = 1};
    struct sf_recovery recovery;
    struct sf_audit_config config = {.origin = "node", .sign = sign, .ret_recovery = &recovery};
    struct sf_audit_check check = {.origin = "node", .public_key = public_key};
    struct sf_audit_summary summary;
    struct sf_audit_fault fault = {0};
    struct sf_audit *audit;
    struct sf_sim_disk *sim;
    uint8_t *log;
    size_t log_bytes;
    int verdict;
    int status;

    must(sf_crypto_init() == SF_OK);
    sf_sign_keypair(seed, public_key, secret_key);
    if (bytes < 3 || bytes > 1 << 17) {
        return 0;
    }
    log_bytes = sf_get_be16(data + 1);
    log_bytes = log_bytes > bytes - 3 ? bytes - 3 : log_bytes;
    log = malloc(log_bytes + 1);
    must(log != NULL);
    memcpy(log, data + 3, log_bytes);
    if ((data[0] & 1) != 0) {
        set_checksums(log, log_bytes);
    }
    check.log = sf_view(log, log_bytes);
    check.heads = sf_view(data + 3 + log_bytes, bytes - 3 - log_bytes);
    verdict = sf_audit_verify(&check, &summary, &fault);
    must((verdict == SF_OK) == (fault.reason == SF_AUDIT_INTACT));

    must(sf_sim_disk_open(&sim_config, &sim) == SF_OK);
    must(sf_sim_disk_put(sim, "audit.log", check.log) == SF_OK);
    must(sf_sim_disk_put(sim, "audit.heads", check.heads) == SF_OK);
    config.disk = sf_sim_disk_interface(sim);
    memcpy(config.public_key, public_key, sizeof(public_key));
    status = sf_audit_open(&config, &audit);
    if (status == SF_OK) {
        must((verdict == SF_OK) == (recovery.row == 'A' || recovery.row == 'B'));
        use(config.disk, sim, audit);
    } else {
        must(status == SF_EFORMAT && verdict != SF_OK && recovery.row >= 'E');
    }
    sf_sim_disk_close(sim);
    free(log);
    return 0;
}
