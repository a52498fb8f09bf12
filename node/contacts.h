/*
 * contacts.h - when peers can be reached: the contact plan as the node follows it.
 *
 * A peer without a plan is sent to whenever there is something to say. With
 * one, nothing leaves for it but within its contacts, which are intervals of
 * wall time on this node's clock: an opener and bulk behind it as a contact
 * begins, at the contact's rate, and silence from the moment on at which a
 * datagram's last bit would leave after the end. Between contacts no timer
 * runs and no beacon goes out. What comes in is taken at any time.
 *
 * The engine gets both clocks with every tick and works out anew where in the
 * plan it stands, so that a wall clock that jumps costs at most the contact it
 * was wrong in. After its last contact a peer gets a beacon an hour at most,
 * and is answered when it calls.
 */
#ifndef SF_NODE_CONTACTS_H
#define SF_NODE_CONTACTS_H

#include "node/node.h"

enum {
    SF_NODE_CONTACTS_MAX = 65536,    /* of one peer */
    SF_NODE_CONTACTS_PAST_MAX = 256, /* remembered with what they carried */
};

struct sf_node_contact {
    struct sf_wall start;
    struct sf_wall end;      /* the last bit has left by then */
    uint64_t rate_bps;       /* IP bits a second, in place of the peer's */
    uint64_t light_ns;       /* one way; 0: not known */
    bool has_endpoint;       /* reached at `endpoint`, a gateway perhaps; else at the peer's own */
    struct sf_addr endpoint; /* authorised by the plan */
    bool no_return;          /* nothing comes back in this contact */
};

/*
 * The peer called `name` is reached in these contacts, in order of time and
 * none overlapping (copied), and at no other time, from the next tick on. A
 * contact that is on goes on if it is in the new plan too.
 *
 * Returns SF_OK; SF_ENOENT (no such peer), SF_EINVAL (no contact, or one with a
 * bad value, or out of order), SF_ELIMIT, SF_ENOMEM; *error says which contact.
 * On failure nothing changed.
 */
SF_MUST_USE int sf_node_contacts_set(struct sf_node *node, const char *name,
    const struct sf_node_contact *contacts, size_t count, struct sf_node_error *error);

/* The peer is reached at any time again. SF_OK, also without a plan; SF_ENOENT. */
SF_MUST_USE int sf_node_contacts_clear(
    struct sf_node *node, const char *name, struct sf_node_error *error);

/* What went over the link in a contact, as far as this run of the node has seen it. */
struct sf_node_carried {
    uint64_t bytes_out;   /* IP bytes, of all kinds */
    uint64_t bytes_in;    /* up to the next contact: what was under way at the end is in it */
    uint64_t bundles_out; /* that signed receipts came for */
    uint64_t bundles_in;  /* that arrived whole */
    struct sf_wall heard; /* when the peer was heard first; 0: it was not */
};

/*
 * A contact of the peer that has begun: 0 is the latest, the one that is on
 * included. False beyond what is remembered, or if there is no such peer.
 */
bool sf_node_contact_past(const struct sf_node *node, const char *name, size_t index,
    struct sf_node_contact *ret_contact, struct sf_node_carried *ret_carried);

/* A contact still to come: 0 is the next, the one that is on not included. */
bool sf_node_contact_next(const struct sf_node *node, const char *name, size_t index,
    struct sf_node_contact *ret_contact);

/* How many of these there are. */
size_t sf_node_contacts_to_come(const struct sf_node *node, const char *name);

enum sf_node_contacts_state {
    SF_NODE_CONTACTS_NONE,  /* no plan: always, or when it calls */
    SF_NODE_CONTACTS_OPEN,  /* a contact is on: sf_node_contact_past(0) */
    SF_NODE_CONTACTS_AWAIT, /* the next one is awaited */
    SF_NODE_CONTACTS_ENDED, /* the last one is over */
};
enum sf_node_contacts_state sf_node_contacts_state(const struct sf_node *node, const char *name);

/*
 * When `bytes` IP bytes that may leave from `now` on will all have arrived, if
 * the contacts carry them at their rates and nothing is lost.
 *
 * Returns SF_OK; SF_ENOENT without a peer or a plan; SF_ELIMIT if the plan ends
 * before: then *ret_arrival is when its last contact ends.
 */
SF_MUST_USE int sf_node_contacts_arrival(const struct sf_node *node, const char *name,
    uint64_t bytes, struct sf_wall now, struct sf_wall *ret_arrival);

/*
 * The same for what is left of outgoing transfer `id` to that peer, behind
 * what goes to it before: of better priority, of an earlier deadline, or as urgent and older. SF_ENOENT
 * also if nothing of the transfer is open there.
 */
SF_MUST_USE int sf_node_contacts_eta(const struct sf_node *node, const char *name,
    const struct sf_transfer_id *id, struct sf_wall now, struct sf_wall *ret_arrival);

#endif
