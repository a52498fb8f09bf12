/*
 * A sender with valid keys that seals what no sender of ours would: every
 * bundle opens, every signature is right, and what is inside is a lie. It is
 * refused, nothing of it is delivered, and the receiver goes on.
 */
#include "tests/unit/node_fixture.h"

#include "node/internal.h"

/* A file of as many bytes as one bundle may have pieces, beside the outline and the digests. */
enum { CLASS = 1 << 20, BYTES = SF_CONTENT_PIECES_MAX - 2, TASKS_BYTES_MAX = 256 << 10 };

/* What goes into the only bundle of a forged transfer, and how it is bent. */
struct lie {
    const char *what;
    enum sf_refusal reason;
    const char *from; /* a string of the encoded outline, ... */
    const char *to;   /* ... and as many bytes in its place */
    size_t bytes;
    uint32_t file;
    uint64_t offset; /* of the frame */
    int32_t longer;  /* its plaintext */
    uint32_t each;   /* the file is cut into frames of so many bytes; 0: it is one */
    bool no_outline;
    bool no_frame;
    bool no_digests;
    bool no_content;
    bool other_sha256;
    bool other_bytes;  /* in the file */
    bool other_length; /* in the digests */
    uint64_t bundle_count;
};

static uint8_t plain[BYTES];

static void
forge_frames(const struct lie *lie, const uint8_t *bytes, struct sf_content_writer *writer)
{
    uint32_t each = lie->each == 0 ? BYTES : lie->each;

    for (uint32_t from = 0; from < BYTES; from += each) {
        struct sf_coded_frame frame = {.file = lie->file,
            .offset = lie->offset + from,
            .codec = SF_CODEC_RAW,
            .plain_bytes = (uint32_t)((int32_t)each + lie->longer)};
        size_t offset = 0;

        frame.coded = sf_view(bytes + from, frame.plain_bytes);
        REQUIRE(sf_content_add_frame(writer, &frame, &offset));
    }
}

/* The forged content into `out`; returns its length. */
static size_t
forge_content(const struct lie *lie, uint8_t *out, size_t bytes_max)
{
    struct sf_outline_file file = {.path = "aab", .bytes = BYTES};
    struct sf_outline outline = {.label = "aab",
        .single = true,
        .class_bytes = CLASS,
        .frame_bytes = CLASS,
        .files = &file,
        .file_count = 1};
    struct sf_file_digest digest = {.bytes = BYTES + (lie->other_length ? 1 : 0)};
    struct sf_digests digests = {.bundle_count = lie->bundle_count == 0 ? 1 : lie->bundle_count,
        .files = &digest,
        .file_count = 1};
    static uint8_t longest[BYTES + 1];
    uint8_t encoded[1024];
    uint8_t tail[256];
    struct sf_content_writer writer;
    size_t encoded_bytes;
    size_t tail_bytes;
    size_t offset = 0;

    if (lie->no_content) {
        memset(out, 0xff, 100);
        return 100;
    }
    memcpy(longest, plain, BYTES);
    longest[7] ^= lie->other_bytes ? 1 : 0;
    sf_sha256(sf_view(plain, BYTES), digest.sha256);
    digest.sha256[3] ^= lie->other_sha256 ? 1 : 0;
    REQUIRE_EQ(sf_outline_encode(&outline, encoded, sizeof(encoded), &encoded_bytes), SF_OK);
    REQUIRE_EQ(sf_digests_encode(&digests, tail, sizeof(tail), &tail_bytes), SF_OK);
    for (size_t i = 0; lie->from != NULL && i + lie->bytes <= encoded_bytes; i++) {
        if (memcmp(encoded + i, lie->from, lie->bytes) == 0) {
            memcpy(encoded + i, lie->to, lie->bytes);
        }
    }
    sf_content_writer_init(&writer, out, bytes_max);
    if (!lie->no_outline) {
        REQUIRE(sf_content_add_outline(&writer, sf_view(encoded, encoded_bytes), &offset));
    }
    if (!lie->no_frame) {
        forge_frames(lie, longest, &writer);
    }
    offset = 0;
    if (!lie->no_digests) {
        REQUIRE(sf_content_add_digests(&writer, sf_view(tail, tail_bytes), &offset));
    }
    return sf_content_finish(&writer);
}

