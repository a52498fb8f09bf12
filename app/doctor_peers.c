/*
 * doctor_peers.c - the checks of `skyferry doctor` that concern peers: who
 * answers, and where nobody does, what stands in the way.
 */
#include <config.h>

#include "app/doctor.h"

#include "app/doctor_reach.h"
#include "app/peers.h"
#include "app/resolve.h"
#include "app/text.h"
#include "base/assert.h"
#include "base/time.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUBJECT_BYTES = SF_PEERS_NAME_BYTES_MAX + 6, /* "peer NAME" */
    FOUND_BYTES = 800,
};

struct check {
    struct sf_doctor *doctor;
    const struct sf_peers_peer *peer;
    const json_t *link; /* what the daemon says of it; NULL without one */
    enum sf_doctor_level unanswered;
    char subject[SUBJECT_BYTES];
};

/* --- Where it is ---------------------------------------------------------------- */

static void
add_addr(struct sf_reach *reach, size_t *count, const struct sf_addr *addr)
{
    for (size_t i = 0; i < *count; i++) {
        if (sf_addr_equal(&reach[i].addr, addr)) {
            return;
        }
    }
    if (*count < SF_REACH_MAX) {
        reach[(*count)++].addr = *addr;
    }
}

/* The addresses of a name, as the system gives them now. */
static void
look_up(const struct check *check, const struct sf_endpoint *endpoint, struct sf_reach *reach,
    size_t *count)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(endpoint->host, NULL, &hints, &list);

    if (failed != 0) {
        sf_doctor_report(check->doctor, SF_DOCTOR_WARN, check->subject,
            "ask the name server (getent ahosts NAME), or name an address as its endpoint",
            "cannot look up %s: %s", endpoint->host, gai_strerror(failed));
        return;
    }
    for (const struct addrinfo *entry = list; entry != NULL; entry = entry->ai_next) {
        struct sf_addr addr = {.port = endpoint->port};

        if (entry->ai_family == AF_INET) {
            struct sockaddr_in v4;

            memcpy(&v4, entry->ai_addr, sizeof(v4));
            addr = sf_addr_v4(ntohl(v4.sin_addr.s_addr), endpoint->port);
        } else {
            struct sockaddr_in6 v6;

            memcpy(&v6, entry->ai_addr, sizeof(v6));
            memcpy(addr.ip, &v6.sin6_addr, sizeof(addr.ip));
        }
        add_addr(reach, count, &addr);
    }
    freeaddrinfo(list);
}

static size_t
places_of(const struct check *check, struct sf_reach reach[SF_REACH_MAX])
{
    const struct sf_endpoints *endpoints = &check->peer->endpoints;
    size_t count = 0;

    for (size_t i = 0; i < endpoints->count; i++) {
        struct sf_addr addr;

        if (sf_endpoint_numeric(&endpoints->list[i], &addr)) {
            add_addr(reach, &count, &addr);
        } else {
            look_up(check, &endpoints->list[i], reach, &count);
        }
    }
    return count;
}

/* --- What stands in the way ------------------------------------------------------- */

static const struct {
    const char *words;
    const char *advice;
} verdicts[] = {
    [SF_REACH_SILENT] = {"nothing comes back at all",
        "the machine is off, or a firewall on the way drops everything: try ping and traceroute,\n"
        "and let UDP through to and from that port"},
    [SF_REACH_NO_FAMILY] = {"this machine has no such kind of address",
        "name an endpoint of the other kind (IPv4 or IPv6) as well"},
    [SF_REACH_NO_ROUTE] = {"there is no way there",
        "connect the interface that leads there, or add a route (ip route)"},
    [SF_REACH_FORBIDDEN] = {"this machine's own firewall forbids it",
        "let UDP out to that port in this machine's firewall (nft list ruleset)"},
    [SF_REACH_NARROW] = {"the interface takes no datagrams of 1,200 bytes",
        "raise the interface's MTU to 1,280 at least (ip link set DEVICE mtu 1500)"},
    [SF_REACH_UDP_DROPPED] = {"a machine is there, but UDP gets no answer",
        "a firewall that drops UDP is likely: let it through to and from that port, at both ends.\n"
        "Or the peer does not know this node: there, `skyferry peer list` must show it"},
    [SF_REACH_NOT_OPEN] = {"a machine is there, and nobody listens on that UDP port",
        "start skyferryd there, or correct the port: skyferry peer add NAME --endpoint HOST:PORT"},
};

static void
report_places(const struct check *check, const struct sf_reach *reach, size_t count)
{
    enum sf_reach_verdict most = SF_REACH_SILENT;
    char found[FOUND_BYTES] = "";
    bool has_daemon = check->link != NULL;

    for (size_t i = 0; i < count; i++) {
        char addr[SF_UDP_ADDR_TEXT_BYTES];
        size_t at = strlen(found);

        most = reach[i].verdict > most ? reach[i].verdict : most;
        sf_udp_addr_print(&reach[i].addr, addr);
        (void)snprintf(found + at, sizeof(found) - at, "%s%s%s%s (%s)", i > 0 ? "; " : "", addr,
            reach[i].local[0] != '\0' ? " from " : "", reach[i].local,
            verdicts[reach[i].verdict].words);
    }
    if (!has_daemon && (most == SF_REACH_SILENT || most == SF_REACH_UDP_DROPPED)) {
        /* No node answers a stranger's datagram: without the daemon nobody can tell. */
        sf_doctor_report(check->doctor, SF_DOCTOR_NOTE, check->subject,
            "start skyferryd, and ask again", "cannot tell whether it answers: no daemon runs");
        return;
    }
    sf_doctor_report(check->doctor, check->unanswered, check->subject, verdicts[most].advice,
        "%s at %s: %s", has_daemon ? "no answer" : "not to be reached",
        count == 1 ? "its endpoint" : "any endpoint", found);
}

