/* Tests of store/audit: the chain, its heads, every way of touching them, and the recovery table. */
#include "base/crypto.h"
#include "store/audit.h"
#include "tests/unit/store_steps.h"

enum { TEXT_MAX = 64 * 1024 };

static struct sf_audit *audit;
static struct sf_recovery recovery;
static uint8_t public_key[32];
static uint8_t secret_key[64];

static int
sign(void *context, struct sf_view message, uint8_t ret_signature[64])
{
    if (context != NULL) {
        return SF_EIO;
    }
    sf_sign(secret_key, message, ret_signature);
    return SF_OK;
}

/* A processor that makes a mistake: such a signature can give the key away. */
static int
sign_badly(void *context, struct sf_view message, uint8_t ret_signature[64])
{
    int status = sign(context, message, ret_signature);

    ret_signature[40] ^= 1;
    return status;
}

static int
try_open(void)
{
    struct sf_audit_config config = {
        .disk = disk, .origin = "node.example/log", .sign = sign, .ret_recovery = &recovery};

    audit = NULL;
    memcpy(config.public_key, public_key, sizeof(public_key));
    return sf_audit_open(&config, &audit);
}

static void
start(void)
{
    uint8_t seed[32] = {5};

    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    sf_sign_keypair(seed, public_key, secret_key);
    start_disk(NULL);
    REQUIRE_EQ(try_open(), SF_OK);
}

static void
end(void)
{
    sf_audit_close(audit);
    end_disk();
}

static void
crash(enum sf_sim_damage_model model)
{
    sf_sim_disk_cut(sim);
    sf_audit_drop(audit);
    sf_sim_disk_restart(sim, model, 1);
}

static int
append(const char *event, uint64_t number)
{
    struct sf_audit_entry entry;

    sf_audit_entry_init(&entry, event);
    sf_audit_entry_number(&entry, "n", number);
    return sf_audit_append(audit, &entry);
}

static int
commit(void)
{
    struct step_commit step;

    step_commit_init(&step);
    sf_audit_commit(audit, &step.commit);
    CHECK(!step.is_done);
    wait_for(&step.is_done);
    return step.commit.status;
}

static int
commit_head(void)
{
    struct step_commit step;

    step_commit_init(&step);
    sf_audit_commit_head(audit, &step.commit);
    CHECK(!step.is_done);
    wait_for(&step.is_done);
    return step.commit.status;
}

static uint64_t
lines(void)
{
    uint8_t hash[32];
    uint64_t count;

    sf_audit_head(audit, hash, &count);
    return count;
}

/* --- The files as text ------------------------------------------------------- */

static char log_text[TEXT_MAX];
static size_t log_bytes;
static char heads_text[TEXT_MAX];
static size_t heads_bytes;

static void
load(void)
{
    REQUIRE_EQ(
        sf_sim_disk_get(sim, "audit.log", 0, (uint8_t *)log_text, sizeof(log_text), &log_bytes),
        SF_OK);
    REQUIRE_EQ(sf_sim_disk_get(
                   sim, "audit.heads", 0, (uint8_t *)heads_text, sizeof(heads_text), &heads_bytes),
        SF_OK);
}

static void
store(void)
{
    put_file("audit.log", (const uint8_t *)log_text, log_bytes);
    put_file("audit.heads", (const uint8_t *)heads_text, heads_bytes);
}

/* Where line `number` (from 1) begins. */
static size_t
line_at(uint64_t number)
{
    size_t at = 0;

    while (--number > 0) {
        at = (size_t)((char *)memchr(log_text + at, '\n', log_bytes - at) - log_text) + 1;
    }
    return at;
}

static struct sf_audit_fault fault;
static struct sf_audit_summary summary;

static int
verify(void)
{
    struct sf_audit_check check = {
        .log = sf_view(log_text, log_bytes),
        .heads = sf_view(heads_text, heads_bytes),
        .origin = "node.example/log",
        .public_key = public_key,
    };

    memset(&fault, 0, sizeof(fault));
    return sf_audit_verify(&check, &summary, &fault);
}

