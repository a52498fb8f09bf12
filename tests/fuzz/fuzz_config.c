/*
 * Files of settings: the config of a node and the conf of a peer, by the first byte.
 */
#include "app/config.h"
#include "app/peers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct sf_config config;
    static char psk_file[SF_HOME_PATH_BYTES_MAX + 1];
    struct sf_peers_peer peer;
    struct sf_app_error error;
    char text[SF_ENDPOINTS_BYTES_MAX + 1];

    if (bytes == 0) {
        return 0;
    }
    if (data[0] != 'P') {
        if (sf_config_parse("config", sf_view(data, bytes), &config, &error) == SF_OK &&
            (config.listen_count < 1 || config.listen_count > SF_CONFIG_LISTEN_MAX ||
                config.outbox_count > SF_CONFIG_OUTBOX_MAX ||
                config.limit_count > SF_CONFIG_LIMIT_MAX || config.workers > 64)) {
            abort();
        }
        return 0;
    }
    sf_peers_peer_init(&peer);
    if (sf_peers_conf_parse("conf", sf_view(data + 1, bytes - 1), &peer, psk_file, &error) ==
        SF_OK) {
        struct sf_endpoints again;

        /* What is taken is printed in a form that is taken. */
        sf_endpoints_print(&peer.endpoints, text);
        if (sf_endpoints_parse(text, &again) != SF_OK ||
            memcmp(&again, &peer.endpoints, sizeof(again)) != 0) {
            abort();
        }
        if (peer.dscp > 63 || strlen(peer.interface) > SF_MARK_INTERFACE_BYTES_MAX ||
            sf_peers_rate_given(&peer) < SF_PEERS_RATE_BPS_MIN) {
            abort();
        }
    }
    return 0;
}