/* It has endpoints and does not answer. */
static void
check_ways(const struct check *check)
{
    struct sf_reach reach[SF_REACH_MAX];
    size_t count = places_of(check, reach);

    if (count == 0) {
        return; /* no name could be looked up, which was said */
    }
    sf_reach_try(reach, count);
    report_places(check, reach, count);
}

/* --- Each peer ------------------------------------------------------------------- */

static void
report_up(const struct check *check)
{
    uint64_t rtt_ns = sf_cli_number(check->link, "rtt_ns", 0);
    const char *address = sf_cli_string(check->link, "address", "?");

    if (sf_cli_bool(check->link, "is_narrow")) {
        sf_doctor_report(check->doctor, SF_DOCTOR_FAIL, check->subject,
            "find the link or tunnel on the way whose MTU is below 1,228 (IPv6: 1,248), and raise "
            "it",
            "answers at %s, but no datagram of 1,200 bytes comes through: nothing can be sent",
            address);
        return;
    }
    sf_doctor_report(check->doctor, SF_DOCTOR_OK, check->subject, NULL,
        "answers at %s, round trip %llu.%llu ms", address, (unsigned long long)(rtt_ns / SF_MS),
        (unsigned long long)(rtt_ns % SF_MS / (SF_MS / 10)));
}

/* It is not called from here. */
static void
report_waiting(const struct check *check)
{
    bool was_heard = strcmp(sf_cli_string(check->link, "state", "never"), "never") != 0;

    sf_doctor_report(check->doctor, was_heard ? SF_DOCTOR_NOTE : check->unanswered, check->subject,
        "it must call: there, `skyferry peer add` with this machine as --endpoint; or name its "
        "own\n"
        "endpoint here. UDP must come in at the port that `listen` names",
        "%s, and has no endpoint here", was_heard ? "does not call now" : "has not called yet");
}

static void
check_one(const struct check *check)
{
    const char *reach = sf_cli_string(check->link, "reach", "always");

    if (check->link != NULL && strcmp(sf_cli_string(check->link, "state", ""), "up") == 0) {
        report_up(check);
    } else if (check->peer->no_return) {
        sf_doctor_report(check->doctor, SF_DOCTOR_NOTE, check->subject, NULL,
            "a one-way link: nothing comes back that could be looked for");
    } else if (strcmp(reach, "silent") == 0 || strcmp(reach, "called") == 0) {
        sf_doctor_report(check->doctor, SF_DOCTOR_NOTE, check->subject,
            "see its plan: skyferry contacts", "not in contact now, by its plan");
    } else if (check->peer->endpoints.count == 0) {
        report_waiting(check);
    } else {
        check_ways(check);
    }
}

/* What the daemon says of `name`; NULL if none runs. */
static const json_t *
link_of(const json_t *answer, const char *name)
{
    const json_t *peer;
    size_t i;

    json_array_foreach(json_object_get(answer, "peers"), i, peer)
    {
        if (strcmp(sf_cli_string(peer, "name", ""), name) == 0) {
            return json_object_get(peer, "link");
        }
    }
    return NULL;
}

static json_t *
ask_daemon(const struct sf_doctor *doctor)
{
    struct sf_client_error error;
    struct sf_client *client = NULL;
    json_t *answer = NULL;

    if (sf_client_open(doctor->cli->home_path, &client) == SF_OK) {
        if (sf_client_do(client, &(struct sf_client_call){"GET", "/v1/peers", NULL}, &answer,
                &error) != SF_OK) {
            answer = NULL; /* which check_daemon() tells */
        }
        sf_client_close(client);
    }
    return answer;
}

void
sf_doctor_peers(struct sf_doctor *doctor, const char *only)
{
    struct sf_app_error error = {0};
    struct sf_peers_peer *peers = NULL;
    struct sf_home home;
    bool is_found = false;
    size_t count = 0;
    json_t *answer;

    if (sf_home_open(doctor->cli->home_path, &home, &error) != SF_OK) {
        return; /* sf_doctor_node() tells */
    }
    if (sf_peers_read_all(&home, &peers, &count, &error) != SF_OK) {
        count = 0;
    }
    answer = ask_daemon(doctor);
    for (size_t i = 0; i < count; i++) {
        struct check check = {.doctor = doctor,
            .peer = &peers[i],
            .link = link_of(answer, peers[i].name),
            .unanswered = only != NULL ? SF_DOCTOR_FAIL : SF_DOCTOR_WARN};

        if (only == NULL || strcmp(only, peers[i].name) == 0) {
            (void)snprintf(check.subject, sizeof(check.subject), "peer %s", peers[i].name);
            check_one(&check);
            is_found = true;
        }
    }
    if (only != NULL && !is_found) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "peer", "skyferry peer list shows them all",
            "there is none of that name: %.63s", only);
    }
    json_decref(answer);
    sf_peers_free(peers, count);
    sf_home_close(&home);
}
