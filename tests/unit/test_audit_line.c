/* Tests of store/audit_line: what a line makes of text of any origin, and which lines and heads are none. */
#include "base/crc32c.h"
#include "base/crypto.h"
#include "store/audit_impl.h"
#include "tests/unit/check.h"

#define ORIGIN "node.example/log"

#define PREV "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What the line says of text of any origin. */
static void
test_text(void)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"plain", "plain"},
        {"\"\\\n\x7f", "\\\"\\\\\\u000a\\u007f"},
        {"\xc2\x85\xc2\xa0", "\\u0085\xc2\xa0"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\x80", "\\ufffd"},
        {"\xc1\x81", "\\ufffd\\ufffd"},
        {"\xe2\x82", "\\ufffd\\ufffd"},
        {"\xe2(\xa1", "\\ufffd(\\ufffd"},
        {"\xe0\x9f\xbf", "\\ufffd\\ufffd\\ufffd"},
        {"\xe0\xa0\x80", "\xe0\xa0\x80"},
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xed\x9f\xbf", "\xed\x9f\xbf"},
        {"\xf0\x8f\xbf\xbf", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\xf5\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sf_audit_entry entry;
        char expected[128];

        snprintf(expected, sizeof(expected),
            "\"event\":\"e\",\"t\":\"%s\",\"yes\":true,\"no\":false", cases[i].expected);
        sf_audit_entry_init(&entry, "e");
        sf_audit_entry_text(
            &entry, "t", sf_view((const uint8_t *)cases[i].text, strlen(cases[i].text)));
        sf_audit_entry_bool(&entry, "yes", true);
        sf_audit_entry_bool(&entry, "no", false);
        CHECK_EQ(entry.bytes, strlen(expected));
        CHECK_BYTES(entry.text, expected, strlen(expected));
    }
}

/* How a line with a right checksum is read. */
static int
decode(const char *front, size_t front_bytes, const char *crc_format, struct sf_audit_line *line)
{
    char text[512];
    int bytes;

    memcpy(text, front, front_bytes);
    bytes = (int)front_bytes + snprintf(text + front_bytes, sizeof(text) - front_bytes, crc_format,
                                   (unsigned)sf_crc32c(0, text, front_bytes));
    return sf_audit_line_decode(sf_view((uint8_t *)text, (size_t)bytes), line);
}

static void
test_lines(void)
{
    static const struct {
        const char *front;
        int status;
    } cases[] = {
        {"{\"seq\":2,\"prev\":\"" PREV "\",\"synced\":1,\"event\":\"e\"", SF_OK},
        {"{\"Seq\":2,\"prev\":\"" PREV "\",\"synced\":1,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":,\"prev\":\"" PREV "\",\"synced\":1,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":02,\"prev\":\"" PREV "\",\"synced\":1,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":18446744073709551615,\"prev\":\"" PREV "\",\"synced\":1,\"event\":\"e\"", SF_OK},
        {"{\"seq\":18446744073709551616,\"prev\":\"" PREV "\",\"synced\":1,\"event\":\"e\"",
            SF_EFORMAT},
        {"{\"seq\":2,\"past\":\"" PREV "\",\"synced\":1,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":2,\"prev\":\"0123\",\"synced\":1,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":2,\"prev\":\"0123", SF_EFORMAT},
        {"{\"seq\":2,\"prev\":\"" PREV "0\",\"synced\":1,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":2,\"prev\":\"" PREV "\",\"synced\":-1,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":2,\"prev\":\"" PREV "\",\"synced\":1,\"what\":\"e\"", SF_EFORMAT},
        {"{\"seq\":0,\"prev\":\"" PREV "\",\"synced\":0,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":2,\"prev\":\"" PREV "\",\"synced\":2,\"event\":\"e\"", SF_EFORMAT},
        {"{\"seq\":2,\"prev\":\"" PREV "\",\"synced\":1,\"event\":\"\x7f\"", SF_EFORMAT},
        {"{\"seq\":2,\"prev\":\"" PREV "\",\"synced\":1,\"event\":\"\t\"", SF_EFORMAT},
    };
    const char *good = cases[0].front;
    char capital[256];
    struct sf_audit_line line;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(decode(cases[i].front, strlen(cases[i].front), ",\"crc\":\"%08x\"}", &line),
            cases[i].status);
    }
    REQUIRE_EQ(decode(good, strlen(good), ",\"crc\":\"%08x\"}", &line), SF_OK);
    CHECK(line.seq == 2 && line.synced == 1 && line.prev[0] == 0x01 && line.prev[31] == 0xef);
    CHECK_EQ(decode(good, strlen(good), ",\"crc\":\"%08x\"]", &line), SF_EFORMAT);
    CHECK_EQ(decode(good, strlen(good), ";\"crc\":\"%08x\"}", &line), SF_EFORMAT);
    CHECK_EQ(decode(good, strlen(good), ",\"crc\":\"g%07x\"}", &line), SF_EFORMAT);
    CHECK_EQ(decode("{", 1, "%.1x", &line), SF_EFORMAT);
    snprintf(capital, sizeof(capital), "%s", good);
    capital[25] = 'A'; /* in `prev`: hex has one form */
    CHECK_EQ(decode(capital, strlen(capital), ",\"crc\":\"%08x\"}", &line), SF_EFORMAT);
    capital[25] = '\0';
    CHECK_EQ(decode(capital, strlen(good), ",\"crc\":\"%08x\"}", &line), SF_EFORMAT);
}

