/*
 * Peers as the operator writes them down.
 */
#include "app/peers.h"
#include "app/revoked.h"

#include "base/crypto.h"
#include "bundle/card.h"
#include "bundle/identity.h"

#include "tests/unit/check.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct sf_home home = {.fd = -1, .lock_fd = -1};
static struct sf_app_error error;

static int
remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void
begin(void)
{
    REQUIRE_EQ(sf_crypto_init(), SF_OK);
    snprintf(root, sizeof(root), "/tmp/skyferry-peers-XXXXXX");
    REQUIRE(mkdtemp(root) != NULL);
    REQUIRE_EQ(sf_home_create(root, &home, &error), SF_OK);
    error.text[0] = '\0';
}

static void
end(void)
{
    sf_home_close(&home);
    CHECK_EQ(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* A peer with a fresh card. */
static struct sf_peers_peer
example(const char *name)
{
    struct sf_peers_peer peer;
    struct sf_identity *identity = NULL;

    sf_peers_peer_init(&peer);
    snprintf(peer.name, sizeof(peer.name), "%s", name);
    REQUIRE_EQ(sf_identity_generate(&sf_random_system, "them", &identity), SF_OK);
    REQUIRE_EQ(
        sf_card_encode(identity, peer.card_encoded, sizeof(peer.card_encoded), &peer.card_bytes),
        SF_OK);
    sf_card_of(identity, &peer.card);
    sf_identity_fini(identity);
    return peer;
}

static void
put(const char *name, const char *content, mode_t mode)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/peers/%s", root, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0);
    CHECK_EQ(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    CHECK_EQ(fchmod(fd, mode), 0);
    close(fd);
}

static bool
is_there(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/peers/%s", root, name);
    return access(path, F_OK) == 0;
}

static void
test_round_trip(void)
{
    struct sf_peers_peer peer;
    struct sf_peers_peer back;

    begin();
    peer = example("sat-7");
    REQUIRE_EQ(sf_endpoints_parse("[2001:db8::7]:7272, sat.example:7", &peer.endpoints), SF_OK);
    peer.rate_bps = 20000000;
    peer.rate_max_bps = 30000000;
    peer.rtt_ns = 2400 * SF_SEC;
    peer.has_dscp = true;
    peer.dscp = 10;
    memcpy(peer.interface, "eth1", sizeof("eth1"));
    peer.may_send = false;
    peer.quota_bytes = 5000000000;
    peer.has_privacy = true;
    peer.privacy = SF_NODE_PRIVACY_TIMING;
    peer.has_privacy_budget = true;
    peer.privacy_budget_bytes = 7000000000;
    peer.has_psk = true;
    memset(peer.psk, 0xa5, sizeof(peer.psk));
    peer.no_return = true;
    CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    REQUIRE_EQ(sf_peers_read(&home, "sat-7", &back, &error), SF_OK);
    CHECK_TEXT(back.name, "sat-7");
    CHECK(sf_fingerprint_equal(&back.card.fingerprint, &peer.card.fingerprint));
    CHECK_EQ(back.card_bytes, peer.card_bytes);
    CHECK_BYTES(back.card_encoded, peer.card_encoded, peer.card_bytes);
    CHECK_TEXT(back.endpoints.list[0].host, "2001:db8::7");
    CHECK_EQ(back.endpoints.list[0].port, 7272);
    CHECK_TEXT(back.endpoints.list[1].host, "sat.example");
    CHECK_EQ(back.endpoints.count, 2);
    CHECK_EQ(back.rate_bps, 20000000);
    CHECK(back.pace == SF_LINK_PACE_FIXED);
    CHECK_EQ(back.rate_max_bps, 30000000);
    CHECK_EQ(back.rtt_ns, 2400 * SF_SEC);
    CHECK(back.has_dscp);
    CHECK_EQ(back.dscp, 10);
    CHECK_TEXT(back.interface, "eth1");
    CHECK(!back.may_send && back.may_receive && back.has_psk && back.no_return);
    CHECK_EQ(back.quota_bytes, 5000000000);
    CHECK(back.has_privacy && back.privacy == SF_NODE_PRIVACY_TIMING);
    CHECK(back.has_privacy_budget);
    CHECK_EQ(back.privacy_budget_bytes, 7000000000);
    CHECK_BYTES(back.psk, peer.psk, sizeof(peer.psk));
    /* Changed: the key is gone, and so is its file. */
    CHECK(is_there("sat-7.psk"));
    /* Taken into the vault: the conf says so, and the file is gone. */
    memset(peer.psk, 0, sizeof(peer.psk));
    REQUIRE_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    CHECK(!is_there("sat-7.psk"));
    REQUIRE_EQ(sf_peers_read(&home, "sat-7", &back, &error), SF_OK);
    CHECK(back.has_psk);
    CHECK_BYTES(back.psk, peer.psk, sizeof(peer.psk));
    peer.has_psk = false;
    peer.endpoints.count = 0;
    CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_EINVAL);
    peer.no_return = false;
    CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    CHECK(!is_there("sat-7.psk"));
    REQUIRE_EQ(sf_peers_read(&home, "sat-7", &back, &error), SF_OK);
    CHECK(!back.has_psk && back.endpoints.count == 0);
    /* Where nothing comes back no rate can be found. */
    peer.pace = SF_LINK_PACE_SCAVENGER;
    CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    REQUIRE_EQ(sf_peers_read(&home, "sat-7", &back, &error), SF_OK);
    CHECK(back.pace == SF_LINK_PACE_SCAVENGER);
    REQUIRE_EQ(sf_endpoints_parse("192.0.2.7:7272", &peer.endpoints), SF_OK);
    peer.no_return = true;
    CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_EINVAL);
    end();
}

