/*
 * The settings of a node, and the reader under them.
 */
#include "app/config.h"

#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sf_config config;
static struct sf_app_error error;

static int
parse(const char *text)
{
    return sf_config_parse("config", sf_view(text, strlen(text)), &config, &error);
}

static void
test_defaults(void)
{
    REQUIRE_EQ(parse(""), SF_OK);
    CHECK_EQ(config.listen_count, 1);
    CHECK_TEXT(config.listen[0].host, "::");
    CHECK_EQ(config.listen[0].port, 7272);
    CHECK(config.is_listen_default);
    CHECK_EQ(config.reserve_bytes, 1 << 30);
    CHECK_EQ(config.quota_bytes, INT64_C(1) << 40);
    CHECK_EQ(config.keep_bytes, 0);
    CHECK_EQ(config.mtu_bytes, 0);
    CHECK_EQ(config.class_bytes, 0);
    CHECK_EQ(config.workers, 0);
    CHECK_EQ(config.outbox_count, 0);
    CHECK_EQ(config.disk, SF_CONFIG_DISK_AUTO);
    CHECK_TEXT(config.group, "");
}

static void
test_all(void)
{
    REQUIRE_EQ(parse("# a comment\n"
                     "\n"
                     "  listen =  192.0.2.1:7000 \r\n"
                     "listen=[2001:db8::1]:7001\n"
                     "mtu = 9000\n"
                     "reserve = 2GiB\n"
                     "quota = 500GByte\n"
                     "keep = 16GiB\n"
                     "class = 64KiB\n"
                     "workers = 3\n"
                     "outbox = /srv/a = b #c/\n"
                     "outbox = /\n"
                     "disk = posix\n"
                     "\t# another\n"
                     "group = skyferry\n"
                     "privacy = timing\n"
                     "privacy-budget = 0.5GByte"),
        SF_OK);
    CHECK_EQ(config.listen_count, 2);
    CHECK(!config.is_listen_default);
    CHECK_TEXT(config.listen[0].host, "192.0.2.1");
    CHECK_EQ(config.listen[0].port, 7000);
    CHECK_TEXT(config.listen[1].host, "2001:db8::1");
    CHECK_EQ(config.mtu_bytes, 9000);
    CHECK_EQ(config.reserve_bytes, INT64_C(2) << 30);
    CHECK_EQ(config.quota_bytes, INT64_C(500000000000));
    CHECK_EQ(config.keep_bytes, INT64_C(16) << 30);
    CHECK_EQ(config.class_bytes, 65536);
    CHECK_EQ(config.workers, 3);
    CHECK_EQ(config.outbox_count, 2);
    CHECK_TEXT(config.outbox[0], "/srv/a = b #c");
    CHECK_TEXT(config.outbox[1], "/");
    CHECK_EQ(config.disk, SF_CONFIG_DISK_POSIX);
    CHECK_EQ((int)config.privacy, (int)SF_NODE_PRIVACY_TIMING);
    CHECK_EQ(config.privacy_budget_bytes, INT64_C(500000000));
    CHECK_TEXT(config.group, "skyferry");
}

static void
test_auto(void)
{
    REQUIRE_EQ(parse("class = auto\nworkers = auto\ndisk = auto\n"), SF_OK);
    CHECK_EQ(config.class_bytes, 0);
    CHECK_EQ(config.workers, 0);
    CHECK_EQ(config.disk, SF_CONFIG_DISK_AUTO);
    CHECK_EQ(parse("disk = uring"), SF_OK);
    CHECK_EQ(config.disk, SF_CONFIG_DISK_URING);
}

static void
test_template(void)
{
    char *text = strdup(sf_config_template);
    struct sf_config from_default;
    size_t keys = 0;

    REQUIRE(text != NULL);
    sf_config_init(&from_default);
    CHECK_EQ(parse(sf_config_template), SF_OK);
    CHECK(memcmp(&config, &from_default, sizeof(config)) == 0);
    /* Every setting that is commented out is one, and shows the default. */
    for (char *at = text; (at = strstr(at, "\n#")) != NULL; at++) {
        if (at[2] >= 'a' && at[2] <= 'z') {
            at[1] = ' ';
            keys++;
        }
    }
    CHECK_EQ(keys, 14);
    CHECK_EQ(parse(text), SF_OK);
    CHECK_EQ(config.listen_count, 1);
    CHECK_EQ(config.listen[0].port, from_default.listen[0].port);
    CHECK_EQ(config.mtu_bytes, 1500); /* an example: it is found */
    CHECK_EQ(config.reserve_bytes, from_default.reserve_bytes);
    CHECK_EQ(config.quota_bytes, from_default.quota_bytes);
    CHECK_EQ(config.class_bytes, from_default.class_bytes);
    CHECK_EQ((int)config.privacy, (int)from_default.privacy);
    CHECK_EQ((int)config.privacy, (int)SF_NODE_PRIVACY_SIZE);
    CHECK_EQ(config.privacy_budget_bytes, from_default.privacy_budget_bytes);
    free(text);
}