static uint8_t public_key[32];
static uint8_t secret_key[64];

/* A head as `origin` signs it, of `lines` lines; its length. */
static size_t
make_head(const char *origin, uint64_t lines, char out[SF_AUDIT_HEAD_BYTES_MAX])
{
    const struct sf_audit_note note = {.lines = lines, .hash = {1, 2, 3}};
    uint8_t seed[32] = {5};
    uint8_t signature[64];
    size_t bytes;

    sf_sign_keypair(seed, public_key, secret_key);
    bytes = sf_audit_note_text(&note, origin, out);
    sf_sign(secret_key, sf_view((uint8_t *)out, bytes), signature);
    return sf_audit_note_finish(origin, public_key, signature, bytes, out);
}

static int
decode_head(const char *head, size_t head_bytes, struct sf_audit_note *note, size_t *ret_bytes)
{
    return sf_audit_note_decode(
        sf_view((const uint8_t *)head, head_bytes), ORIGIN, public_key, note, ret_bytes);
}

static void
test_heads(void)
{
    char head[SF_AUDIT_HEAD_BYTES_MAX];
    char other[SF_AUDIT_HEAD_BYTES_MAX];
    struct sf_audit_note note = {0};
    size_t bytes;
    size_t took = 0;

    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    bytes = make_head(ORIGIN, 7, head);
    REQUIRE_EQ(decode_head(head, bytes, &note, &took), SF_OK);
    CHECK(note.lines == 7 && note.hash[2] == 3 && took == bytes);
    for (size_t left = 0; left < bytes; left++) {
        CHECK_EQ(decode_head(head, left, &note, &took), SF_EFORMAT);
    }
    /* Whatever is changed, it is no head, or not ours. */
    for (size_t at = 0; at < bytes; at++) {
        static const char signs[] = {'\0', '\n', ' ', '=', 'A', '0'};

        for (size_t i = 0; i < sizeof(signs); i++) {
            int status;

            memcpy(other, head, bytes);
            other[at] = signs[i];
            status = decode_head(other, bytes, &note, &took);
            CHECK(signs[i] == head[at] || status == SF_EFORMAT || status == SF_EAUTH);
        }
    }
    bytes = make_head(ORIGIN, 0, head);
    CHECK_EQ(decode_head(head, bytes, &note, &took), SF_EFORMAT);
    bytes = make_head("another.example/log", 7, head);
    CHECK_EQ(decode_head(head, bytes, &note, &took), SF_EAUTH);
    CHECK(note.lines == 7);
}

static void
test_origins(void)
{
    char name[SF_AUDIT_ORIGIN_BYTES_MAX + 2];

    memset(name, 'a', sizeof(name));
    name[SF_AUDIT_ORIGIN_BYTES_MAX] = '\0';
    CHECK(sf_audit_origin_is_good(name));
    name[SF_AUDIT_ORIGIN_BYTES_MAX] = 'a';
    name[SF_AUDIT_ORIGIN_BYTES_MAX + 1] = '\0';
    CHECK(!sf_audit_origin_is_good(name));
    CHECK(!sf_audit_origin_is_good(""));
    CHECK(!sf_audit_origin_is_good("with space"));
    CHECK(sf_audit_origin_is_good(ORIGIN));
}

CHECK_MAIN("audit_line",
    {"text that is no UTF-8 is said to be none, controls are escaped", test_text},
    {"a line with a right checksum is one only in its form", test_lines},
    {"a head that is cut or changed is none, or not ours", test_heads},
    {"origins are short and plain", test_origins})
