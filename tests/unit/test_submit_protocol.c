/*
 * The framing of files handed over as descriptors.
 */
#include "app/submit_protocol.h"

#include "tests/unit/check.h"

static uint8_t message[SF_SUBMIT_MESSAGE_BYTES_MAX];
static size_t message_bytes;

static struct sf_view
text(const char *string)
{
    return sf_view(string, strlen(string));
}

static struct sf_submit_begin
example_begin(void)
{
    struct sf_submit_begin begin = {
        .recipient_count = 2,
        .label = {(const uint8_t *)"model", 5},
        .file_count = 3,
        .priority = 9,
        .forget_key = true,
        .has_resume = true,
        .resume = {{1, 2, 3}},
    };

    begin.recipients[0] = text("sat-7");
    begin.recipients[1] = text("ground");
    return begin;
}

static void
test_begin(void)
{
    struct sf_submit_begin begin = example_begin();
    struct sf_submit_begin back;

    REQUIRE_EQ(sf_submit_encode_begin(&begin, message, sizeof(message), &message_bytes), SF_OK);
    REQUIRE_EQ(sf_submit_decode_begin(sf_view(message, message_bytes), &back), SF_OK);
    CHECK_EQ(back.recipient_count, 2);
    CHECK(sf_view_equal(back.recipients[1], text("ground")));
    CHECK(sf_view_equal(back.label, text("model")));
    CHECK_EQ(back.file_count, 3);
    CHECK_EQ(back.priority, 9);
    CHECK(back.forget_key && back.has_resume && !back.single_file);
    CHECK(sf_transfer_equal(&back.resume, &begin.resume));
}

static void
test_files(void)
{
    struct sf_submit_files files = {.count = 2};
    struct sf_submit_files back;

    files.files[0] = (struct sf_submit_file){.path = text("a/b c/\xff"),
        .executable = true,
        .mtime_s = -5,
        .has_base = true,
        .base_mtime_s = -6,
        .base_sha256 = {{1, 2, 3}}};
    files.files[1] = (struct sf_submit_file){.path = text(""), .mtime_s = INT64_MAX};
    REQUIRE_EQ(sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_OK);
    CHECK_EQ(message_bytes, SF_SUBMIT_FILES_HEAD_BYTES + sf_submit_file_bytes(&files.files[0]) +
                                sf_submit_file_bytes(&files.files[1]));
    REQUIRE_EQ(sf_submit_decode_files(sf_view(message, message_bytes), &back), SF_OK);
    CHECK_EQ(back.count, 2);
    CHECK(sf_view_equal(back.files[0].path, text("a/b c/\xff")));
    CHECK(back.files[0].executable && !back.files[1].executable);
    CHECK(back.files[0].has_base && !back.files[1].has_base);
    CHECK_EQ(back.files[0].base_mtime_s, -6);
    CHECK_BYTES(back.files[0].base_sha256.b, files.files[0].base_sha256.b, 32);
    CHECK_EQ(back.files[0].mtime_s, -5);
    CHECK_EQ(back.files[1].mtime_s, INT64_MAX);
}

static void
test_replies(void)
{
    struct sf_submit_reply reply = {.status = SF_OK, .transfer = {{7, 8}}};
    struct sf_submit_reply back;

    REQUIRE_EQ(sf_submit_encode_reply(&reply, message, sizeof(message), &message_bytes), SF_OK);
    REQUIRE_EQ(sf_submit_decode_reply(sf_view(message, message_bytes), &back), SF_OK);
    CHECK_EQ(back.status, SF_OK);
    CHECK(sf_transfer_equal(&back.transfer, &reply.transfer));
    reply = (struct sf_submit_reply){.status = SF_ENOSPC, .text = text("full")};
    REQUIRE_EQ(sf_submit_encode_reply(&reply, message, sizeof(message), &message_bytes), SF_OK);
    REQUIRE_EQ(sf_submit_decode_reply(sf_view(message, message_bytes), &back), SF_OK);
    CHECK_EQ(back.status, SF_ENOSPC);
    CHECK(sf_view_equal(back.text, text("full")));
    REQUIRE_EQ(sf_submit_encode_end(message, sizeof(message), &message_bytes), SF_OK);
    CHECK_EQ(sf_submit_decode_end(sf_view(message, message_bytes)), SF_OK);
    CHECK_EQ(sf_submit_decode_reply(sf_view(message, message_bytes), &back), SF_EFORMAT);
}

static struct sf_submit_ask
example_ask(void)
{
    return (struct sf_submit_ask){.what = SF_SUBMIT_ASK_TRANSFER,
        .transfer = {{9, 8}},
        .recipient = text("sat-7"),
        .label = text("model")};
}

static struct sf_submit_offer
example_offer(void)
{
    struct sf_submit_offer offer = {.by = {{3}}, .count = 2};

    offer.files[0].path.b[0] = 1;
    offer.files[1].path.b[15] = 2;
    offer.files[1].sha256.b[31] = 3;
    return offer;
}

