/*
 * daemon_plan.c - contact plans of peers: from peers/NAME.plan to the node, and
 * the look-up of gateways' names.
 */
#include "app/daemon.h"

#include "app/log.h"
#include "node/contacts.h"

#include <stdlib.h>
#include <string.h>

/* The names of gateways are looked up when the plan is read, and now and then. */
#define LOOKUP_SPAN       (900 * SF_SEC)
#define LOOKUP_SPAN_AGAIN (30 * SF_SEC)

struct gateway {
    bool is_resolved;
    struct sf_addr addr;
    sf_mono lookup_at; /* SF_NEVER if it is an address as it stands */
    uint64_t tag;
};

struct sf_daemon_plan {
    struct sf_plan plan;
    struct gateway gateways[SF_PLAN_GATEWAYS_MAX];
};

/* --- To the node --------------------------------------------------------------------- */

/*
 * The contacts as they are known. A gateway whose name was not found yet gives
 * its contacts to the peer's own endpoint: the operator named that, too.
 */
static struct sf_node_contact *
contacts_of(const struct sf_daemon_plan *plan)
{
    struct sf_node_contact *contacts = calloc(plan->plan.leg_count, sizeof(*contacts));

    for (size_t i = 0; contacts != NULL && i < plan->plan.leg_count; i++) {
        const struct sf_contact_leg *leg = &plan->plan.legs[i];
        uint32_t gateway = plan->plan.way_gateway[leg->way];
        struct sf_node_contact *contact = &contacts[i];

        contact->start = leg->start;
        contact->end = leg->end;
        contact->rate_bps = leg->rate_bps;
        contact->light_ns = leg->light_us * SF_US;
        contact->no_return = leg->no_return;
        if (gateway != SF_PLAN_NONE && plan->gateways[gateway].is_resolved) {
            contact->has_endpoint = true;
            contact->endpoint = plan->gateways[gateway].addr;
        }
    }
    return contacts;
}

int
sf_daemon_plan_give(
    struct sf_daemon *daemon, const struct sf_daemon_peer *peer, struct sf_app_error *error)
{
    struct sf_node_contact *contacts;
    struct sf_node_error why;
    int status;

    if (peer->plan == NULL) {
        status = sf_node_contacts_clear(daemon->node, peer->conf.name, &why);
        /* A one-way peer whose name is not found yet is not in the node. */
        return status == SF_OK || status == SF_ENOENT
                   ? SF_OK
                   : sf_app_error_set(error, status, "%s", why.text);
    }
    contacts = contacts_of(peer->plan);
    if (contacts == NULL) {
        return sf_app_error_set(
            error, SF_ENOMEM, "peer %s: no memory for its plan", peer->conf.name);
    }
    status = sf_node_contacts_set(
        daemon->node, peer->conf.name, contacts, peer->plan->plan.leg_count, &why);
    free(contacts);
    if (status != SF_OK && !(status == SF_ENOENT && peer->conf.no_return)) {
        return sf_app_error_set(error, status, "%s", why.text);
    }
    return SF_OK;
}

/* --- Reading ---------------------------------------------------------------------------- */

void
sf_daemon_plan_free(struct sf_daemon_plan *plan)
{
    if (plan != NULL) {
        sf_plan_fini(&plan->plan);
        free(plan);
    }
}

/* A plan from the text of its file, with its gateways that are addresses. */
static int
make(struct sf_daemon *daemon, const char *file, struct sf_view text,
    struct sf_daemon_plan **ret_plan, struct sf_app_error *error)
{
    struct sf_daemon_plan *plan = calloc(1, sizeof(*plan));
    int status;

    if (plan == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "%s: no memory for the plan", file);
    }
    status = sf_plan_parse(file, text, &plan->plan, error);
    if (status != SF_OK) {
        free(plan);
        return status;
    }
    for (size_t i = 0; i < plan->plan.gateway_count; i++) {
        struct gateway *gateway = &plan->gateways[i];

        gateway->tag = ++daemon->tag_last;
        gateway->is_resolved =
            sf_endpoint_numeric(&plan->plan.gateways[i].endpoint, &gateway->addr);
        gateway->lookup_at = gateway->is_resolved ? SF_NEVER : daemon->now;
    }
    *ret_plan = plan;
    return SF_OK;
}

/* Gateways that the plan before knew, too, keep their addresses: a contact that is on goes on. */
static void
inherit(struct sf_daemon_plan *plan, const struct sf_daemon_plan *before)
{
    for (size_t i = 0; before != NULL && i < plan->plan.gateway_count; i++) {
        const struct sf_endpoint *endpoint = &plan->plan.gateways[i].endpoint;

        for (size_t k = 0; k < before->plan.gateway_count; k++) {
            const struct sf_endpoint *known = &before->plan.gateways[k].endpoint;

            if (before->gateways[k].is_resolved && !plan->gateways[i].is_resolved &&
                known->port == endpoint->port && strcmp(known->host, endpoint->host) == 0) {
                plan->gateways[i].is_resolved = true;
                plan->gateways[i].addr = before->gateways[k].addr;
            }
        }
    }
}

/* `plan` (NULL: none) in place of the peer's, here and in the node; on a failure nothing changed. */
static int
replace(struct sf_daemon *daemon, struct sf_daemon_peer *peer, struct sf_daemon_plan *plan,
    struct sf_app_error *error)
{
    struct sf_daemon_plan *before = peer->plan;
    int status;

