/*
 * doctor_node.c - the checks of `skyferry doctor` that concern the node itself.
 */
#include <config.h>

#include "app/doctor.h"

#include "app/config.h"
#include "app/peers.h"
#include "base/assert.h"
#include "base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool
is_master_bare(const struct sf_home *home)
{
    uint8_t file[SF_MASTER_FILE_BYTES];
    const struct sf_home_read read = {
        .name = SF_HOME_MASTER, .is_secret = true, .out = file, .bytes_max = sizeof(file)};
    size_t bytes = 0;
    bool is_bare = sf_home_read_file(home, &read, &bytes, NULL) == SF_OK &&
                   sf_master_is_bare(sf_view(file, bytes));

    sf_wipe(file, sizeof(file));
    return is_bare;
}

/* Whether there are keys and nobody else can read them; a passphrase is not asked for. */
static void
check_keys(struct sf_doctor *doctor, const struct sf_home *home)
{
    struct sf_app_error error = {0};
    struct sf_identity *identity = NULL;
    uint8_t file[SF_IDENTITY_SEALED_BYTES_MAX];
    const struct sf_home_read read = {
        .name = SF_HOME_KEYS, .is_secret = true, .out = file, .bytes_max = sizeof(file)};
    size_t bytes = 0;
    int status = sf_home_read_file(home, &read, &bytes, &error);

    if (status != SF_OK) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "keys",
            status == SF_ENOENT ? "make them: skyferry init"
                                : "make them readable to the owner alone: chmod 600 keys",
            "%s", error.text);
        return;
    }
    status = sf_identity_decode_sealed(sf_view(file, bytes), NULL, &identity);
    sf_wipe(file, sizeof(file));
    if (status == SF_ESTATE) {
        sf_doctor_report(doctor, SF_DOCTOR_OK, "keys", NULL, "%s",
            is_master_bare(home) ? "they open without a passphrase" : "sealed under a passphrase");
    } else if (status != SF_OK) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "keys", "restore the file from a backup",
            "the key file is damaged (%s)", sf_status_text(status));
    } else {
        sf_doctor_report(doctor, SF_DOCTOR_OK, "keys", NULL, "of the node '%s'", identity->name);
    }
    sf_identity_fini(identity);
}

static void
check_config(struct sf_doctor *doctor, const struct sf_home *home)
{
    struct sf_config *config = calloc(1, sizeof(*config));
    struct sf_app_error error = {0};
    struct stat st;

    sf_assert(config != NULL);
    sf_config_init(config);
    doctor->reserve_bytes = config->reserve_bytes;
    if (sf_config_read(home, config, &error) != SF_OK) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "settings",
            "correct the line; skyferry.conf(5) explains every setting", "%s", error.text);
        free(config);
        return;
    }
    doctor->reserve_bytes = config->reserve_bytes;
    sf_doctor_report(doctor, SF_DOCTOR_OK, "settings", NULL, "readable");
    for (size_t i = 0; i < config->outbox_count; i++) {
        if (stat(config->outbox[i], &st) != 0 || !S_ISDIR(st.st_mode)) {
            sf_doctor_report(doctor, SF_DOCTOR_WARN, "outbox",
                "make it, or take the line out of the config",
                "%.500s is no directory that this user reaches", config->outbox[i]);
        }
    }
    free(config);
}

static void
check_peers(struct sf_doctor *doctor, const struct sf_home *home)
{
    struct sf_app_error error = {0};
    struct sf_peers_peer *peers = NULL;
    size_t endpoints = 0;
    size_t count = 0;

    if (sf_peers_read_all(home, &peers, &count, &error) != SF_OK) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "peers",
            "mend the file, or remove the peer and add it again", "%s", error.text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        endpoints += peers[i].endpoints.count > 0;
        if (peers[i].rate_bps > doctor->rate_bps_max) {
            doctor->rate_bps_max = peers[i].rate_bps;
        }
    }
    if (count == 0) {
        sf_doctor_report(doctor, SF_DOCTOR_NOTE, "peers",
            "add one: skyferry peer add NAME --card FILE", "none yet");
    } else {
        sf_doctor_report(doctor, SF_DOCTOR_OK, "peers", NULL,
            "%zu, of which this node calls %zu and waits for %zu", count, endpoints,
            count - endpoints);
    }
    sf_peers_free(peers, count);
}

/* What holds the daemon in if something in it goes wrong. */
static void
check_confined(struct sf_doctor *doctor, const json_t *node)
{
    const char *confined = sf_cli_string(node, "confined", "no");

    if (strcmp(confined, "files and calls") == 0) {
        sf_doctor_report(doctor, SF_DOCTOR_OK, "confinement", NULL,
            "no files but the node's own, no new sockets or programs");
        return;
    }
    sf_doctor_report(doctor, SF_DOCTOR_WARN, "confinement",
        "remove `confine = no` from the config; Linux 5.19 or later has Landlock and seccomp",
        "holds back %s",
        strcmp(confined, "no") == 0 ? "nothing: the daemon may do whatever its user may"
                                    : confined);
}

static void
check_daemon(struct sf_doctor *doctor)
{
    struct sf_client_error error;
    struct sf_client *client = NULL;
    json_t *answer = NULL;

    if (sf_client_open(doctor->cli->home_path, &client) != SF_OK) {
        return;
    }
    if (sf_client_do(client, &(struct sf_client_call){"GET", "/v1/node", NULL}, &answer, &error) !=
        SF_OK) {
        sf_doctor_report(doctor, error.is_unreachable ? SF_DOCTOR_NOTE : SF_DOCTOR_WARN, "daemon",
            "start it: skyferryd, or: systemctl start skyferryd", "none answers (%s)", error.text);
    } else if (strcmp(sf_cli_string(answer, "health", ""), "ok") != 0) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "daemon",
            "look at the disk (dmesg), then restart it: it recovers what the disk really holds",
            "runs, but its journal cannot be written any more");
    } else {
        bool is_same =
            strcmp(sf_cli_string(answer, "program", PACKAGE_VERSION), PACKAGE_VERSION) == 0;

        sf_doctor_report(doctor, is_same ? SF_DOCTOR_OK : SF_DOCTOR_WARN, "daemon",
            is_same ? NULL : "restart it, so that both are of one version",
            "version %s runs as process %llu, disk I/O by %s",
            sf_cli_string(answer, "program", "?"),
            (unsigned long long)sf_cli_number(answer, "pid", 0),
            sf_cli_string(answer, "disk", "?"));
        check_confined(doctor, answer);
    }
    json_decref(answer);
    sf_client_close(client);
}

void
sf_doctor_node(struct sf_doctor *doctor)
{
    struct sf_app_error error = {0};
    struct sf_home home;
    struct stat st;
    int status = sf_home_open(doctor->cli->home_path, &home, &error);

    if (status != SF_OK) {
        sf_doctor_report(doctor, SF_DOCTOR_FAIL, "home",
            status == SF_ENOENT ? "make a node: skyferry init"
                                : "it must belong to the node's user, mode 0700 (or 0750)",
            "%s", error.text);
        return;
    }
    sf_doctor_report(doctor, SF_DOCTOR_OK, "home", NULL, "%s, mode %04o", home.path,
        fstat(home.fd, &st) == 0 ? (unsigned)(st.st_mode & 07777) : 0);
    check_keys(doctor, &home);
    check_config(doctor, &home);
    check_peers(doctor, &home);
    check_daemon(doctor);
    sf_home_close(&home);
}