static void
test_rates(void)
{
    struct sf_peers_peer peer;
    char text[SF_UNITS_TEXT_BYTES];

    sf_peers_peer_init(&peer);
    CHECK_EQ(sf_peers_rate_given(&peer), SF_PEERS_RATE_BPS_DEFAULT);
    CHECK_EQ(sf_peers_rate_parse("adaptive", &peer), SF_OK);
    CHECK(peer.pace == SF_LINK_PACE_ADAPTIVE);
    CHECK_EQ(sf_peers_rate_given(&peer), SF_PEERS_RATE_BPS_MAX);
    sf_peers_rate_print(&peer, text);
    CHECK_TEXT(text, "adaptive");
    CHECK_EQ(sf_peers_rate_max_parse("50Mbit", &peer.rate_max_bps), SF_OK);
    CHECK_EQ(sf_peers_rate_given(&peer), 50000000);
    CHECK_EQ(sf_peers_rate_parse("scavenger", &peer), SF_OK);
    CHECK_EQ(sf_peers_rate_parse("80Mbit", &peer), SF_OK);
    CHECK(peer.pace == SF_LINK_PACE_FIXED);
    CHECK_EQ(sf_peers_rate_given(&peer), 50000000);
    CHECK_EQ(sf_peers_rate_parse("Adaptive", &peer), SF_EFORMAT);
    CHECK_EQ(sf_peers_rate_parse("999bit", &peer), SF_EFORMAT);
    CHECK_EQ(sf_peers_rate_max_parse("101Gbit", &peer.rate_max_bps), SF_EFORMAT);
    CHECK_EQ(sf_peers_rate_max_parse("none", &peer.rate_max_bps), SF_OK);
    CHECK_EQ(peer.rate_bps, 80000000);
    CHECK_EQ(sf_peers_rate_given(&peer), 80000000);
}

static void
test_defaults(void)
{
    struct sf_peers_peer peer;
    struct sf_peers_peer back;

    begin();
    peer = example("a");
    CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    put("a.conf", "# nothing\n", 0600);
    REQUIRE_EQ(sf_peers_read(&home, "a", &back, &error), SF_OK);
    CHECK_EQ(back.rate_bps, SF_PEERS_RATE_BPS_DEFAULT);
    CHECK(back.may_send && back.may_receive && !back.has_psk && !back.no_return);
    CHECK_EQ(back.quota_bytes, 0);
    CHECK(!back.has_privacy && !back.has_privacy_budget);
    end();
}