    if (plan != NULL) {
        inherit(plan, before);
    }
    peer->plan = plan;
    status = sf_daemon_plan_give(daemon, peer, error);
    if (status == SF_OK) {
        sf_daemon_plan_free(before);
    } else {
        peer->plan = before;
    }
    return status;
}

int
sf_daemon_plan_load(
    struct sf_daemon *daemon, struct sf_daemon_peer *peer, struct sf_app_error *error)
{
    struct sf_daemon_plan *plan = NULL;
    char path[SF_PLAN_PATH_BYTES];
    uint8_t *text;
    size_t bytes;
    int status = sf_plan_read(&daemon->home, peer->conf.name, &text, &bytes, error);

    if (status == SF_ENOENT) {
        return replace(daemon, peer, NULL, error);
    }
    if (status != SF_OK) {
        return status;
    }
    sf_plan_path(peer->conf.name, path);
    status = make(daemon, path, sf_view(text, bytes), &plan, error);
    free(text);
    if (status == SF_OK) {
        status = replace(daemon, peer, plan, error);
    }
    if (status != SF_OK) {
        sf_daemon_plan_free(plan);
    }
    return status;
}

/* --- Changes --------------------------------------------------------------------------- */

static struct sf_daemon_peer *
find(struct sf_daemon *daemon, const char *name, struct sf_app_error *error)
{
    struct sf_daemon_peer *peer = sf_daemon_peer_find(daemon, name);

    if (peer == NULL) {
        (void)sf_app_error_set(
            error, SF_ENOENT, "there is no peer %.63s: `skyferry peer list` lists them", name);
    }
    return peer;
}

int
sf_daemon_plan_put(
    struct sf_daemon *daemon, const char *name, struct sf_view text, struct sf_app_error *error)
{
    struct sf_daemon_peer *peer = find(daemon, name, error);
    struct sf_daemon_plan *plan = NULL;
    char path[SF_PLAN_PATH_BYTES];
    int status;

    if (peer == NULL) {
        return error->status;
    }
    sf_plan_path(name, path);
    status = make(daemon, path, text, &plan, error);
    if (status == SF_OK) {
        /* Written first: what the disk says after a restart is what holds now. */
        status = sf_plan_write(&daemon->home, name, text, error);
        if (status == SF_OK) {
            status = replace(daemon, peer, plan, error);
        }
        if (status != SF_OK) {
            sf_daemon_plan_free(plan);
        }
    }
    return status;
}

int
sf_daemon_plan_delete(struct sf_daemon *daemon, const char *name, struct sf_app_error *error)
{
    struct sf_daemon_peer *peer = find(daemon, name, error);
    int status;

    if (peer == NULL) {
        return error->status;
    }
    status = sf_plan_remove(&daemon->home, name, error);
    if (status != SF_OK && status != SF_ENOENT) {
        return status;
    }
    return replace(daemon, peer, NULL, error);
}

/* --- Names of gateways -------------------------------------------------------------------- */

sf_mono
sf_daemon_plans_tick(struct sf_daemon *daemon)
{
    sf_mono next = SF_NEVER;

    for (size_t i = 0; i < daemon->peer_count; i++) {
        struct sf_daemon_plan *plan = daemon->peers[i].plan;

        for (size_t k = 0; plan != NULL && k < plan->plan.gateway_count; k++) {
            struct gateway *gateway = &plan->gateways[k];

            if (gateway->lookup_at <= daemon->now) {
                int asked = sf_resolver_ask(
                    daemon->resolver, gateway->tag, &plan->plan.gateways[k].endpoint);

                gateway->lookup_at =
                    daemon->now + (asked == SF_OK ? LOOKUP_SPAN : LOOKUP_SPAN_AGAIN);
            }
            next = sf_mono_min(next, gateway->lookup_at);
        }
    }
    return next;
}

static void
take(struct sf_daemon *daemon, struct sf_daemon_peer *peer, size_t number,
    const struct sf_resolver_answer *answer)
{
    const struct sf_plan_gateway *conf = &peer->plan->plan.gateways[number];
    struct gateway *gateway = &peer->plan->gateways[number];
    struct sf_app_error why;

    if (answer->count == 0) {
        gateway->lookup_at = sf_mono_min(gateway->lookup_at, daemon->now + LOOKUP_SPAN_AGAIN);
        sf_log(SF_LOG_WARNING, "peer %s: gateway %s: cannot look up %s: %s", peer->conf.name,
            conf->node, conf->endpoint.host, answer->why);
        return;
    }
    if (gateway->is_resolved && sf_addr_equal(&gateway->addr, &answer->addrs[0])) {
        return;
    }
    gateway->addr = answer->addrs[0];
    gateway->is_resolved = true;
    if (sf_daemon_plan_give(daemon, peer, &why) != SF_OK) {
        sf_log(SF_LOG_WARNING, "peer %s: %s", peer->conf.name, why.text);
    }
}

bool
sf_daemon_plan_answer(struct sf_daemon *daemon, const struct sf_resolver_answer *answer)
{
    for (size_t i = 0; i < daemon->peer_count; i++) {
        struct sf_daemon_peer *peer = &daemon->peers[i];

        for (size_t k = 0; peer->plan != NULL && k < peer->plan->plan.gateway_count; k++) {
            if (peer->plan->gateways[k].tag == answer->tag) {
                take(daemon, peer, k, answer);
                return true;
            }
        }
    }
    return false;
}