/* Seal it with the sender's own keys, into the slot of what it really sealed. */
static void
forge(struct fixture *f, const struct lie *lie)
{
    struct sf_node *node = sf_world_node(f->world, GROUND);
    struct outbound *out = outbound_find(node, &f->id);
    uint8_t *object = buffer_alloc(CLASS);
    uint8_t siv[SF_SIV_BYTES];
    struct sf_disk_op op = {.kind = SF_DISK_OPEN, .flags = SF_DISK_RDWR};
    struct sf_disk *disk = sf_sim_disk_interface(fixture_disk(f, GROUND));
    char path[64] = "spool/";
    size_t bytes;

    REQUIRE(out != NULL && object != NULL);
    REQUIRE_EQ(out->record.count, 1);
    bytes =
        forge_content(lie, object + sf_envelope_content_offset(CLASS), sf_envelope_capacity(CLASS));
    REQUIRE_EQ(
        sf_envelope_seal(out->seal, node->identity, SF_KIND_DATA, 0, object, CLASS, bytes, siv),
        SF_OK);
    for (size_t i = 0; i < 16; i++) {
        snprintf(path + 6 + 2 * i, 3, "%02x", f->id.b[i]);
    }
    strcat(path, ".out");
    op.path = path;
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
    op = (struct sf_disk_op){
        .kind = SF_DISK_WRITE, .file = op.ret_file, .data = object, .bytes = CLASS};
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
    op = (struct sf_disk_op){.kind = SF_DISK_CLOSE, .file = op.file};
    REQUIRE_EQ(sf_disk_run(disk, &op), SF_OK);
    free(object);
}

static void
send_lie(struct fixture *f, const struct lie *lie, uint64_t seed)
{
    struct sf_world_send order = fixture_order();

    fixture_make(f, seed, 2);
    sf_world_config(f->world, GROUND)->class_bytes = CLASS;
    fixture_start(f, GROUND);
    sf_sim_disk_generate(&fixture_seeds[0], 0, plain, BYTES);
    fixture_source(f, GROUND, "source/model", BYTES, 0);
    order.label = "aab";
    fixture_send(f, &order);
    REQUIRE(fixture_until(f, GROUND, SF_NODE_CUSTODY, 60 * SF_SEC));
    forge(f, lie);
    sf_world_stop(f->world, GROUND); /* what was sealed is in its memory still */
    fixture_start(f, GROUND);
    fixture_start(f, SAT);
}

