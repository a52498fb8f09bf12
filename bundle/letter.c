/*
 * letter.c - short sealed messages between two nodes.
 */
#include "bundle/letter.h"

#include "bundle/cbor.h"
#include "bundle/labels.h"
#include "bundle/parcel.h"

enum {
    LETTER_VERSION = 1,
    LETTER_FIELDS = 3,
    LETTER_HEAD_BYTES_MAX = 8, /* of the content, before the inner bytes */
};

static const struct sf_parcel_use letter_use = {
    .kind = SF_KIND_LETTER,
    .entry_label = {(const uint8_t *)SF_LABEL_LETTER, sizeof(SF_LABEL_LETTER) - 1},
    .body_label = {(const uint8_t *)SF_LABEL_LETTER_BODY, sizeof(SF_LABEL_LETTER_BODY) - 1},
    .sign_label = {(const uint8_t *)SF_LABEL_SIGN_LETTER, sizeof(SF_LABEL_SIGN_LETTER) - 1},
};

/* [version, type, bytes of ...: what stands before the content in the body. */
static struct sf_view
content_head(enum sf_letter_type type, size_t content_bytes, uint8_t out[LETTER_HEAD_BYTES_MAX])
{
    struct sf_cbor_writer writer;
    uint8_t head[3] = {0x59};
    struct sf_view head_view = sf_view(head, sizeof(head));

    /* The shortest head of a byte string whose bytes follow on their own. */
    if (content_bytes < 24) {
        head[0] = (uint8_t)(0x40 + content_bytes);
        head_view.bytes = 1;
    } else if (content_bytes < 256) {
        head[0] = 0x58;
        head[1] = (uint8_t)content_bytes;
        head_view.bytes = 2;
    } else {
        sf_put_be16(head + 1, (uint16_t)content_bytes);
    }
    sf_cbor_writer_init(&writer, out, LETTER_HEAD_BYTES_MAX);
    sf_cbor_write_array(&writer, LETTER_FIELDS);
    sf_cbor_write_uint(&writer, LETTER_VERSION);
    sf_cbor_write_uint(&writer, (uint64_t)type);
    sf_cbor_write_raw(&writer, head_view);
    return sf_view(out, writer.bytes);
}

int
sf_letter_seal(const struct sf_identity *identity, const struct sf_card *to,
    enum sf_letter_type type, struct sf_view content, const struct sf_random *random, uint8_t *out,
    size_t bytes_max, size_t *ret_bytes)
{
    const struct sf_grant_recipient recipient = {.card = to};
    uint8_t head[LETTER_HEAD_BYTES_MAX];
    struct sf_parcel_config parcel = {
        .use = &letter_use,
        .identity = identity,
        .recipients = &recipient,
        .recipient_count = 1,
        .content = content,
    };

    if (type < SF_LETTER_RECEIPT || type > SF_LETTER_TYPE_MAX || content.bytes == 0 ||
        content.bytes > SF_LETTER_CONTENT_BYTES_MAX) {
        return SF_EINVAL;
    }
    parcel.content_head = content_head(type, content.bytes, head);
    return sf_parcel_seal(&parcel, random, out, bytes_max, ret_bytes);
}

static int
read_content(struct sf_view content, struct sf_letter *letter)
{
    struct sf_cbor_reader reader;
    uint64_t type = 0;

    sf_cbor_reader_init(&reader, content);
    if (sf_cbor_expect_array(&reader, LETTER_FIELDS) != SF_OK ||
        sf_cbor_expect_uint(&reader, LETTER_VERSION) != SF_OK ||
        sf_cbor_read_uint(&reader, SF_LETTER_TYPE_MAX, &type) != SF_OK ||
        sf_cbor_read_bytes(&reader, SF_LETTER_CONTENT_BYTES_MAX, &letter->content) != SF_OK ||
        sf_cbor_end(&reader) != SF_OK || type < SF_LETTER_RECEIPT || letter->content.bytes == 0) {
        return SF_EFORMAT;
    }
    letter->type = (enum sf_letter_type)type;
    return SF_OK;
}

int
sf_letter_open(const struct sf_identity *identity, const struct sf_card_lookup *cards,
    uint8_t *object, size_t object_bytes, struct sf_letter *ret_letter)
{
    struct sf_parcel parcel;
    struct sf_parcel_entry entry;
    struct sf_letter letter = {0};
    struct sf_view content;
    uint8_t *plain;
    int status;

    if (sf_parcel_parse(sf_view(object, object_bytes), &parcel) != SF_OK ||
        parcel.entry_count != 1) {
        return SF_EFORMAT;
    }
    status = sf_parcel_open_entry(&parcel, &letter_use, identity, NULL, &entry);
    if (status != SF_OK) {
        return status;
    }
    plain = object + parcel.outside.bytes;
    status =
        sf_parcel_open_body(&parcel, &letter_use, &entry, cards, plain, &letter.sender, &content);
    if (status == SF_OK) {
        status = read_content(content, &letter);
    }
    if (status == SF_OK) {
        *ret_letter = letter;
    }
    sf_wipe(&entry, sizeof(entry));
    return status;
}
