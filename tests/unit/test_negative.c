/*
 * The negative matrix: every way to be wrong, tried with every object.
 *
 * One row of `cells` is one attempt: an object that is right in all but one
 * thing, given to a running node as a peer would give it. It must be refused
 * by the check that is meant to, and nothing that counts may have changed at any
 * node. Where a cell makes no sense the table says why; a cell that is in neither
 * part fails the test. Before and after, the true objects are taken: it is the one
 * thing that was wrong, and not the attempt. docs/TESTING.md has the short form.
 */
#include "tests/unit/negative_tries.h"

#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

static const char *const row_names[ROWS] = {"wrong signer", "revoked signer", "expired prekey",
    "other recipient", "other transfer", "other index", "stripped PSK", "swapped parts",
    "true signature, other content", "for another manifest", "of a non-recipient", "replay"};

static const char *const object_names[OBJECTS] = {"data bundle", "outline", "digests", "grant",
    "grant with PSK", "letter", "HELD", "VERIFIED", "FINAL", "REFUSED", "cancel", "card", "opener"};

/* --- The table ---------------------------------------------------------------------------------- */

#define ALL_BUNDLES  (1U << DATA | 1U << OUTLINE | 1U << DIGESTS)
#define ALL_GRANTS   (1U << GRANT | 1U << GRANT_PSK)
#define ALL_RECEIPTS (1U << HELD | 1U << VERIFIED | 1U << FINAL | 1U << REFUSED)

