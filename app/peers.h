/*
 * peers.h - the peers of a node as the operator wrote them down: the files
 * peers/NAME.conf, peers/NAME.card and peers/NAME.psk; plan.h has NAME.plan.
 *
 * A peer exists if its NAME.conf does; it is written last and removed first,
 * so a crash leaves the old peer, the new one, or files that mean nothing.
 * The command line uses this while no daemon runs (under the home's lock), the
 * daemon at start, at SIGHUP and for PUT and DELETE.
 */
#ifndef SF_APP_PEERS_H
#define SF_APP_PEERS_H

#include "app/config.h"
#include "app/endpoint.h"
#include "app/error.h"
#include "app/home.h"
#include "app/mark.h"
#include "app/units.h"
#include "base/bytes.h"
#include "bundle/card.h"
#include "link/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SF_PEERS_MAX = 64,
    SF_PEERS_NAME_BYTES_MAX = 63, /* without the NUL */
    SF_PEERS_PSK_BYTES = 32,
};

#define SF_PEERS_RATE_BPS_DEFAULT UINT64_C(100000000)
#define SF_PEERS_RATE_BPS_MIN     UINT64_C(1000)
#define SF_PEERS_RATE_BPS_MAX     UINT64_C(100000000000)
#define SF_PEERS_RATE_FORM        "adaptive, scavenger, or " SF_UNITS_RATE_FORM ", from 1kbit to 100Gbit"
#define SF_PEERS_RATE_ONE_WAY                                                                      \
    "return = none needs a rate: where nothing comes back none can be found"
#define SF_PEERS_RTT_FORM   SF_UNITS_DURATION_FORM ", from 1ms to 4h, or none"
#define SF_PEERS_ALLOW_FORM "send, receive, send,receive or none"

#define SF_PEERS_PRIVACY_FORM        SF_CONFIG_PRIVACY_FORM ", or default"
#define SF_PEERS_PRIVACY_BUDGET_FORM SF_UNITS_SIZE_FORM ", or default"
#define SF_PEERS_ONE_WAY                                                                           \
    "return = none needs an endpoint: where nothing comes back no address can be learnt"

struct sf_peers_peer {
    char name[SF_PEERS_NAME_BYTES_MAX + 1];
    struct sf_card card;
    uint8_t card_encoded[SF_CARD_BYTES_MAX]; /* the same as its node signed it */
    size_t card_bytes;
    struct sf_endpoints endpoints; /* where it is reached, tried in turn; none: it calls */
    enum sf_link_pace pace;
    uint64_t rate_bps;     /* FIXED: IP bits a second towards it */
    uint64_t rate_max_bps; /* never more than this; 0 = no such ceiling */
    uint64_t rtt_ns;       /* round trip, until it is measured; 0 = not known */
    bool has_dscp;         /* else the default: le for a scavenger, 0 for others */
    uint8_t dscp;
    char interface[SF_MARK_INTERFACE_BYTES_MAX + 1]; /* its datagrams leave by; "" = any */
    bool may_send;                                   /* it may send to this node */
    bool may_receive;                                /* this node may send to it */
    uint64_t quota_bytes;                            /* 0 = the node's default */
    bool has_privacy;                                /* else the node's default */
    enum sf_node_privacy privacy;
    bool has_privacy_budget; /* else the node's default */
    uint64_t privacy_budget_bytes;
    bool has_psk;
    uint8_t psk[SF_PEERS_PSK_BYTES]; /* all zeros: what is left of it is in the node's vault */
    bool no_return;                  /* a one-way link: nothing ever comes back */
};

/* A peer without name and card, with every default. Wipe it after use if it has a psk. */
void sf_peers_peer_init(struct sf_peers_peer *peer);

/* Whether `name` may name a peer: 1 .. 63 of [A-Za-z0-9._-], not beginning with '.' or '-'. */
bool sf_peers_name_is_valid(const char *name);

/*
 * Give `peer` the card in `text` (one line, blanks around it are skipped), its
 * signature verified. SF_EFORMAT or SF_EAUTH, with *error filled and *peer unchanged.
 */
