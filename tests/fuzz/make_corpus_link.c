/*
 * make_corpus_link.c - writes the seeds of the link's corpora; run by hand:
 * make_corpus_link $(srcdir)/tests/fuzz/corpus. Keys are those of the targets.
 */
#include "tests/fuzz/link_fixture.h"

#include <stdio.h>
#include <sys/stat.h>

static const char *root;
static struct fixture fixture;

static void
write_seed(const char *target, const char *name, const uint8_t *data, size_t bytes)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", root, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", root, target, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

/* An opener that target fuzz_opener reads to its end. */
static void
write_opener(enum sf_opener_key key, const char *name)
{
    static const uint8_t hint_key[32] = {7}, psk[32], local_sk[32] = {9}, sender_sk[32] = {5};
    static const struct sf_fingerprint own = {{1, 2, 3}};
    struct sf_opener_clear clear = {.key = key};
    struct sf_opener_payload payload = {
        .epoch = 1, .session_id = 1, .prekey_known = 1, .life = {1}};
    uint8_t local_pk[32], sender_pk[32], ephemeral[32], dgram[SF_OPENER_BYTES], session[32];
    struct sf_noise_shared shared = {0};
    struct sf_hmac mac_key;
    struct sf_opener_keys keys = {.static_sk = sender_sk,
        .static_pk = sender_pk,
        .ephemeral_sk = ephemeral,
        .remote_pk = local_pk,
        .psk = psk,
        .receiver = &own,
        .mac_key = &mac_key,
        .shared = &shared};

    clear.prekey_number = key == SF_OPENER_TO_PREKEY ? 3 : 0;
    memset(ephemeral, 0x42, sizeof(ephemeral));
    sf_x25519_public(local_pk, local_sk);
    sf_x25519_public(sender_pk, sender_sk);
    sf_opener_mac_init(&mac_key, hint_key);
    sf_assert(sf_opener_encode(&keys, &clear, &payload, dgram, session) == SF_OK);
    write_seed("opener", name, dgram, sizeof(dgram));
}

/* Every datagram the peer really sent, opened with its own key. */
static void
write_plaintexts(void)
{
    const struct sf_session_out *out =
        &fixture.links[FIXTURE_PEER]->peers[FIXTURE_OWN]->out[SF_OUT_DATA];
    struct sf_session_table table = {{NULL}};
    static struct sf_session_in in;
    static uint8_t row[FIXTURE_TAPE_MAX * 1500];
    size_t row_bytes = 0;

    in.state = SF_SESSION_LIVE;
    in.id = out->id;
    memcpy(in.key, out->key, 32);
    sf_assert(sf_session_table_add(&table, &in) == SF_OK);
    for (size_t i = 0; i < fixture.tape_count; i++) {
        struct sf_session_in *session;
        uint8_t plain[1500];
        uint64_t counter;
        size_t bytes = fixture.tape[i].bytes - SF_SESSION_OVERHEAD_BYTES;
        char name[32];

        if (sf_session_table_open(&table, sf_view(fixture.tape[i].data, fixture.tape[i].bytes),
                plain, &session, &counter) != SF_OK) {
            continue;
        }
        sf_put_be16(row + row_bytes, (uint16_t)bytes);
        memcpy(row + row_bytes + 2, plain, bytes);
        if (bytes < 200) {
            snprintf(name, sizeof(name), "sent-%zu", i);
            write_seed("datagram", name, row + row_bytes, bytes + 2);
            row[row_bytes] = (uint8_t)(row[row_bytes] | 0x40);
            snprintf(name, sizeof(name), "fallback-%zu", i);
            write_seed("datagram", name, row + row_bytes, bytes + 2);
            row[row_bytes] = (uint8_t)(row[row_bytes] & ~0x40);
        }
        row_bytes += bytes + 2;
    }
    write_seed("datagram", "all", row, row_bytes);
}

/* One message of each type that the outer half knows, and some that it must not. */
static void
write_messages(void)
{
    static const uint8_t messages[] = {
        0, 13, 0x10, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, /* HELLO */
        0, 9, 0x11, 1, 2, 3, 4, 5, 6, 7, 8,              /* CHALLENGE */
        0, 9, 0x12, 1, 2, 3, 4, 5, 6, 7, 8,              /* ANSWER */
        0, 6, 0x13, 4, 'c', 'a', 'r', 'd',               /* CARD */
        0, 2, 0x13, 0,                                   /* an empty one */
        0, 4, 0x14, 1, 0x15, 1,                          /* ECHO cut off */
        0, 5, 0x14, 1, 0x15, 1, 1,                       /* STAMP, ECHO */
        0, 33, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* STALE too far */
        0x80, 33, 0x16, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0,
        0, 0, 0, 0, 0, 0, 2,       /* STALE */
        0, 4, 0x17, 0x85, 0x01, 0, /* PROBE, padded */
        0, 3, 0x18, 0x85, 0x01,    /* PROBED */
        0, 2, 0x18, 0x80,          /* PROBED cut off */
        0, 4, 0x40, 1, 9, 0x06,    /* extension, ASK */
        0, 1, 0x3f,                /* unknown */
        0, 2, 0x80, 0x80,          /* unknown */
        0, 3, 0x00, 0, 0,          /* PADDING */
    };

    write_seed("datagram", "messages", messages, sizeof(messages));
}

static void
write_inputs(void)
{
    static const uint8_t copies[] = {2, 1, 0, 2, 1, 1, 2, 1, 2, 3, 1, 0, 3, 1, 5, 4, 1, 34, 2, 1, 0,
        2, 4, 1, 0, 20, 1, 2, 4, 1, 5, 255, 16, 5, 0, 4, 1, 30, 5, 0, 4, 1, 40, 2, 1, 3, 5, 0};
    static const uint8_t junk[] = {0, 0, 0, 1, 7, 0, 28, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 28, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
        11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};

    write_seed("link_input", "copies", copies, sizeof(copies));
    write_seed("link_input", "junk", junk, sizeof(junk));
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_corpus_link CORPUS-FOLDER\n");
        return EXIT_FAILURE;
    }
    root = argv[1];
    fixture_open(&fixture);
    write_opener(SF_OPENER_TO_PREKEY, "prekey");
    write_opener(SF_OPENER_TO_STATIC, "static");
    write_plaintexts();
    write_messages();
    write_inputs();
    fixture_close(&fixture);
    return EXIT_SUCCESS;
}