static void
test_all(void)
{
    static const char *const names[] = {"zoe", "amy", "Max", "sat-10"};
    struct sf_peers_peer *peers = NULL;
    size_t count = 9;

    begin();
    CHECK_EQ(sf_peers_read_all(&home, &peers, &count, &error), SF_OK);
    CHECK_EQ(count, 0);
    sf_peers_free(peers, count);
    for (size_t i = 0; i < 4; i++) {
        struct sf_peers_peer peer = example(names[i]);

        CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    }
    put(".amy.conf.new", "left by a crash", 0600);
    put("notes.txt", "not ours", 0600);
    put("orphan.card", "a crash came before the conf", 0600);
    REQUIRE_EQ(sf_peers_read_all(&home, &peers, &count, &error), SF_OK);
    REQUIRE_EQ(count, 4);
    CHECK_TEXT(peers[0].name, "Max");
    CHECK_TEXT(peers[1].name, "amy");
    CHECK_TEXT(peers[2].name, "sat-10");
    CHECK_TEXT(peers[3].name, "zoe");
    sf_peers_free(peers, count);
    put("amy.conf", "speed = 5\n", 0600);
    CHECK_EQ(sf_peers_read_all(&home, &peers, &count, &error), SF_EFORMAT);
    CHECK(strstr(error.text, "peers/amy.conf:1: unknown key speed") != NULL);
    CHECK_EQ(sf_peers_remove(&home, "amy", &error), SF_OK);
    CHECK(!is_there("amy.conf") && !is_there("amy.card"));
    CHECK_EQ(sf_peers_remove(&home, "amy", &error), SF_ENOENT);
    CHECK_EQ(sf_peers_remove(&home, "../../etc/passwd", &error), SF_ENOENT);
    CHECK_EQ(sf_peers_read_all(&home, &peers, &count, &error), SF_OK);
    CHECK_EQ(count, 3);
    sf_peers_free(peers, count);
    sf_peers_free(NULL, 0);
    end();
}

static void
test_too_many(void)
{
    struct sf_peers_peer *peers = NULL;
    size_t count;

    begin();
    for (int i = 0; i <= SF_PEERS_MAX; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%d.conf", i);
        put(name, "", 0600);
    }
    CHECK_EQ(sf_peers_read_all(&home, &peers, &count, &error), SF_ELIMIT);
    end();
}

static void
test_bad_files(void)
{
    struct sf_peers_peer peer;
    struct sf_peers_peer back;
    char text[SF_CARD_TEXT_BYTES_MAX];

    begin();
    CHECK_EQ(sf_peers_read(&home, "nobody", &back, &error), SF_ENOENT);
    CHECK_EQ(sf_peers_read(&home, "../keys", &back, &error), SF_ENOENT);
    put("nobody.conf", "", 0600);
    CHECK_EQ(sf_peers_read(&home, "nobody", &back, &error), SF_EFORMAT);
    CHECK(strstr(error.text, "has no card") != NULL);
    peer = example("a");
    CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    REQUIRE(sf_peers_card_print(&peer, text));
    text[60] = text[60] == 'A' ? 'B' : 'A';
    put("a.card", text, 0600);
    CHECK_EQ(sf_peers_read(&home, "a", &back, &error), SF_EFORMAT);
    CHECK(strstr(error.text, "peers/a.card") != NULL);
    /* A key that others may read, that is absent, or that is none. */
    CHECK_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    put("a.conf", "psk = a.psk\n", 0600);
    CHECK_EQ(sf_peers_read(&home, "a", &back, &error), SF_EFORMAT);
    put("a.psk", "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef\n", 0640);
    CHECK_EQ(sf_peers_read(&home, "a", &back, &error), SF_EAUTH);
    put("a.psk", "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef\n", 0600);
    CHECK_EQ(sf_peers_read(&home, "a", &back, &error), SF_OK);
    CHECK_EQ(back.psk[0], 0x01);
    CHECK_EQ(back.psk[31], 0xef);
    put("a.psk", "0123456789abcdef\n", 0600);
    CHECK_EQ(sf_peers_read(&home, "a", &back, &error), SF_EFORMAT);
    end();
}

static void
test_bad_values(void)
{
    static const char *const bad[] = {"endpoint = here", "rtt = 5", "rtt = 0s", "rtt = 5h",
        "rtt = fast", "endpoint = here:0", "endpoint = ::1:7272", "endpoint = [here]:7272",
        "endpoint = a b:7272", "endpoint = -a:1", "rate = 100", "rate = 0", "rate = 999bit",
        "rate = 101Gbit", "allow = all", "allow = send,send", "allow = send,", "quota = 5",
        "quota = 0", "return = no", "return = maybe", "psk = ", "name = a", "privacy = yes",
        "privacy-budget = 5"};
    struct sf_peers_peer peer;
    char psk_file[SF_HOME_PATH_BYTES_MAX + 1] = "as before";

    sf_peers_peer_init(&peer);
    peer.rate_bps = 4242;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(
            sf_peers_conf_parse("a.conf", sf_view(bad[i], strlen(bad[i])), &peer, psk_file, &error),
            SF_EFORMAT);
        CHECK(strncmp(error.text, "a.conf:1: ", 10) == 0);
        CHECK_EQ(peer.rate_bps, 4242);
        CHECK_TEXT(psk_file, "as before");
    }
}