/* Attempts of one kind: which objects, what is tried, what it must come to and by what. */
static const struct attempt {
    enum row row;
    unsigned objects;
    int outcome;
    const char *tried;
    const char *refused_by;
} attempts[] = {
    {WRONG_SIGNER, ALL_BUNDLES, SF_EAUTH, "a co-recipient seals it under the content key",
        "signature in the bundle"},
    {WRONG_SIGNER, ALL_GRANTS, SF_EAUTH, "a co-recipient signs it in the sender's name",
        "signature in the body"},
    {WRONG_SIGNER, 1U << LETTER, SF_EAUTH, "another peer writes it in its bearer's name",
        "signature in the body"},
    {WRONG_SIGNER, ALL_RECEIPTS | 1U << CANCEL, SF_EAUTH,
        "a true letter holds what another peer signed in the author's name",
        "signature of the receipt or cancel"},
    {WRONG_SIGNER, 1U << CARD, SF_EAUTH, "with the signature of another node's card",
        "signature of the card"},
    {WRONG_SIGNER, 1U << OPENER, NO_SESSION, "by a static key of no peer",
        "look-up of the static key"},

    {REVOKED, ALL_GRANTS | 1U << LETTER | ALL_RECEIPTS | 1U << CANCEL | 1U << CARD, SF_EAUTH,
        "written by the revoked node, brought by a peer", "look-up of the author's card"},
    {REVOKED, 1U << OPENER, NO_SESSION, "by the static key of the revoked node",
        "look-up of the static key"},

    {EXPIRED, ALL_GRANTS | 1U << LETTER | ALL_RECEIPTS | 1U << CANCEL | 1U << CARD, SF_ESTATE,
        "sealed to a prekey that was erased", "look-up of the prekey; the card goes out"},
    {EXPIRED, 1U << OPENER, NO_SESSION, "to a link prekey that was erased",
        "look-up of the prekey"},

    {OTHER_RECIPIENT, ALL_GRANTS | 1U << LETTER | 1U << CANCEL | 1U << CARD, SILENT,
        "sealed to the co-recipient's card", "no hint of this node's"},
    {OTHER_RECIPIENT, ALL_RECEIPTS, SF_EAUTH, "signed for another sender", "sender's name in it"},
    {OTHER_RECIPIENT, 1U << OPENER, NO_SESSION, "made for another node", "mac of the card"},

    {OTHER_TRANSFER, ALL_BUNDLES, SF_EAUTH, "sealed as of another transfer, under the same key",
        "id of the bundle"},
    {OTHER_TRANSFER, ALL_GRANTS, UNCHANGED, "announced as of another transfer",
        "the transfer in it against the announcement"},
    {OTHER_TRANSFER, ALL_RECEIPTS, SF_EAUTH, "for a transfer that was never sent",
        "the sender's own books"},
    {OTHER_TRANSFER, 1U << CANCEL, UNCHANGED, "a co-recipient calls back the sender's transfer",
        "transfers are known by id and sender"},

    {OTHER_INDEX, ALL_BUNDLES, SF_EAUTH, "sealed for the next index", "id of the bundle"},
    {OTHER_INDEX, 1U << HELD | 1U << REFUSED, SF_EFORMAT, "lists a bundle that cannot be",
        "number of slots"},

    {STRIPPED_PSK, 1U << GRANT_PSK, SF_EAUTH, "sealed in base mode where a key is shared",
        "a key is required of that sender"},
    {STRIPPED_PSK, 1U << OPENER, NO_SESSION, "32 zero bytes where a key is shared", "Noise's PSK"},

    {SWAPPED, ALL_BUNDLES, SF_EAUTH, "sealed under the key of another grant", "id of the bundle"},
    {SWAPPED, ALL_GRANTS | 1U << LETTER | 1U << CANCEL, SF_EAUTH,
        "entry of one, body of another, same author and recipient", "AEAD of the body"},
    {SWAPPED, 1U << CARD, UNCHANGED, "another node's true card in its place",
        "fingerprint against the known card"},

    {TRUE_SIGNATURE, ALL_BUNDLES, SF_EAUTH, "a co-recipient keeps siv and signature",
        "siv, computed again"},
    {TRUE_SIGNATURE, ALL_GRANTS | 1U << LETTER, SF_EAUTH,
        "the recipient changes the body under its key", "digest that is signed"},
    {TRUE_SIGNATURE, ALL_RECEIPTS | 1U << CANCEL | 1U << CARD, SF_EAUTH,
        "one bit of what was signed is changed", "signature"},
    {TRUE_SIGNATURE, 1U << OPENER, NO_SESSION, "payload changed, mac made anew", "AEAD of Noise"},

    {OTHER_MANIFEST, 1U << VERIFIED | 1U << FINAL, SF_EAUTH,
        "states another manifest than the sender's", "the sender's own digest"},
    {NO_RECIPIENT, ALL_RECEIPTS, SF_EAUTH, "signed by a peer that it was not sent to",
        "list of recipients"},

    {REPLAY, 1U << GRANT, UNCHANGED, "the grant of a transfer under way once more",
        "the transfer is known"},
    {REPLAY, 1U << GRANT_PSK, SF_EAUTH, "under the rung it was once given under",
        "the rung is gone"},
    {REPLAY, 1U << LETTER, UNCHANGED, "the same letter twice", "what it says is known"},
    {REPLAY, ALL_RECEIPTS, UNCHANGED, "with the generation and counter of one that came",
        "counter"},
    {REPLAY, 1U << CANCEL, UNCHANGED, "of a transfer that has ended", "the tombstone"},
    {REPLAY, 1U << CARD, UNCHANGED, "the issue that is known", "issue"},
    {REPLAY, 1U << OPENER, NO_SESSION, "one that was taken", "macs seen; then the epoch"},
};