/* Six lines, heads after the second and the fourth; closed and loaded. */
static void
make_sample(void)
{
    start();
    for (uint64_t i = 1; i <= 6; i++) {
        CHECK_EQ(append("event", i), SF_OK);
        CHECK_EQ(i == 2 || i == 4 ? commit_head() : commit(), SF_OK);
    }
    sf_audit_close(audit);
    load();
}

static void
check_fault(enum sf_audit_reason reason, uint64_t line, int status)
{
    CHECK_EQ(verify(), status);
    CHECK_EQ(fault.reason, reason);
    CHECK_EQ(fault.line, line);
    CHECK(fault.text != NULL);
}

/* --- Appending ------------------------------------------------------------------ */

static void
test_lines(void)
{
    struct sf_audit_entry entry;
    struct sf_view odd = sf_view("a\"\\\n\x7f\xff\xc3\xa9\xc2\x85z", 11);
    uint8_t bytes[2] = {0x0f, 0xa0};

    start();
    sf_audit_entry_init(&entry, "odd");
    sf_audit_entry_text(&entry, "text", odd);
    sf_audit_entry_hex(&entry, "hex", sf_view(bytes, 2));
    sf_audit_entry_signed(&entry, "less", -5);
    sf_audit_entry_bool(&entry, "yes", true);
    CHECK_EQ(sf_audit_append(audit, &entry), SF_OK);
    CHECK_EQ(lines(), 0);
    CHECK_EQ(commit(), SF_OK);
    CHECK_EQ(lines(), 1);
    load();
    CHECK(strstr(log_text, "{\"seq\":1,\"prev\":\"0000000000") == log_text);
    CHECK(strstr(log_text,
              "\"synced\":0,\"event\":\"odd\",\"text\":\"a\\\"\\\\\\u000a\\u007f\\ufffd\xc3\xa9"
              "\\u0085z\",\"hex\":\"0fa0\",\"less\":-5,\"yes\":true,\"crc\":\"") != NULL);
    CHECK_EQ(verify(), SF_OK);
    CHECK_EQ(summary.lines, 1);
    end();
}

static void
test_too_long(void)
{
    static uint8_t text[9000];
    struct sf_audit_entry entry;
    int i;

    start();
    memset(text, 'x', sizeof(text));
    sf_audit_entry_init(&entry, "long");
    sf_audit_entry_text(&entry, "text", sf_view(text, sizeof(text)));
    CHECK_EQ(sf_audit_append(audit, &entry), SF_ELIMIT);
    sf_audit_entry_init(&entry, "long");
    sf_audit_entry_text(&entry, "text", sf_view(text, 7900));
    for (i = 0; sf_audit_append(audit, &entry) == SF_OK; i++) {
    }
    CHECK(i > 50);
    CHECK_EQ(commit(), SF_OK);
    CHECK_EQ(sf_audit_append(audit, &entry), SF_OK);
    CHECK_EQ(commit_head(), SF_OK);
    sf_audit_close(audit);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(lines(), i + 1);
    end();
}

static void
test_groups_and_heads(void)
{
    struct step_commit steps[4];
    uint64_t operations;

    start();
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(append("event", (uint64_t)i), SF_OK);
        step_commit_init(&steps[i]);
        if (i % 2 == 0) {
            sf_audit_commit(audit, &steps[i].commit);
        } else {
            sf_audit_commit_head(audit, &steps[i].commit);
        }
    }
    for (int i = 0; i < 4; i++) {
        wait_for(&steps[i].is_done);
        CHECK_EQ(steps[i].commit.status, SF_OK);
    }
    operations = sf_sim_disk_operations(sim);
    CHECK_EQ(commit_head(), SF_OK);
    CHECK_EQ(commit(), SF_OK);
    CHECK(sf_sim_disk_operations(sim) <= operations + 2); /* nothing new: nothing written */
    load();
    CHECK_EQ(verify(), SF_OK);
    CHECK_EQ(summary.lines, 4);
    CHECK_EQ(summary.lines_signed, 4);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(recovery.row, 'B');
    CHECK_EQ(lines(), 4);
    end();
}