static void
test_endpoints(void)
{
    static const char *const good[] = {
        "192.0.2.7:7272", "[2001:db8::7]:1", "sat.example:65535", "ground-1.local:7272", "none"};
    char text[SF_ENDPOINT_BYTES_MAX + 1];
    struct sf_endpoint endpoint;
    char longest[300];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK_EQ(sf_endpoint_parse(good[i], &endpoint), SF_OK);
        sf_endpoint_print(&endpoint, text);
        CHECK_TEXT(text, good[i]);
    }
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + SF_ENDPOINT_HOST_BYTES_MAX, ":65535", 7);
    CHECK_EQ(sf_endpoint_parse(longest, &endpoint), SF_OK);
    sf_endpoint_print(&endpoint, text);
    CHECK_TEXT(text, longest);
    memcpy(longest + SF_ENDPOINT_HOST_BYTES_MAX, "a:65535", 8);
    CHECK_EQ(sf_endpoint_parse(longest, &endpoint), SF_EFORMAT);
}

static void
test_endpoint_lists(void)
{
    static const char *const bad[] = {",", "a:1,", ",a:1", "a:1,,b:2", "a:1,a:1", "a:1, none",
        "none,none", "a:1,b", "a:1;b:2", "a:1,b:2,c:3,d:4,e:5"};
    char text[SF_ENDPOINTS_BYTES_MAX + 1];
    char longest[SF_ENDPOINTS_BYTES_MAX + 1] = "";
    struct sf_endpoints endpoints;
    struct sf_endpoints before;

    CHECK_EQ(
        sf_endpoints_parse("sat.example:7272,[2001:db8::7]:1 , 192.0.2.7:7272", &endpoints), SF_OK);
    CHECK_EQ(endpoints.count, 3);
    sf_endpoints_print(&endpoints, text);
    CHECK_TEXT(text, "sat.example:7272, [2001:db8::7]:1, 192.0.2.7:7272");
    before = endpoints;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(sf_endpoints_parse(bad[i], &endpoints), SF_EFORMAT);
        CHECK_BYTES(&endpoints, &before, sizeof(before));
    }
    CHECK_EQ(sf_endpoints_parse("none", &endpoints), SF_OK);
    CHECK_EQ(endpoints.count, 0);
    sf_endpoints_print(&endpoints, text);
    CHECK_TEXT(text, "none");
    for (unsigned i = 0; i < SF_ENDPOINTS_MAX; i++) {
        size_t at = strlen(longest);

        at += (size_t)sprintf(longest + at, "%s", i > 0 ? ", " : "");
        memset(longest + at, 'a' + (int)i, SF_ENDPOINT_HOST_BYTES_MAX);
        strcpy(longest + at + SF_ENDPOINT_HOST_BYTES_MAX, ":65535");
    }
    CHECK_EQ(sf_endpoints_parse(longest, &endpoints), SF_OK);
    sf_endpoints_print(&endpoints, text);
    CHECK_TEXT(text, longest);
}

/* The longest list is also written to the file of a peer, and read from it. */
static void
test_longest_round_trip(void)
{
    struct sf_peers_peer peer;
    struct sf_peers_peer back;

    begin();
    peer = example("sat-7");
    peer.endpoints.count = SF_ENDPOINTS_MAX;
    for (unsigned i = 0; i < SF_ENDPOINTS_MAX; i++) {
        memset(peer.endpoints.list[i].host, 'a' + (int)i, SF_ENDPOINT_HOST_BYTES_MAX);
        peer.endpoints.list[i].port = 65535;
    }
    REQUIRE_EQ(sf_peers_write(&home, &peer, &error), SF_OK);
    REQUIRE_EQ(sf_peers_read(&home, "sat-7", &back, &error), SF_OK);
    CHECK_BYTES(&back.endpoints, &peer.endpoints, sizeof(peer.endpoints));
    end();
}