static void
check_refused(const struct lie *lie, uint64_t seed)
{
    struct fixture f;
    struct sf_node_transfer transfer;
    struct sf_world_send order = fixture_order();

    send_lie(&f, lie, seed);
    if (!fixture_until(&f, GROUND, SF_NODE_FAILED, 300 * SF_SEC)) {
        printf("    %s\n", lie->what);
    }
    transfer = fixture_transfer(&f, GROUND);
    CHECK_EQ(transfer.recipients[0].state, SF_NODE_TO_REFUSED);
    CHECK_TEXT(transfer.recipients[0].why, sf_refusal_text(lie->reason));
    CHECK_EQ(fixture_transfer(&f, SAT).state, SF_NODE_FAILED);
    CHECK(!sf_world_is_off(f.world, SAT));
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 0);
    fixture_run(&f, 60 * SF_SEC);
    fixture_check_freed(&f, SAT);
    /* And an honest one still arrives. */
    order.label = "honest";
    fixture_send(&f, &order);
    REQUIRE(fixture_until(&f, GROUND, SF_NODE_DONE, 60 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/honest", BYTES, 0);
    CHECK_EQ(fixture_count_names(&f, SAT, "inbox/ground"), 1);
    fixture_close(&f);
}

static void
test_truth(void)
{
    const struct lie truth = {.what = "no lie at all"};
    struct fixture f;

    send_lie(&f, &truth, 1);
    REQUIRE(fixture_until(&f, SAT, SF_NODE_DONE, 60 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/aab", BYTES, 0);
    /* Its manifest is not the one the sender has journalled: such a FINAL frees nothing. */
    fixture_run(&f, 600 * SF_SEC);
    CHECK_EQ(fixture_transfer(&f, GROUND).state, SF_NODE_CUSTODY);
    CHECK_EQ(fixture_count_names(&f, GROUND, "spool"), 1);
    fixture_close(&f);
}

static void
test_names(void)
{
    static const struct lie lies[] = {
        {.what = "a label and name a/b",
            .reason = SF_REFUSAL_BAD_NAME,
            .from = "aab",
            .to = "a/b",
            .bytes = 3},
        {.what = "a label and name with NUL",
            .reason = SF_REFUSAL_BAD_NAME,
            .from = "aab",
            .to = "a\0b",
            .bytes = 3},
        /* 0x43 is the head of a byte string of three; 0x42 of two. */
        {.what = "an absolute name",
            .reason = SF_REFUSAL_BAD_NAME,
            .from = "aab",
            .to = "/ab",
            .bytes = 3},
        {.what = "an outline cut short",
            .reason = SF_REFUSAL_BAD_NAME,
            .from = "\x43"
                    "aab",
            .to = "\x42"
                  "aab",
            .bytes = 4},
    };

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        check_refused(&lies[i], 10 + i);
    }
}

static void
test_content(void)
{
    static const struct lie lies[] = {
        {.what = "no CBOR", .reason = SF_REFUSAL_DAMAGED, .no_content = true},
        {.what = "no outline", .reason = SF_REFUSAL_DAMAGED, .no_outline = true},
        {.what = "no outline, digests alone",
            .reason = SF_REFUSAL_DAMAGED,
            .no_outline = true,
            .no_frame = true},
        {.what = "a file that is not there", .reason = SF_REFUSAL_DAMAGED, .file = 5},
        {.what = "a frame past its end", .reason = SF_REFUSAL_DAMAGED, .offset = 1},
        {.what = "a frame far behind the end",
            .reason = SF_REFUSAL_DAMAGED,
            .offset = UINT64_C(1) << 40},
        {.what = "a frame too long", .reason = SF_REFUSAL_DAMAGED, .longer = 1},
        {.what = "a frame too short", .reason = SF_REFUSAL_DAMAGED, .longer = -1},
        {.what = "a frame missing", .reason = SF_REFUSAL_DAMAGED, .no_frame = true},
        {.what = "no digests", .reason = SF_REFUSAL_DAMAGED, .no_digests = true},
        {.what = "digests of more bundles than slots",
            .reason = SF_REFUSAL_DAMAGED,
            .bundle_count = 1000},
        {.what = "digests of another length", .reason = SF_REFUSAL_DAMAGED, .other_length = true},
        {.what = "digests of other bytes", .reason = SF_REFUSAL_DAMAGED, .other_sha256 = true},
        {.what = "other bytes than the digests", .reason = SF_REFUSAL_DAMAGED, .other_bytes = true},
    };

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        check_refused(&lies[i], 30 + i);
    }
}

/* The most that a forged transfer which holds together takes at its receiver. */
static uint64_t
take(const struct lie *lie, uint64_t seed)
{
    struct fixture f;
    uint64_t bytes;
    uint64_t peak;

    send_lie(&f, lie, seed);
    REQUIRE(fixture_until(&f, SAT, SF_NODE_DONE, 3600 * SF_SEC));
    fixture_check_file(&f, SAT, "inbox/ground/aab", BYTES, 0);
    fixture_run(&f, 60 * SF_SEC);
    sf_node_memory(sf_world_node(f.world, SAT), &bytes, &peak);
    CHECK_EQ(bytes, 0);
    fixture_close(&f);
    return peak;
}

static void
test_tiny_frames(void)
{
    const struct lie whole = {.what = "one frame"};
    const struct lie tiny = {.what = "a frame for every byte", .each = 1};
    uint64_t few = take(&whole, 60);
    uint64_t many = take(&tiny, 60);

    printf("%llu and %llu KiB ", (unsigned long long)few >> 10, (unsigned long long)many >> 10);
    CHECK(many <= few + TASKS_BYTES_MAX);
}

CHECK_MAIN("node: a hostile sender",
    {"a FINAL for another manifest than the sender's own frees nothing", test_truth},
    {"names that lead elsewhere are refused again at the receiver", test_names},
    {"content that does not hold together is refused", test_content},
    {"as many tiny frames as a bundle holds are taken a few at a time", test_tiny_frames})
