#include "app/daemon.h"
#include "app/log.h"

#include <string.h>
#include <time.h>

_Static_assert((int)SF_CONFIG_LIMIT_MAX <= (int)SF_LINK_LIMITS_MAX, "every limit fits the link");

#define MINUTE_MS INT64_C(60000)

/* Where every listener is bound to one interface, all goes through it: its name, else "". */
static const char *
only_interface(const struct sf_config *config)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        if (strcmp(config->listen[i].interface, config->listen[0].interface) != 0) {
            return "";
        }
    }
    return config->listen[0].interface;
}

uint32_t
sf_daemon_limits_of(const struct sf_daemon *daemon, const struct sf_peers_peer *conf)
{
    const struct sf_config *config = &daemon->config;
    const char *interface = conf->interface[0] != '\0' ? conf->interface : only_interface(config);
    uint32_t limits = 0;

    for (size_t i = 0; i < config->limit_count; i++) {
        const struct sf_limit *limit = &config->limits[i];

        if (limit->interface[0] == '\0' || strcmp(limit->interface, interface) == 0) {
            limits |= 1u << i;
        }
    }
    return limits;
}

sf_mono
sf_daemon_limits_tick(struct sf_daemon *daemon)
{
    time_t seconds = (time_t)(daemon->wall.ms / 1000);
    struct tm local;

    if (daemon->config.limit_count == 0) {
        return SF_NEVER;
    }
    if (daemon->now < daemon->limits_at || localtime_r(&seconds, &local) == NULL) {
        return daemon->limits_at;
    }
    for (size_t i = 0; i < daemon->config.limit_count; i++) {
        const struct sf_limit *limit = &daemon->config.limits[i];
        bool holds = sf_limit_holds(limit, (unsigned)(local.tm_hour * 60 + local.tm_min));

        if (sf_node_limit(daemon->node, (unsigned)i, holds ? limit->rate_bps : 0) != SF_OK) {
            sf_log(SF_LOG_ERROR, "limit %zu of the config cannot be set", i + 1);
        }
    }
    /* Again when the minute is over: clocks are set, and days are not all of one length. */
    daemon->limits_at =
        daemon->now + (uint64_t)(MINUTE_MS - daemon->wall.ms % MINUTE_MS) * SF_MS + SF_MS;
    return daemon->limits_at;
}