static void
test_head_is_a_signed_note(void)
{
    make_sample();
    CHECK(strstr(heads_text, "node.example/log\n2\n") == heads_text);
    CHECK(strstr(heads_text, "=\n\n\xe2\x80\x94 node.example/log ") != NULL);
    CHECK(strstr(heads_text, "\n\nnode.example/log\n4\n") != NULL);
    CHECK_EQ(verify(), SF_OK);
    CHECK_EQ(summary.heads, 2);
    CHECK_EQ(summary.lines_signed, 4);
    end_disk();
}

static void
fail_next(enum sf_disk_kind kind)
{
    struct sf_sim_fault fault_order = {
        .kind = SF_SIM_FAULT_EIO, .operation = sf_sim_disk_operations(sim), .op_kinds = 1U << kind};

    REQUIRE_EQ(sf_sim_disk_fault(sim, &fault_order), SF_OK);
}

static void
test_errors_kill(void)
{
    for (int kind = 0; kind < 2; kind++) {
        start();
        CHECK_EQ(append("kept", 1), SF_OK);
        CHECK_EQ(commit_head(), SF_OK);
        CHECK_EQ(append("lost", 2), SF_OK);
        fail_next(kind == 0 ? SF_DISK_WRITE : SF_DISK_SYNC);
        CHECK_EQ(commit(), SF_EIO);
        CHECK(sf_audit_failed(audit));
        CHECK_EQ(commit(), SF_EIO);
        CHECK_EQ(commit_head(), SF_EIO);
        crash(SF_SIM_DAMAGE_LOSE_ALL);
        REQUIRE_EQ(try_open(), SF_OK);
        CHECK_EQ(lines(), 1);
        end();
    }
}

/*
 * A sync fails, the process is killed, and what it had covered is still read:
 * it is written again before more follows it, lines and heads alike.
 */
static void
test_failed_sync_is_written_again(void)
{
    for (int is_head = 0; is_head < 2; is_head++) {
        struct sf_sim_fault order = {.kind = SF_SIM_FAULT_EIO, .op_kinds = 1U << SF_DISK_SYNC};

        start();
        REQUIRE_EQ(append("first", 1), SF_OK);
        CHECK_EQ(is_head ? commit() : commit_head(), SF_OK);
        REQUIRE_EQ(append("second", 2), SF_OK);
        CHECK_EQ(is_head ? commit() : SF_OK, SF_OK);
        REQUIRE_EQ(sf_sim_disk_fault(sim, &order), SF_OK);
        CHECK_EQ(is_head ? commit_head() : commit(), SF_EIO);
        crash(SF_SIM_DAMAGE_KEEP_ALL);
        sf_sim_disk_heal(sim);
        REQUIRE_EQ(try_open(), SF_OK);
        CHECK_EQ(lines(), 2);
        REQUIRE_EQ(append("third", 3), SF_OK);
        CHECK_EQ(commit_head(), SF_OK);
        crash(SF_SIM_DAMAGE_LOSE_ALL);
        REQUIRE_EQ(try_open(), SF_OK);
        CHECK_EQ(lines(), 3);
        end();
    }
}

static void
poll_idle(void)
{
    while (sf_sim_disk_deadline(sim) != SF_NEVER) {
        (void)sf_disk_poll(disk);
    }
}