static void
test_bases(void)
{
    struct sf_submit_ask ask = example_ask();
    struct sf_submit_ask ask_back;
    struct sf_submit_offer offer = example_offer();
    struct sf_submit_offer offer_back;

    REQUIRE_EQ(sf_submit_encode_ask(&ask, message, sizeof(message), &message_bytes), SF_OK);
    REQUIRE_EQ(sf_submit_decode_ask(sf_view(message, message_bytes), &ask_back), SF_OK);
    CHECK_EQ(ask_back.what, SF_SUBMIT_ASK_TRANSFER);
    CHECK(sf_transfer_equal(&ask_back.transfer, &ask.transfer));
    CHECK(sf_view_equal(ask_back.recipient, ask.recipient));
    CHECK(sf_view_equal(ask_back.label, ask.label));
    REQUIRE_EQ(sf_submit_encode_offer(&offer, message, sizeof(message), &message_bytes), SF_OK);
    REQUIRE_EQ(sf_submit_decode_offer(sf_view(message, message_bytes), &offer_back), SF_OK);
    CHECK_EQ(offer_back.count, 2);
    CHECK(sf_transfer_equal(&offer_back.by, &offer.by));
    CHECK_BYTES(offer_back.files, offer.files, 2 * sizeof(offer.files[0]));
    offer = (struct sf_submit_offer){.count = 0};
    REQUIRE_EQ(sf_submit_encode_offer(&offer, message, sizeof(message), &message_bytes), SF_OK);
    REQUIRE_EQ(sf_submit_decode_offer(sf_view(message, message_bytes), &offer_back), SF_OK);
    CHECK_EQ(offer_back.count, 0);
}

static void
test_bad_bases(void)
{
    struct sf_submit_ask ask;
    struct sf_submit_offer offer;

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        ask = example_ask();                                                                       \
        offer = example_offer();                                                                   \
        change;                                                                                    \
        CHECK(sf_submit_encode_ask(&ask, message, sizeof(message), &message_bytes) == SF_EINVAL || \
              sf_submit_encode_offer(&offer, message, sizeof(message), &message_bytes) ==          \
                  SF_EINVAL);                                                                      \
    } while (0)

    REFUSED(ask.what = 0);
    REFUSED(ask.what = 4);
    REFUSED(ask.what = SF_SUBMIT_ASK_NEWEST); /* of no transfer, and yet there is one */
    REFUSED(memset(&ask.transfer, 0, sizeof(ask.transfer)));
    REFUSED(ask.recipient = text(""));
    REFUSED(ask.label = text("a/b"));
    REFUSED(ask.label = text(".."));
    REFUSED(offer.count = 0); /* and yet a transfer */
    REFUSED(memset(&offer.by, 0, sizeof(offer.by)));
    REFUSED(offer.count = SF_SUBMIT_BASES_MAX + 1);
#undef REFUSED
    offer = example_offer();
    REQUIRE_EQ(sf_submit_encode_offer(&offer, message, sizeof(message), &message_bytes), SF_OK);
    message[18] = SF_SUBMIT_BASES_MAX + 1; /* its count, by somebody else */
    CHECK_EQ(sf_submit_decode_offer(sf_view(message, sizeof(message)), &offer), SF_EFORMAT);
}

static void
test_bad_paths(void)
{
    static const char *const bad[] = {"/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b"};
    struct sf_submit_files files = {.count = 1};
    struct sf_submit_files back;
    char deep[2 * 65 + 1];
    char wide[257];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        files.files[0].path = text(bad[i]);
        CHECK_EQ(
            sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_EINVAL);
        /* The same in a message that somebody else encoded. */
        files.files[0].path = text("xxxxxxxx");
        files.files[0].path.bytes = strlen(bad[i]);
        REQUIRE_EQ(sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_OK);
        memcpy(message + SF_SUBMIT_FILES_HEAD_BYTES + 11, bad[i], strlen(bad[i]));
        CHECK_EQ(sf_submit_decode_files(sf_view(message, message_bytes), &back), SF_EFORMAT);
    }
    files.files[0].path = sf_view("a\0b", 3);
    CHECK_EQ(sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_EINVAL);
    for (size_t i = 0; i < 65; i++) {
        deep[2 * i] = 'a';
        deep[2 * i + 1] = '/';
    }
    files.files[0].path = sf_view(deep, 2 * 64 - 1);
    CHECK_EQ(sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_OK);
    files.files[0].path = sf_view(deep, 2 * 65 - 1);
    CHECK_EQ(sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_EINVAL);
    memset(wide, 'w', sizeof(wide));
    files.files[0].path = sf_view(wide, 255);
    CHECK_EQ(sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_OK);
    files.files[0].path = sf_view(wide, 256);
    CHECK_EQ(sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_EINVAL);
}

