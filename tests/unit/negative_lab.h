/*
 * negative_lab.h - four nodes in the middle of their work, for the matrix of
 * what must be refused (test_negative.c).
 *
 * ground sends to sat (with a pre-shared key between them) and to edge (without
 * one), who is thereby a co-recipient and knows the content key; former was a
 * peer of all and is revoked. Time stands still: whatever is tried, `lab_look()` must be the
 * same before and after.
 */
#ifndef SF_TESTS_UNIT_NEGATIVE_LAB_H
#define SF_TESTS_UNIT_NEGATIVE_LAB_H

#include "node/internal.h"
#include "sim/world.h"

enum { GROUND, SAT, EDGE, FORMER, LAB_NODES };

struct lab {
    struct sf_world *world;
    struct sf_identity *identities[LAB_NODES]; /* FORMER's alone is a copy: it does not run */
    struct sf_card cards[LAB_NODES];           /* as they are now */
    struct sf_card old_cards[LAB_NODES];       /* to prekeys that are gone */
    struct sf_transfer_id done;                /* ground to sat, ended */
    struct sf_transfer_id shared;              /* ground to sat and edge, under way */
    struct sf_transfer_id single;              /* ground to sat alone, under way */
    struct sf_rung used; /* of the ladder to sat: what `shared` was granted under */
    uint8_t *object;     /* 4 MiB, for whoever builds one */
    uint8_t *plain;      /* the same */
    unsigned leaks;      /* datagrams to the address that is nobody's, since it was last looked */
};

void lab_open(struct lab *lab);
/* Two months pass at once for the prekeys alone: nothing that goes to old cards can be opened. */
void lab_retire_prekeys(struct lab *lab);
void lab_close(struct lab *lab);

struct sf_node *lab_node(struct lab *lab, unsigned number);
struct peer *lab_peer(struct lab *lab, unsigned number, unsigned other);
const struct sf_random *lab_random(struct lab *lab);

/* Ground sends a file it makes, to sat or (2) to sat and edge. */
void lab_send(struct lab *lab, const char *path, uint64_t bytes, size_t to_count,
    struct sf_transfer_id *ret_id);

/* An address that is no node's. */
struct sf_addr lab_nowhere(void);

/* Everything that counts of every node: transfers, what is held and told, cards, epochs, ladders. */
struct sf_digest lab_look(struct lab *lab);

/* A copy of an identity of the lab that gives itself out as another: its own signature, their name. */
void lab_liar(const struct lab *lab, unsigned signer, unsigned name, struct sf_identity *ret);

/* The use of grants, and of letters, in parcels. */
extern const struct sf_parcel_use lab_grant_use, lab_letter_use;

/*
 * Open the body of a parcel as its recipient, change one byte of its content and
 * close it again under the same key: signature and entry stay the true ones.
 */
void lab_change_body(struct lab *lab, unsigned recipient, const struct sf_parcel_use *use,
    const struct sf_grant_psk_lookup *psks, uint8_t *object, size_t bytes);

/* Replace the body of `object` by that of `other`, which is as long. */
void lab_swap_body(uint8_t *object, const uint8_t *other, size_t bytes);

/* A co-recipient's hand: open a bundle under the content key, change one byte, seal it under the same siv. */
void lab_change_bundle(
    const struct sf_seal *seal, uint64_t index, uint8_t *object, size_t class_bytes);

#endif