static void
test_values_refused(void)
{
    static const char *const bad[] = {"mtu = 1279", "mtu = 9001", "mtu = 1400Byte",
        "mtu = ", "mtu = 99999999999999999999", "listen = 7272", "listen = localhost:7272",
        "listen = ::1:7272", "listen = [::]:0", "listen = [::]:65536", "listen = [::]",
        "listen = [1.2.3.4]:5", "listen = 1.2.3:5", "reserve = 5", "reserve = lots",
        "quota = 1Mbit", "keep = 1", "keep = none", "class = 1GiB", "class = 65536", "workers = 0",
        "workers = 65", "workers = -1", "outbox = srv", "outbox = ./srv", "disk = fast",
        "group = a b", "group = a/b", "privacy = all", "privacy = Size", "privacy = timing size",
        "privacy-budget = 10", "privacy-budget = 1Gbit", "privacy-budget = none"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), "\n%s\n", bad[i]);
        REQUIRE_EQ(parse("workers = 7"), SF_OK);
        CHECK_EQ(parse(text), SF_EFORMAT);
        CHECK_EQ(error.status, SF_EFORMAT);
        CHECK(strncmp(error.text, "config:2: ", 10) == 0);
        CHECK_EQ(config.workers, 7);
    }
    CHECK_EQ(parse("mtu = 12"), SF_EFORMAT);
    CHECK_TEXT(error.text, "config:1: mtu = 12: expected bytes of an IP packet, 1280 to 9000");
}

static void
test_lines_refused(void)
{
    static const char *const bad[] = {"nonsense", "[node]", "outbox = /srv/\x7f", "= 5",
        "speed = 5", "MTU = 1400", "mtu 1400", "m tu = 1400", "mtu = \x01",
        "mtu = 1400\nmtu = 1400", "mtu : 1400", "#\nlisten"};
    char line[SF_CONFIG_LINE_BYTES_MAX + 16];
    char *file = malloc(SF_CONFIG_FILE_BYTES_MAX + 1);

    REQUIRE(file != NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(parse(bad[i]), SF_EFORMAT);
    }
    CHECK_EQ(sf_config_parse("config",
                 sf_view("mtu = 14\0"
                         "00",
                     11),
                 &config, &error),
        SF_EFORMAT);
    memset(line, '#', sizeof(line));
    line[SF_CONFIG_LINE_BYTES_MAX] = '\0';
    CHECK_EQ(parse(line), SF_OK);
    line[SF_CONFIG_LINE_BYTES_MAX] = '#';
    line[SF_CONFIG_LINE_BYTES_MAX + 1] = '\0';
    CHECK_EQ(parse(line), SF_EFORMAT);
    memset(file, '\n', SF_CONFIG_FILE_BYTES_MAX + 1);
    CHECK_EQ(
        sf_config_parse("config", sf_view(file, SF_CONFIG_FILE_BYTES_MAX), &config, &error), SF_OK);
    CHECK_EQ(
        sf_config_parse("config", sf_view(file, SF_CONFIG_FILE_BYTES_MAX + 1), &config, &error),
        SF_EFORMAT);
    free(file);
}

static void
test_too_many(void)
{
    char text[1024] = "";

    for (size_t i = 0; i < SF_CONFIG_LISTEN_MAX; i++) {
        strcat(text, "listen = 127.0.0.1:7272\n");
    }
    CHECK_EQ(parse(text), SF_OK);
    strcat(text, "listen = 127.0.0.1:7272\n");
    CHECK_EQ(parse(text), SF_EFORMAT);
    CHECK(strstr(error.text, "at most 8") != NULL);
    text[0] = '\0';
    for (size_t i = 0; i <= SF_CONFIG_OUTBOX_MAX; i++) {
        CHECK_EQ(parse(text), SF_OK);
        strcat(text, "outbox = /srv\n");
    }
    CHECK_EQ(parse(text), SF_EFORMAT);
}

static void
test_interfaces_and_limits(void)
{
    REQUIRE_EQ(parse("listen = [::]:7272 on eth1\nlisten = 192.0.2.1:7272\n"
                     "limit = 20Mbit on eth1 from 08:00 to 18:00\nlimit = 1Gbit\n"),
        SF_OK);
    CHECK_TEXT(config.listen[0].interface, "eth1");
    CHECK_TEXT(config.listen[0].host, "::");
    CHECK_TEXT(config.listen[1].interface, "");
    REQUIRE_EQ(config.limit_count, 2);
    CHECK_TEXT(config.limits[0].interface, "eth1");
    CHECK_EQ(config.limits[1].rate_bps, 1000000000);
    CHECK_EQ(parse("\nlimit = 20Mbit at noon\n"), SF_EFORMAT);
    CHECK(strstr(error.text, "config:2: limit = 20Mbit at noon: expected RATE") != NULL);
    CHECK_EQ(parse("listen = [::]:7272 eth1\n"), SF_EFORMAT);
    CHECK(strstr(error.text, "[on INTERFACE]") != NULL);
    CHECK_EQ(parse("listen = [::]:7272 on\n"), SF_EFORMAT);
    CHECK_EQ(parse("listen = [::]:7272 on eth1 eth2\n"), SF_EFORMAT);
}

static void
test_control_characters_in_errors(void)
{
    CHECK_EQ(parse("speed\x1b[2J = 1"), SF_EFORMAT);
    CHECK(strchr(error.text, 0x1b) == NULL);
    CHECK_EQ(sf_app_error_set(&error, SF_EIO, "a\x1b%s\n", "\x7f"), SF_EIO);
    CHECK_TEXT(error.text, "a???");
    CHECK_EQ(sf_app_error_set(NULL, SF_EIO, "nobody listens"), SF_EIO);
}

CHECK_MAIN("config", {"an empty file is every default", test_defaults},
    {"every key is read", test_all}, {"auto leaves it to the node", test_auto},
    {"the template is all defaults, commented out and not", test_template},
    {"a value out of form is refused with its line and form, and changes nothing",
        test_values_refused},
    {"a line that is no setting, repeated, too long or has control characters is refused",
        test_lines_refused},
    {"repeatable keys have their limits", test_too_many},
    {"a listener may be bound to an interface, and rates be limited", test_interfaces_and_limits},
    {"an error never carries control characters to the terminal",
        test_control_characters_in_errors})