/* Line or head, whatever finds no room is written when there is some; it is not lost, nor twice. */
static void
test_waits_for_room(void)
{
    for (int writes = 1; writes <= 2; writes++) {
        struct sf_sim_fault full = {
            .kind = SF_SIM_FAULT_SHORT, .op_kinds = 1U << SF_DISK_WRITE, .for_ever = true};
        struct step_commit step;
        uint64_t need;

        start();
        CHECK_EQ(append("kept", 1), SF_OK);
        CHECK_EQ(commit_head(), SF_OK);
        CHECK_EQ(append("waits", 2), SF_OK);
        step_commit_init(&step);
        sf_audit_commit_head(audit, &step.commit);
        /* The line is written and synced before its head is. */
        full.operation = sf_sim_disk_operations(sim) + (writes == 1 ? 0 : 2);
        REQUIRE_EQ(sf_sim_disk_fault(sim, &full), SF_OK);
        poll_idle();
        CHECK(!step.is_done);
        CHECK(!sf_audit_failed(audit));
        CHECK(sf_audit_is_tight(audit, &need));
        sf_audit_retry(audit);
        poll_idle();
        CHECK(!step.is_done);
        sf_sim_disk_heal(sim);
        sf_audit_retry(audit);
        wait_for(&step.is_done);
        CHECK_EQ(step.commit.status, SF_OK);
        CHECK(!sf_audit_is_tight(audit, &need));
        crash(SF_SIM_DAMAGE_LOSE_ALL);
        REQUIRE_EQ(try_open(), SF_OK);
        CHECK_EQ(lines(), 2);
        end();
    }
}

static void
test_sign_fails(void)
{
    struct sf_audit_config config = {
        .disk = NULL, .origin = "node", .sign = sign, .sign_context = &config};

    start();
    sf_audit_close(audit);
    config.disk = disk;
    REQUIRE_EQ(sf_audit_open(&config, &audit), SF_OK);
    CHECK_EQ(append("line", 1), SF_OK);
    CHECK_EQ(commit_head(), SF_EIO);
    sf_audit_close(audit);
    config.origin = "a name with blanks";
    CHECK_EQ(sf_audit_open(&config, &audit), SF_EINVAL);
    end_disk();
}

static void
test_bad_signature_is_never_written(void)
{
    struct sf_audit_config config = {.origin = "node", .sign = sign_badly};

    start();
    sf_audit_close(audit);
    config.disk = disk;
    memcpy(config.public_key, public_key, sizeof(public_key));
    REQUIRE_EQ(sf_audit_open(&config, &audit), SF_OK);
    CHECK_EQ(append("line", 1), SF_OK);
    CHECK_EQ(commit_head(), SF_EIO);
    sf_audit_close(audit);
    end_disk();
}

/* --- Touching ------------------------------------------------------------------------ */

static void
test_edited(void)
{
    make_sample();
    log_text[line_at(3) + 120]++;
    check_fault(SF_AUDIT_LINE_DAMAGED, 3, SF_EFORMAT);
    end_disk();
}

/* Every byte of the log, changed, is noticed; and the line is named. */
static void
test_every_byte(void)
{
    uint64_t line = 1;

    make_sample();
    for (size_t at = 0; at < log_bytes; at++) {
        char kept = log_text[at];

        log_text[at] = (char)(kept ^ 1);
        CHECK(verify() != SF_OK);
        CHECK_EQ(fault.line, line);
        log_text[at] = kept;
        line += kept == '\n';
    }
    for (size_t at = 0; at < heads_bytes; at++) {
        heads_text[at] = (char)(heads_text[at] ^ 1);
        CHECK(verify() != SF_OK);
        CHECK(fault.reason >= SF_AUDIT_HEAD_DAMAGED);
        heads_text[at] = (char)(heads_text[at] ^ 1);
    }
    CHECK_EQ(verify(), SF_OK);
    end_disk();
}

static void
remove_line(uint64_t number)
{
    size_t from = line_at(number);
    size_t to = line_at(number + 1);

    memmove(log_text + from, log_text + to, log_bytes - to);
    log_bytes -= to - from;
}