static void
test_words(void)
{
    bool send;
    bool receive;
    uint8_t psk[SF_PEERS_PSK_BYTES];
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";

    CHECK_EQ(sf_peers_allow_parse("receive, send", &send, &receive), SF_OK);
    CHECK(send && receive);
    CHECK_TEXT(sf_peers_allow_print(send, receive), "send,receive");
    CHECK_EQ(sf_peers_allow_parse("send", &send, &receive), SF_OK);
    CHECK(send && !receive);
    CHECK_EQ(sf_peers_allow_parse("none", &send, &receive), SF_OK);
    CHECK_TEXT(sf_peers_allow_print(send, receive), "none");
    CHECK_EQ(sf_peers_psk_parse(sf_view(zero, 64), psk), SF_EFORMAT);
    CHECK_EQ(sf_peers_psk_parse(sf_view(zero, 63), psk), SF_EFORMAT);
    CHECK_EQ(sf_peers_psk_parse(sf_view("", 0), psk), SF_EFORMAT);
    CHECK(sf_peers_name_is_valid("sat-7") && !sf_peers_name_is_valid("") &&
          !sf_peers_name_is_valid(".a") && !sf_peers_name_is_valid("-a") &&
          !sf_peers_name_is_valid("a/b") && !sf_peers_name_is_valid("\xc3\xa4"));
}

/* Who is revoked is revoked by the name of a file; what stands in it is for people. */
static void
test_revoked(void)
{
    struct sf_peers_peer peer;
    struct sf_revoked_node node = {.was = "sat-7", .when_ms = 1795446000000};
    struct sf_revoked_node *nodes = NULL;
    char path[128];
    size_t count = 9;

    begin();
    peer = example("sat-7");
    node.fingerprint = peer.card.fingerprint;
    REQUIRE_EQ(sf_revoked_read_all(&home, &nodes, &count, &error), SF_OK);
    CHECK_EQ(count, 0);
    free(nodes);
    REQUIRE_EQ(sf_revoked_write(&home, &node, &error), SF_OK);
    REQUIRE_EQ(sf_revoked_write(&home, &node, &error), SF_OK);
    REQUIRE_EQ(sf_revoked_read_all(&home, &nodes, &count, &error), SF_OK);
    REQUIRE_EQ(count, 1);
    CHECK(sf_revoked_find(nodes, count, &node.fingerprint) == &nodes[0]);
    CHECK_TEXT(nodes[0].was, "sat-7");
    CHECK_EQ(nodes[0].when_ms, node.when_ms);
    CHECK_EQ(sf_revoked_refuse(&nodes[0], "sat-7", &error), SF_EAUTH);
    CHECK(strstr(error.text, "--readmit") != NULL && strstr(error.text, "2026-11-23") != NULL);
    free(nodes);

    /* Not even an empty file lets anybody in again. */
    snprintf(path, sizeof(path), "%s/peers/", root);
    for (size_t i = 0; i < sizeof(node.fingerprint.b); i++) {
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "%02x", node.fingerprint.b[i]);
    }
    snprintf(path + strlen(path), sizeof(path) - strlen(path), ".revoked");
    REQUIRE_EQ(truncate(path, 0), 0);
    REQUIRE_EQ(sf_revoked_read_all(&home, &nodes, &count, &error), SF_OK);
    REQUIRE_EQ(count, 1);
    CHECK_TEXT(nodes[0].was, "");
    CHECK_EQ(nodes[0].when_ms, 0);
    free(nodes);
    CHECK_EQ(sf_revoked_remove(&home, &node.fingerprint, &error), SF_OK);
    CHECK_EQ(sf_revoked_remove(&home, &node.fingerprint, &error), SF_ENOENT);
    end();
}

CHECK_MAIN("peers", {"a peer comes back as it was written", test_round_trip},
    {"an empty conf is every default", test_defaults},
    {"all are read in order, a bad one is named, and removing removes all files", test_all},
    {"there is a limit to how many", test_too_many},
    {"a missing, damaged or exposed file is said so", test_bad_files},
    {"a value out of form is refused and changes nothing", test_bad_values},
    {"endpoints are addresses or names, with a port", test_endpoints},
    {"lists of endpoints have commas, and none twice", test_endpoint_lists},
    {"the longest list of endpoints is kept", test_longest_round_trip},
    {"rights, keys and names have one form", test_words},
    {"a revoked node is one by the name of its file, whatever is in it", test_revoked},
    {"a rate is given, found or found while giving way, and has a ceiling", test_rates})