/* What makes no sense, or is shown elsewhere, and why. */
static const struct absent {
    enum row row;
    unsigned objects;
    const char *why;
} absents[] = {
    {REVOKED, ALL_BUNDLES, "its transfer has ended and its session is gone: test_node_revoke"},
    {EXPIRED, ALL_BUNDLES, "sealed under a content key, which a prekey only brought"},
    {OTHER_RECIPIENT, ALL_BUNDLES, "one bundle is for all recipients"},
    {OTHER_TRANSFER, 1U << LETTER | 1U << CARD | 1U << OPENER, "names no transfer"},
    {OTHER_INDEX,
        ALL_GRANTS | 1U << LETTER | 1U << VERIFIED | 1U << FINAL | 1U << CANCEL | 1U << CARD |
            1U << OPENER,
        "names no bundle"},
    {STRIPPED_PSK, ALL_BUNDLES, "sealed under a content key; the PSK guards its grant"},
    {STRIPPED_PSK, 1U << GRANT, "none is shared with this sender"},
    {STRIPPED_PSK, 1U << LETTER | ALL_RECEIPTS | 1U << CANCEL | 1U << CARD,
        "letters take no rung; the session around them has the pair's key"},
    {SWAPPED, ALL_RECEIPTS, "has no parts; the letter around it is tried as such"},
    {SWAPPED, 1U << OPENER, "one Noise message: its parts are bound by its hash"},
    {OTHER_MANIFEST, ~(1U << VERIFIED | 1U << FINAL), "states no manifest"},
    {NO_RECIPIENT, ~ALL_RECEIPTS, "not given by a recipient as such"},
    {REPLAY, ALL_BUNDLES, "a session's datagram: test_replay_all, and test_link_guard"},
};

static const char *
outcome_name(int outcome)
{
    switch (outcome) {
    case SILENT:
        return "silence";
    case UNCHANGED:
        return "no change";
    case NO_SESSION:
        return "no session, no byte";
    default:
        return sf_status_text(outcome);
    }
}

static struct lab lab;

/* Each cell stands in exactly one of the two tables. */
static void
test_complete(void)
{
    for (unsigned row = 0; row < ROWS; row++) {
        for (unsigned object = 0; object < OBJECTS; object++) {
            unsigned found = 0;

            for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
                found += attempts[i].row == row && (attempts[i].objects >> object & 1);
            }
            for (size_t i = 0; i < sizeof(absents) / sizeof(absents[0]); i++) {
                found += absents[i].row == row && (absents[i].objects >> object & 1);
            }
            if (found != 1) {
                printf("\n    %s, %s: %u times", row_names[row], object_names[object], found);
            }
            CHECK_EQ(found, 1);
        }
    }
}

static void
try_one(const struct attempt *attempt, unsigned object)
{
    struct sf_digest before;
    struct sf_digest after;
    int outcome;

    sf_world_poke(lab.world, SAT);
    sf_world_poke(lab.world, GROUND);
    lab_peer(&lab, GROUND, SAT)->conf.card = lab.old_cards[SAT];
    if (attempt->row == REPLAY && (object == CARD || object == LETTER)) {
        lab_peer(&lab, GROUND, SAT)->conf.card = lab.cards[SAT];
    }
    before = lab_look(&lab);
    outcome = negative_try(&lab, (enum object)object, attempt->row);
    after = lab_look(&lab);
    printf("\n  %-29s | %-14s | %-64s | %s: %s", row_names[attempt->row], object_names[object],
        attempt->tried, outcome_name(outcome), attempt->refused_by);
    CHECK_EQ(outcome, attempt->outcome);
    CHECK(memcmp(&before, &after, sizeof(before)) == 0);
    CHECK_EQ(lab.leaks, 0);
}

static void
test_cells(void)
{
    unsigned cells = 0;

    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        for (unsigned object = 0; object < OBJECTS; object++) {
            if (attempts[i].objects >> object & 1) {
                try_one(&attempts[i], object);
                cells++;
            }
        }
    }
    for (size_t i = 0; i < sizeof(absents) / sizeof(absents[0]); i++) {
        for (unsigned object = 0; object < OBJECTS; object++) {
            if (absents[i].objects >> object & 1) {
                printf("\n  %-29s | %-14s | %-64s |", row_names[absents[i].row],
                    object_names[object], absents[i].why);
            }
        }
    }
    printf("\n  %u attempts, %u cells without one ", cells, ROWS * OBJECTS - cells);
}