static void
test_removed(void)
{
    make_sample();
    remove_line(3);
    check_fault(SF_AUDIT_LINE_MISSING, 3, SF_EAUTH);
    end_disk();
}

static void
test_inserted(void)
{
    size_t from;
    size_t to;

    make_sample();
    from = line_at(2);
    to = line_at(3);
    memmove(log_text + to, log_text + from, log_bytes - from);
    log_bytes += to - from;
    check_fault(SF_AUDIT_LINE_REPEATED, 3, SF_EAUTH);
    end_disk();
}

static void
test_swapped(void)
{
    char first[1024];
    size_t a;
    size_t b;
    size_t c;

    make_sample();
    a = line_at(5);
    b = line_at(6);
    c = log_bytes;
    memcpy(first, log_text + a, b - a);
    memmove(log_text + a, log_text + b, c - b);
    memcpy(log_text + a + (c - b), first, b - a);
    check_fault(SF_AUDIT_LINE_MISSING, 5, SF_EAUTH);
    end_disk();
}

/* A log of its own that is right in itself: other events, the same numbers. */
static void
take_other_log(uint64_t count)
{
    char kept_heads[TEXT_MAX];
    size_t kept_bytes = heads_bytes;

    memcpy(kept_heads, heads_text, sizeof(kept_heads));
    end_disk();
    start();
    for (uint64_t i = 1; i <= count; i++) {
        CHECK_EQ(append("event", i + 100), SF_OK);
        CHECK_EQ(commit(), SF_OK);
    }
    sf_audit_close(audit);
    load();
    memcpy(heads_text, kept_heads, sizeof(kept_heads));
    heads_bytes = kept_bytes;
}

static void
test_rewritten(void)
{
    make_sample();
    take_other_log(6);
    check_fault(SF_AUDIT_HEAD_DIFFERS, 2, SF_EAUTH);
    CHECK_EQ(fault.head, 1);
    end_disk();
}

static void
test_replaced_line(void)
{
    static char rest[TEXT_MAX];
    size_t rest_bytes;

    /* The first line of another log, right in itself, before the rest of this one. */
    make_sample();
    rest_bytes = log_bytes - line_at(2);
    memcpy(rest, log_text + line_at(2), rest_bytes);
    heads_bytes = 0;
    take_other_log(1);
    memcpy(log_text + log_bytes, rest, rest_bytes);
    log_bytes += rest_bytes;
    check_fault(SF_AUDIT_CHAIN_BROKEN, 2, SF_EAUTH);
    end_disk();
}

static void
test_truncated(void)
{
    make_sample();
    log_bytes = line_at(6);
    CHECK_EQ(verify(), SF_OK); /* above the last head: nothing can tell */
    log_bytes = line_at(4);
    check_fault(SF_AUDIT_LOG_TRUNCATED, 4, SF_EAUTH);
    CHECK_EQ(fault.head, 2);
    log_bytes = line_at(4) - 1;
    check_fault(SF_AUDIT_LINE_UNFINISHED, 3, SF_EFORMAT);
    log_bytes = 0;
    check_fault(SF_AUDIT_LOG_TRUNCATED, 2, SF_EAUTH);
    end_disk();
}

static void
test_forged_head(void)
{
    uint8_t other_key[32];

    make_sample();
    memcpy(other_key, public_key, 32);
    public_key[3] ^= 1;
    check_fault(SF_AUDIT_HEAD_FORGED, 1, SF_EAUTH);
    memcpy(public_key, other_key, 32);
    heads_bytes -= 2;
    check_fault(SF_AUDIT_HEAD_DAMAGED, 3, SF_EFORMAT);
    CHECK_EQ(fault.head, 2);
    end_disk();
}

/* --- The recovery table ------------------------------------------------------------------ */

static void
check_refused(char row)
{
    uint64_t hash;

    store();
    hash = sf_sim_disk_hash(sim);
    CHECK_EQ(try_open(), SF_EFORMAT);
    CHECK_EQ(recovery.row, row);
    CHECK_EQ(sf_sim_disk_hash(sim), hash);
    end_disk();
}

