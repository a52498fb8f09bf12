#include "app/daemon.h"

#include "app/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_BYTES = 2 * sizeof(struct sf_transfer_id) + 1,
};

/* A meter tells nothing if its newest sample is older. */
#define METER_SPAN_MAX (5 * SF_SEC)
#define SAMPLE_SPAN    SF_SEC

int
sf_daemon_news_open(struct sf_daemon *daemon)
{
    daemon->news = calloc(SF_DAEMON_NEWS_MAX, sizeof(*daemon->news));
    daemon->watched = calloc(SF_DAEMON_WATCHED_MAX, sizeof(*daemon->watched));
    daemon->scratch = calloc(1, sizeof(*daemon->scratch));
    if (daemon->news == NULL || daemon->watched == NULL || daemon->scratch == NULL) {
        return SF_ENOMEM;
    }
    /* Above all numbers of the run before, so that a reader of old ones sees the break. */
    daemon->news_next = (uint64_t)(daemon->wall.ms < 1 ? 1 : daemon->wall.ms);
    daemon->news_first = daemon->news_next;
    return SF_OK;
}

void
sf_daemon_news_close(struct sf_daemon *daemon)
{
    for (size_t i = 0; i < daemon->watched_count; i++) {
        free(daemon->watched[i].meters);
    }
    free(daemon->news);
    free(daemon->watched);
    free(daemon->scratch);
    daemon->news = NULL;
    daemon->watched = NULL;
    daemon->scratch = NULL;
}

static void
transfer_text(const struct sf_transfer_id *id, char ret_text[TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof(id->b); i++) {
        ret_text[2 * i] = digits[id->b[i] >> 4];
        ret_text[2 * i + 1] = digits[id->b[i] & 15];
    }
    ret_text[2 * sizeof(id->b)] = '\0';
}

static void
log_event(const struct sf_node_event *event)
{
    static const struct sf_transfer_id none;
    enum sf_log_level level = event->kind == SF_NODE_EVENT_WARNING ? SF_LOG_WARNING : SF_LOG_INFO;
    char id[TEXT_BYTES];
    const char *blank = event->peer[0] == '\0' ? "" : " ";

    if (sf_transfer_equal(&event->transfer, &none)) {
        sf_log(level, "%s%s%s%s", event->peer[0] == '\0' ? "" : "peer ", event->peer,
            event->peer[0] == '\0' ? "" : ": ", event->text);
        return;
    }
    transfer_text(&event->transfer, id);
    sf_log(level, "transfer %.8s%s%s: %s", id, blank, event->peer, event->text);
}

bool
sf_daemon_news_collect(struct sf_daemon *daemon)
{
    static const struct sf_transfer_id none;
    bool is_any = false;

    for (;;) {
        struct sf_daemon_news *news = &daemon->news[daemon->news_next % SF_DAEMON_NEWS_MAX];
        struct sf_node_event event;

        if (!sf_node_event(daemon->node, &event)) {
            return is_any;
        }
        is_any = true;
        news->number = daemon->news_next++;
        news->time = daemon->wall;
        news->event = event;
        log_event(&event);
        if (!sf_transfer_equal(&event.transfer, &none)) {
            sf_daemon_news_watch(daemon, &event.transfer);
        }
    }
}

/* --- Rates -------------------------------------------------------------------- */

static bool
is_open(const struct sf_node_transfer *transfer)
{
    return transfer->state != SF_NODE_DONE && transfer->state != SF_NODE_FAILED &&
           transfer->state != SF_NODE_CANCELLED;
}

static struct sf_daemon_watched *
find_watched(const struct sf_daemon *daemon, const struct sf_transfer_id *id)
{
    for (size_t i = 0; i < daemon->watched_count; i++) {
        if (sf_transfer_equal(&daemon->watched[i].id, id)) {
            return &daemon->watched[i];
        }
    }
    return NULL;
}

void
sf_daemon_news_watch(struct sf_daemon *daemon, const struct sf_transfer_id *id)
{
    struct sf_daemon_watched *watched;
    size_t count;

    if (find_watched(daemon, id) != NULL || daemon->watched_count == SF_DAEMON_WATCHED_MAX ||
        !sf_node_transfer_find(daemon->node, id, daemon->scratch) || !is_open(daemon->scratch)) {
        return;
    }
    count = daemon->scratch->outgoing ? daemon->scratch->recipient_count : 1;
    watched = &daemon->watched[daemon->watched_count];
    watched->meters = calloc(count == 0 ? 1 : count, sizeof(*watched->meters));
    if (watched->meters == NULL) {
        return; /* a rate that is not shown, no more */
    }
    watched->id = *id;
    watched->meter_count = count;
    daemon->watched_count++;
}

static void
add_sample(struct sf_daemon_meter *meter, sf_mono now, uint64_t bytes)
{
    if (meter->count > 0 && bytes < meter->samples[meter->count - 1].bytes) {
        meter->count = 0; /* counted anew, as after a restart of the other end */
    }
    if (meter->count == SF_DAEMON_SAMPLES) {
        memmove(&meter->samples[0], &meter->samples[1],
            (SF_DAEMON_SAMPLES - 1) * sizeof(meter->samples[0]));
        meter->count--;
    }
    meter->samples[meter->count].at = now;
    meter->samples[meter->count].bytes = bytes;
    meter->count++;
}

void
sf_daemon_news_sample(struct sf_daemon *daemon)
{
    if (daemon->watched_count == 0 || daemon->now - daemon->sampled < SAMPLE_SPAN) {
        return;
    }
    daemon->sampled = daemon->now;
    /* From the end: the last one takes the place of one that is over. */
    for (size_t i = daemon->watched_count; i-- > 0;) {
        struct sf_daemon_watched *watched = &daemon->watched[i];
        const struct sf_node_transfer *transfer = daemon->scratch;

        if (!sf_node_transfer_find(daemon->node, &watched->id, daemon->scratch) ||
            !is_open(transfer)) {
            free(watched->meters);
            *watched = daemon->watched[--daemon->watched_count];
            continue;
        }
        for (size_t k = 0; k < watched->meter_count; k++) {
            add_sample(&watched->meters[k], daemon->now,
                transfer->outgoing ? transfer->recipients[k].link_bytes : transfer->received_bytes);
        }
    }
}

bool
sf_daemon_rate(const struct sf_daemon *daemon, const struct sf_transfer_id *id, size_t index,
    uint64_t *ret_bps)
{
    const struct sf_daemon_watched *watched = find_watched(daemon, id);
    const struct sf_daemon_meter *meter;
    uint64_t span_ms;
    uint64_t bytes;
    size_t last;

    if (watched == NULL || index >= watched->meter_count) {
        return false;
    }
    meter = &watched->meters[index];
    if (meter->count < 2) {
        return false;
    }
    last = meter->count - 1;
    bytes = meter->samples[last].bytes - meter->samples[0].bytes;
    span_ms = (meter->samples[last].at - meter->samples[0].at) / SF_MS;
    if (bytes == 0 || span_ms == 0 || daemon->now - meter->samples[last].at > METER_SPAN_MAX) {
        return false;
    }
    *ret_bps = bytes * 8 / span_ms * 1000 + bytes * 8 % span_ms * 1000 / span_ms;
    return true;
}