/* Without the one thing that is wrong each of them is taken: so it was that thing. */
static void
test_true_ones(void)
{
    static const struct sf_transfer_id fresh[] = {{{0x81}}, {{0x82}}};
    /* In an order in which each still has something to say. */
    static const enum object news[] = {CARD, HELD, VERIFIED, FINAL, CANCEL};
    struct sf_digest before;
    struct sf_digest after;

    CHECK_EQ(negative_try(&lab, DATA, ROWS), SF_OK);
    CHECK_EQ(negative_try(&lab, OUTLINE, ROWS), SF_OK);
    CHECK_EQ(negative_try(&lab, DIGESTS, ROWS), SF_OK);
    for (unsigned to = SAT; to <= EDGE; to++) {
        before = lab_look(&lab);
        CHECK(negative_give_grant(&lab, to, &fresh[to - SAT]));
        after = lab_look(&lab);
        CHECK(memcmp(&before, &after, sizeof(before)) != 0);
    }
    lab_peer(&lab, GROUND, SAT)->conf.card.issue = 0;
    for (size_t i = 0; i < sizeof(news) / sizeof(news[0]); i++) {
        before = lab_look(&lab);
        if (news[i] == CARD) {
            negative_give_card(&lab);
        } else {
            (void)negative_try(&lab, news[i], ROWS);
        }
        after = lab_look(&lab);
        CHECK(memcmp(&before, &after, sizeof(before)) != 0);
    }
    CHECK_EQ(outbound_find(lab_node(&lab, GROUND), &lab.single)->to[0].record.phase, SF_TO_FINAL);
}

struct wait_done {
    const struct sf_transfer_id *id;
};

static bool
is_done(struct sf_world *world, void *context)
{
    const struct wait_done *wait = context;
    struct sf_node_transfer transfer;

    return sf_world_transfer(world, GROUND, wait->id, &transfer) && transfer.state == SF_NODE_DONE;
}

/* --- Everything recorded, again ------------------------------------------------------------------- */

struct tape {
    struct {
        unsigned from;
        unsigned to;
        size_t bytes;
        uint8_t *data;
    } * dgrams;
    size_t count;
    size_t max;
};

static void
record(void *context, unsigned from, unsigned to, const uint8_t *bytes, size_t count)
{
    struct tape *tape = context;

    if (tape->count == tape->max || to > EDGE) {
        return;
    }
    tape->dgrams[tape->count].from = from;
    tape->dgrams[tape->count].to = to;
    tape->dgrams[tape->count].bytes = count;
    tape->dgrams[tape->count].data = malloc(count);
    REQUIRE(tape->dgrams[tape->count].data != NULL);
    memcpy(tape->dgrams[tape->count].data, bytes, count);
    tape->count++;
}

/* All of it once more, from elsewhere or from where it came; nothing may come of it. */
static void
replay(struct tape *tape, bool from_elsewhere)
{
    struct sf_digest before;
    struct sf_digest after;

    for (unsigned i = 0; i < FORMER; i++) {
        sf_world_poke(lab.world, i);
    }
    before = lab_look(&lab);
    lab.leaks = 0;
    for (size_t i = 0; i < tape->count; i++) {
        struct sf_addr from = from_elsewhere ? lab_nowhere() : sf_world_addr(tape->dgrams[i].from);

        sf_world_inject(
            lab.world, &from, tape->dgrams[i].to, tape->dgrams[i].data, tape->dgrams[i].bytes);
    }
    after = lab_look(&lab);
    CHECK(memcmp(&before, &after, sizeof(before)) == 0);
    CHECK_EQ(lab.leaks, 0);
}