static void
check_opens(char row, uint64_t count)
{
    store();
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(recovery.row, row);
    CHECK_EQ(lines(), count);
    CHECK_EQ(append("again", 1), SF_OK);
    CHECK_EQ(commit_head(), SF_OK);
    crash(SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(try_open(), SF_OK);
    CHECK_EQ(recovery.row, 'B');
    load();
    CHECK_EQ(verify(), SF_OK);
    CHECK_EQ(summary.lines, count + 1);
    end();
}

static void
test_rows_a_and_b(void)
{
    start();
    CHECK_EQ(recovery.row, 'A');
    end();
    make_sample();
    check_opens('B', 6);
}

static void
test_row_c(void)
{
    make_sample();
    log_bytes -= 3;
    check_opens('C', 5);
    make_sample();
    log_text[line_at(6) + 100] = 0; /* a sector that did not come */
    check_opens('C', 5);
    make_sample();
    memset(log_text + log_bytes, 0, 5000);
    log_bytes += 5000;
    check_opens('C', 6);
}

static void
test_row_d(void)
{
    make_sample();
    heads_bytes -= 5;
    check_opens('D', 6);
}

static void
test_row_e(void)
{
    make_sample();
    log_text[line_at(5) + 100]++; /* line 6 counts it as durable */
    check_refused('E');
    make_sample();
    log_bytes = line_at(5);
    log_text[line_at(4) + 100]++; /* the last line, but signed */
    check_refused('E');
    make_sample();
    memset(log_text + log_bytes, 'x', 1000);
    log_bytes = line_at(6) + 20;
    check_opens('C', 5);
}

static void
test_row_f(void)
{
    make_sample();
    remove_line(5);
    check_refused('F');
}

static void
test_row_g(void)
{
    make_sample();
    take_other_log(6);
    check_refused('G');
}

static void
test_row_h(void)
{
    make_sample();
    log_bytes = line_at(4);
    check_refused('H');
}

static void
test_row_i(void)
{
    make_sample();
    heads_text[30]++;
    check_refused('I');
    make_sample();
    public_key[0] ^= 1;
    check_refused('I');
}

CHECK_MAIN("audit", {"a line is JSON with its number, its chain and its fields", test_lines},
    {"a line or a commit that is too long is refused", test_too_long},
    {"commits share syncs, heads cover what was appended before", test_groups_and_heads},
    {"a head is a signed note with origin, size and hash", test_head_is_a_signed_note},
    {"a failed write or sync kills the log", test_errors_kill},
    {"a line or a head that finds no room waits for it", test_waits_for_room},
    {"what a failed sync covered is written again", test_failed_sync_is_written_again},
    {"without a signature there is no head", test_sign_fails},
    {"a signature that does not verify is never written", test_bad_signature_is_never_written},
    {"an edited line is named", test_edited}, {"every changed byte is noticed", test_every_byte},
    {"a removed line is named", test_removed}, {"an inserted line is named", test_inserted},
    {"swapped lines are named", test_swapped},
    {"a log that was rewritten whole does not match its heads", test_rewritten},
    {"a line replaced by a right one breaks the chain", test_replaced_line},
    {"lines cut off behind a signed head are missed", test_truncated},
    {"a forged or damaged head is named", test_forged_head},
    {"rows A and B: an empty log, a whole one", test_rows_a_and_b},
    {"row C: a torn commit is dropped", test_row_c}, {"row D: a torn head is dropped", test_row_d},
    {"row E: damage before durable lines refuses", test_row_e},
    {"row F: a line in a wrong place refuses", test_row_f},
    {"row G: a rewritten log refuses", test_row_g}, {"row H: a cut log refuses", test_row_h},
    {"row I: damaged or forged heads refuse", test_row_i})