SF_MUST_USE int sf_peers_card_parse(
    struct sf_view text, struct sf_peers_peer *peer, struct sf_app_error *error);

/* The card of `peer` as one line of text; false if it has none. */
bool sf_peers_card_print(const struct sf_peers_peer *peer, char ret_text[SF_CARD_TEXT_BYTES_MAX]);

/* Parse "adaptive", "scavenger" or a rate onto *peer. SF_EFORMAT, *peer unchanged. */
SF_MUST_USE int sf_peers_rate_parse(const char *text, struct sf_peers_peer *peer);

/* Parse "1Gbit" or "none". SF_EFORMAT. */
SF_MUST_USE int sf_peers_rate_max_parse(const char *text, uint64_t *ret_bps);

/* Parse "40min" or "none". SF_EFORMAT. */
SF_MUST_USE int sf_peers_rtt_parse(const char *text, uint64_t *ret_ns);

/* Parse the words of sf_config_privacy_parse(), or "default"; a size, or "default". SF_EFORMAT. */
SF_MUST_USE int sf_peers_privacy_parse(const char *text, struct sf_peers_peer *peer);
SF_MUST_USE int sf_peers_privacy_budget_parse(const char *text, struct sf_peers_peer *peer);

/* "adaptive", "scavenger" or the rate. */
void sf_peers_rate_print(const struct sf_peers_peer *peer, char ret_text[SF_UNITS_TEXT_BYTES]);

/* What the engine is given as its rate: the fixed one or, for a found one, the ceiling. */
uint64_t sf_peers_rate_given(const struct sf_peers_peer *peer);

/* Parse "send,receive". SF_EFORMAT. */
SF_MUST_USE int sf_peers_allow_parse(const char *text, bool *ret_send, bool *ret_receive);
const char *sf_peers_allow_print(bool may_send, bool may_receive);

/* Parse 64 hex digits (blanks around them are skipped). SF_EFORMAT. */
SF_MUST_USE int sf_peers_psk_parse(struct sf_view text, uint8_t ret_psk[SF_PEERS_PSK_BYTES]);

/*
 * Parse the text of a NAME.conf onto *peer (which has its defaults or older
 * values); card and psk are not touched, but has_psk says whether a psk is
 * named and `ret_psk_file` (SF_HOME_PATH_BYTES_MAX + 1 bytes) which. *peer is
 * changed on SF_OK only. `file` is for messages. SF_EFORMAT, with
 * file, line, value and the accepted form in *error.
 */
SF_MUST_USE int sf_peers_conf_parse(const char *file, struct sf_view text,
    struct sf_peers_peer *peer, char *ret_psk_file, struct sf_app_error *error);

/*
 * Read one peer. Returns SF_OK; SF_ENOENT (no such conf); SF_EFORMAT or
 * SF_EAUTH (a damaged card, a bad line, a psk others may read), *error names
 * the file.
 */
SF_MUST_USE int sf_peers_read(const struct sf_home *home, const char *name,
    struct sf_peers_peer *ret_peer, struct sf_app_error *error);

/*
 * Read all, sorted by name, into a list the caller frees with
 * sf_peers_free(). One bad peer fails the whole reading: a node that silently
 * left a peer out would be found out days later. Errors as above, SF_ELIMIT
 * beyond SF_PEERS_MAX, SF_ENOMEM.
 */
SF_MUST_USE int sf_peers_read_all(const struct sf_home *home, struct sf_peers_peer **ret_peers,
    size_t *ret_count, struct sf_app_error *error);

/* Wipe the keys in it and free the list; NULL is allowed. */
void sf_peers_free(struct sf_peers_peer *peers, size_t count);

/*
 * Write one peer, durably, replacing what was there under this name. The
 * caller holds the home's lock. SF_EINVAL (name, or one-way without endpoint), SF_ENOSPC, SF_EAUTH, SF_EIO.
 */
SF_MUST_USE int sf_peers_write(
    const struct sf_home *home, const struct sf_peers_peer *peer, struct sf_app_error *error);

/* Remove one peer, durably. SF_ENOENT and the errors above. */
SF_MUST_USE int sf_peers_remove(
    const struct sf_home *home, const char *name, struct sf_app_error *error);

#endif