static void
test_replay_all(void)
{
    struct tape tape = {.max = 20000};
    struct sf_node_error error;

    tape.dgrams = calloc(tape.max, sizeof(*tape.dgrams));
    REQUIRE(tape.dgrams != NULL);
    sf_world_tap(lab.world, record, &tape);
    for (unsigned i = 0; i < 60 && tape.count < 2000; i++) {
        sf_world_run(lab.world, sf_world_now(lab.world) + SF_SEC);
    }
    sf_world_tap(lab.world, NULL, NULL);
    CHECK(tape.count >= 2000);
    /* What is under way arrives, so that what is recorded is old. */
    sf_world_run(lab.world, sf_world_now(lab.world) + 2 * SF_SEC);
    replay(&tape, false);
    replay(&tape, true);
    sf_world_crash(lab.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
    REQUIRE_EQ(sf_world_start(lab.world, SAT, &error), SF_OK);
    lab.identities[SAT] = lab_node(&lab, SAT)->identity;
    lab.cards[SAT] = lab_node(&lab, SAT)->card;
    replay(&tape, false);
    replay(&tape, true);
    printf("%zu datagrams, four times ", tape.count);
    for (size_t i = 0; i < tape.count; i++) {
        free(tape.dgrams[i].data);
    }
    free(tape.dgrams);
}

/*
 * An image forgets what came after it, so what was recorded then is new to it: it
 * gets the same bundles and letters once more, signed as they are. Nothing else
 * comes of it, and what is sent anew arrives.
 */
static void
test_replay_to_image(void)
{
    struct tape tape = {.max = 20000};
    struct sf_node_error error;
    struct sf_sim_disk *image = NULL;
    struct sf_transfer_id id;
    struct wait_done wait = {&id};

    tape.dgrams = calloc(tape.max, sizeof(*tape.dgrams));
    REQUIRE(tape.dgrams != NULL);
    lab_open(&lab);
    REQUIRE_EQ(sf_sim_disk_clone(sf_world_disk(lab.world, SAT), &image), SF_OK);
    sf_sim_disk_restart(image, SF_SIM_DAMAGE_KEEP_ALL, 1);
    sf_world_tap(lab.world, record, &tape);
    sf_world_run(lab.world, sf_world_now(lab.world) + 120 * SF_SEC);
    sf_world_tap(lab.world, NULL, NULL);
    CHECK_EQ(outbound_find(lab_node(&lab, GROUND), &lab.shared)->record.phase, SF_OUT_DONE);
    sf_world_crash(lab.world, SAT, SF_SIM_DAMAGE_LOSE_ALL);
    sf_world_replace_disk(lab.world, SAT, image);
    REQUIRE_EQ(sf_world_start(lab.world, SAT, &error), SF_OK);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < tape.count; i++) {
            struct sf_addr from = sf_world_addr(tape.dgrams[i].from);

            if (tape.dgrams[i].to == SAT) {
                sf_world_inject(lab.world, &from, SAT, tape.dgrams[i].data, tape.dgrams[i].bytes);
            }
        }
        sf_world_run(lab.world, sf_world_now(lab.world) + 60 * SF_SEC);
    }
    lab_send(&lab, "source/after", 200000, 1, &id);
    CHECK(sf_world_run_until(lab.world, sf_world_now(lab.world) + 600 * SF_SEC, is_done, &wait));
    /* The sender's books are as they were: nobody takes a receipt back. */
    CHECK_EQ(outbound_find(lab_node(&lab, GROUND), &lab.shared)->record.phase, SF_OUT_DONE);
    CHECK_EQ(sf_node_health(lab_node(&lab, SAT)), SF_OK);
    CHECK_EQ(lab.leaks, 0);
    printf("%zu datagrams, twice ", tape.count);
    for (size_t i = 0; i < tape.count; i++) {
        free(tape.dgrams[i].data);
    }
    free(tape.dgrams);
    lab_close(&lab);
}

static void
test_open(void)
{
    lab_open(&lab);
    lab_retire_prekeys(&lab);
}

static void
test_take_opener(void)
{
    negative_take_opener(&lab);
}

static void
test_close(void)
{
    lab_close(&lab);
}

CHECK_MAIN("the negative matrix",
    {"every cell of the matrix is tried, or says why not", test_complete},
    {"four nodes are in the middle of their work", test_open},
    {"an opener that is right in everything is taken", test_take_opener},
    {"whatever is wrong in one thing is refused, and nothing changes", test_cells},
    {"everything recorded is refused: at once, from elsewhere, and after a power cut",
        test_replay_all},
    {"what is wrong in nothing is taken", test_true_ones}, {"the nodes close", test_close},
    {"an image put back takes what it forgot again, and nothing more", test_replay_to_image})
