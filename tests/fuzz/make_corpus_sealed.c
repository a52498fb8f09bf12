/*
 * make_corpus_sealed.c - writes the seeds of the corpora of sealed objects; run by
 * hand: make_corpus_sealed $(srcdir)/tests/fuzz/corpus. Keys are those of the
 * targets themselves (people.h, seed 1), so true objects open there.
 */
#include "base/assert.h"
#include "bundle/cbor.h"
#include "bundle/envelope.h"
#include "bundle/grant.h"
#include "bundle/letter.h"
#include "tests/unit/people.h"

#include <sys/stat.h>

static const char *root;

static void
write_seed(const char *target, const char *name, struct sf_view seed)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", root, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", root, target, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(seed.data, 1, seed.bytes, file) != seed.bytes || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

/* The byte string that stands at item `index` of the array in `encoded`, behind an optional tag. */
static struct sf_view
bytes_at(struct sf_view encoded, size_t index)
{
    struct sf_cbor_reader reader;
    struct sf_view bytes = {NULL, 0};
    uint64_t number;
    int status = SF_OK;

    sf_cbor_reader_init(&reader, encoded);
    if (sf_cbor_peek(&reader) == SF_CBOR_TAG) {
        status = sf_cbor_read_tag(&reader, &number);
    }
    sf_assert(status == SF_OK);
    status = sf_cbor_read_array(&reader, 10, &number);
    while (status == SF_OK && index-- > 0) {
        status = sf_cbor_read_item(&reader, NULL);
    }
    sf_assert(status == SF_OK);
    status = sf_cbor_read_bytes(&reader, encoded.bytes, &bytes);
    sf_assert(status == SF_OK);
    return bytes;
}

static void
make_card_and_identity(struct people *people)
{
    uint8_t bytes[SF_IDENTITY_BYTES_MAX];
    char text[SF_CARD_TEXT_BYTES_MAX];
    size_t count = 0;
    size_t text_bytes = 0;
    int status = sf_card_encode(people->identities[0], bytes, sizeof(bytes), &count);

    sf_assert(status == SF_OK);
    write_seed("card", "card", sf_view(bytes, count));
    write_seed("card", "payload", bytes_at(sf_view(bytes, count), 2));
    status = sf_card_to_text(sf_view(bytes, count), text, sizeof(text), &text_bytes);
    sf_assert(status == SF_OK);
    write_seed("card", "text", sf_view(text, text_bytes));
    status = sf_identity_encode(people->identities[0], bytes, sizeof(bytes), &count);
    sf_assert(status == SF_OK);
    write_seed("identity", "file", sf_view(bytes, count));
    write_seed("identity", "body", bytes_at(sf_view(bytes, count), 0));
    (void)sf_identity_rotate(people->identities[0], &people->random, 100 * SF_DAY_MS);
    status = sf_identity_encode(people->identities[0], bytes, sizeof(bytes), &count);
    sf_assert(status == SF_OK);
    write_seed("identity", "body-old", bytes_at(sf_view(bytes, count), 0));
}

static void
make_envelope(struct people *people)
{
    static uint8_t object[SF_ENVELOPE_CLASS_MIN];
    const uint8_t cek[SF_CEK_BYTES] = {1, 2, 3};
    const struct sf_transfer_id transfer = {{9, 8, 7}};
    struct sf_seal seal;
    uint8_t siv[SF_SIV_BYTES];
    int status;

    sf_seal_init(&seal, cek, &transfer);
    status = sf_envelope_seal(
        &seal, people->identities[0], SF_KIND_DATA, 3, object, sizeof(object), 500, siv);
    sf_assert(status == SF_OK);
    write_seed("envelope", "object", sf_view(object, sizeof(object)));
    write_seed("envelope", "header", sf_view(object, 94));
    write_seed("envelope", "padded", sf_view("some content\x80\0\0\0\0\0", 18));
    sf_seal_fini(&seal);
}

static void
make_grant(struct people *people)
{
    const struct sf_grant_recipient recipients[] = {
        {.card = &people->cards[1], .number = 4}, {.card = &people->cards[0], .number = 5}};
    const uint8_t cek[SF_CEK_BYTES] = {1, 2, 3};
    const struct sf_grant_config config = {.identity = people->identities[0],
        .transfer = {{9, 8, 7}},
        .cek = cek,
        .class_bytes = 1 << 20,
        .slots = 1000,
        .recipients = recipients,
        .recipient_count = 2};
    uint8_t object[SF_GRANT_BYTES_MAX];
    struct sf_cbor_writer writer;
    size_t count = 0;
    int status = sf_grant_seal(&config, &people->random, object, sizeof(object), &count);

    sf_assert(status == SF_OK);
    write_seed("grant", "object", sf_view(object, count));
    sf_cbor_writer_init(&writer, object, sizeof(object));
    sf_cbor_write_array(&writer, 5);
    sf_cbor_write_uint(&writer, 1);
    sf_cbor_write_bytes(&writer, sf_view(config.transfer.b, 16));
    sf_cbor_write_bytes(&writer, sf_view(cek, sizeof(cek)));
    sf_cbor_write_uint(&writer, 1 << 20);
    sf_cbor_write_uint(&writer, 1000);
    write_seed("grant", "content", sf_view(object, writer.bytes));
}

static void
make_letter(struct people *people)
{
    static uint8_t object[SF_LETTER_BYTES_MAX];
    size_t count = 0;
    int status = sf_letter_seal(people->identities[0], &people->cards[1], SF_LETTER_CANCEL,
        sf_view("never mind", 10), &people->random, object, sizeof(object), &count);

    sf_assert(status == SF_OK);
    write_seed("letter", "object", sf_view(object, count));
    write_seed("letter", "content", sf_view("\x83\x01\x02\x4anever mind", 14));
}

int
main(int argc, char **argv)
{
    struct people people;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    root = argv[1];
    people_open(&people, 1, 2);
    make_envelope(&people);
    make_grant(&people);
    make_letter(&people);
    make_card_and_identity(&people);
    people_close(&people);
    return EXIT_SUCCESS;
}