static void
test_bad_begins(void)
{
    struct sf_submit_begin begin;

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        begin = example_begin();                                                                   \
        change;                                                                                    \
        CHECK_EQ(                                                                                  \
            sf_submit_encode_begin(&begin, message, sizeof(message), &message_bytes), SF_EINVAL);  \
    } while (0)

    REFUSED(begin.recipient_count = 0);
    REFUSED(begin.recipient_count = SF_SUBMIT_RECIPIENTS_MAX + 1);
    REFUSED(begin.recipients[0] = text(""));
    REFUSED(begin.recipients[1] = sf_view("a\0b", 3));
    REFUSED(begin.recipients[1] = sf_view(message, SF_SUBMIT_NAME_BYTES_MAX + 1));
    REFUSED(begin.file_count = 0);
    REFUSED(begin.file_count = SF_SUBMIT_FILES_MAX + 1);
    REFUSED(begin.single_file = true);
    REFUSED(begin.label = text(""));
    REFUSED(begin.label = text(".."));
    REFUSED(begin.label = text("a/b"));
#undef REFUSED
}

/* Whatever of the decoders takes the bytes. */
static bool
is_taken(struct sf_view bytes)
{
    static struct sf_submit_files files;
    struct sf_submit_begin begin;
    struct sf_submit_reply reply;
    struct sf_submit_ask ask;
    struct sf_submit_offer offer;

    return sf_submit_decode_ask(bytes, &ask) == SF_OK ||
           sf_submit_decode_offer(bytes, &offer) == SF_OK ||
           sf_submit_decode_begin(bytes, &begin) == SF_OK ||
           sf_submit_decode_files(bytes, &files) == SF_OK || sf_submit_decode_end(bytes) == SF_OK ||
           sf_submit_decode_reply(bytes, &reply) == SF_OK;
}

static void
test_cut_and_long(void)
{
    struct sf_submit_begin begin = example_begin();
    struct sf_submit_files files = {.count = 2};
    struct sf_submit_ask ask = example_ask();
    struct sf_submit_offer offer = example_offer();

    REQUIRE_EQ(sf_submit_encode_begin(&begin, message, sizeof(message), &message_bytes), SF_OK);
    for (size_t cut = 0; cut < message_bytes; cut++) {
        CHECK(!is_taken(sf_view(message, cut)));
    }
    message[message_bytes] = 0;
    CHECK(!is_taken(sf_view(message, message_bytes + 1)));
    REQUIRE_EQ(sf_submit_encode_ask(&ask, message, sizeof(message), &message_bytes), SF_OK);
    for (size_t cut = 0; cut < message_bytes; cut++) {
        CHECK(!is_taken(sf_view(message, cut)));
    }
    message[message_bytes] = 0;
    CHECK(!is_taken(sf_view(message, message_bytes + 1)));
    REQUIRE_EQ(sf_submit_encode_offer(&offer, message, sizeof(message), &message_bytes), SF_OK);
    for (size_t cut = 0; cut < message_bytes; cut++) {
        CHECK(!is_taken(sf_view(message, cut)));
    }
    message[message_bytes] = 0;
    CHECK(!is_taken(sf_view(message, message_bytes + 1)));
    files.files[0].path = text("a");
    files.files[1].path = text("b");
    REQUIRE_EQ(sf_submit_encode_files(&files, message, sizeof(message), &message_bytes), SF_OK);
    for (size_t cut = 0; cut < message_bytes; cut++) {
        CHECK(!is_taken(sf_view(message, cut)));
    }
    message[message_bytes] = 0;
    CHECK(!is_taken(sf_view(message, message_bytes + 1)));
    message[1] = SF_SUBMIT_VERSION + 1;
    CHECK(!is_taken(sf_view(message, message_bytes)));
    message[1] = SF_SUBMIT_VERSION;
    message[3] = 0x80; /* an unknown flag */
    CHECK(!is_taken(sf_view(message, message_bytes)));
}

static void
test_room(void)
{
    struct sf_submit_begin begin = example_begin();
    size_t needed;

    REQUIRE_EQ(sf_submit_encode_begin(&begin, message, sizeof(message), &needed), SF_OK);
    for (size_t room = 0; room < needed; room++) {
        message[room] = 0xa5;
        CHECK_EQ(sf_submit_encode_begin(&begin, message, room, &message_bytes), SF_ELIMIT);
        CHECK_EQ(message[room], 0xa5);
    }
    CHECK_EQ(sf_submit_encode_begin(&begin, message, needed, &message_bytes), SF_OK);
}

CHECK_MAIN("submit protocol", {"a beginning comes back as it was written", test_begin},
    {"files come back as they were written, whatever bytes their names have", test_files},
    {"replies and the end come back as they were written", test_replies},
    {"a question about a base and its answer come back as they were written", test_bases},
    {"such a question or answer outside its limits is neither written nor read", test_bad_bases},
    {"a path that could leave its directory is neither written nor read", test_bad_paths},
    {"a beginning outside its limits is not written", test_bad_begins},
    {"a message cut short, too long, of another version or with unknown flags is refused",
        test_cut_and_long},
    {"an encoder never writes beyond its room", test_room})
