#include "app/config.h"

#include "app/units.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BYTES_MAX = 63,
    MTU_BYTES_MIN = 1280,
    MTU_BYTES_MAX = 9000,
    PORT_DIGITS_MAX = 5,
    LISTEN_BYTES_MAX = SF_CONFIG_HOST_BYTES_MAX + 8, /* [host]:port */
};

const char sf_config_template[] =
    "# Settings of this Skyferry node; see skyferry.conf(5).\n"
    "#\n"
    "# What is commented out shows the default. Rates and sizes always carry a\n"
    "# unit: 20Mbit, 2.5MByte, 1GiB. Restart skyferryd after a change.\n"
    "\n"
    "# Where to listen for peers (UDP). May be given up to 8 times.\n"
    "#listen = [::]:7272\n"
    "\n"
    "# A second word and a name bind it to an interface: [::]:7272 on eth1.\n"
    "\n"
    "# Send no more than this to all peers together, or to those on an interface, always or at\n"
    "# some hours of the day. May be given up to 16 times.\n"
    "#limit = 20Mbit on eth1 from 08:00 to 18:00\n"
    "\n"
    "# Bytes of the largest IP packet to try, 1280 .. 9000. What a path takes is found; by\n"
    "# default up to what the interface takes.\n"
    "#mtu = 1500\n"
    "\n"
    "# Keep at least this much of the file system free.\n"
    "#reserve = 1GiB\n"
    "\n"
    "# Bytes that the open transfers of one peer may keep here, each counted with its sealed "
    "bytes\n"
    "# or its plaintext, whichever is more, unless peers/NAME.conf says otherwise.\n"
    "#quota = 1TiB\n"
    "\n"
    "# Bytes of copies of what was sent, against which the next version goes as what changed "
    "alone;\n"
    "# they stay here in clear. 0 keeps none.\n"
    "#keep = 0\n"
    "\n"
    "# Size of the sealed bundles this node makes: auto, 16KiB, 64KiB, 256KiB, 1MiB or 4MiB.\n"
    "#class = auto\n"
    "\n"
    "# What an observer is kept from: size, how many bundles a transfer has, nearly; none, "
    "nothing;\n"
    "# timing, also whether there is one: filler goes at the full rate of every contact. peers/\n"
    "# NAME.conf may say otherwise for one.\n"
    "#privacy = size\n"
    "\n"
    "# With timing: no more filler than this to a peer in a day (UTC).\n"
    "#privacy-budget = 10GByte\n"
    "\n"
    "# Threads that seal and open bundles: auto is one for each core.\n"
    "#workers = auto\n"
    "\n"
    "# Files below this directory may be sent by path over HTTP. May be given up to 16\n"
    "# times; without it only the command line can send, which hands over open files.\n"
    "#outbox = /srv/skyferry/outbox\n"
    "\n"
    "# How to reach the disk: auto, uring or posix.\n"
    "#disk = auto\n"
    "\n"
    "# Members of this group may use the sockets and read the inbox.\n"
    "#group = skyferry\n"
    "\n"
    "# Let the kernel confine the daemon to its home and to the calls it needs: auto with\n"
    "# what the kernel has, yes or do not start, no.\n"
    "#confine = auto\n";

int
sf_config_complain(struct sf_app_error *error, const char *file, unsigned line, const char *key,
    const char *value, const char *form)
{
    return sf_app_error_set(error, SF_EFORMAT, "%s:%u: %s = %.200s%s: expected %s", file, line, key,
        value, strlen(value) > 200 ? "..." : "", form);
}

/* --- The reader ------------------------------------------------------------- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cut blanks off both ends of [from, to). */
static void
trim(const char **from, const char **to)
{
    while (*from < *to && is_blank(**from)) {
        (*from)++;
    }
    while (*from < *to && is_blank((*to)[-1])) {
        (*to)--;
    }
}

static bool
is_key(const char *from, const char *to)
{
    if (to == from || to - from > KEY_BYTES_MAX) {
        return false;
    }
    for (; from < to; from++) {
        if (!(*from >= 'a' && *from <= 'z') && *from != '-' && *from != '_') {
            return false;
        }
    }
    return true;
}

/* Any bytes but control characters, which would hide in an editor. */
static bool
is_clean(const char *from, const char *to)
{
    for (; from < to; from++) {
        unsigned char byte = (unsigned char)*from;

        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

struct reader {
    const char *file;
    sf_config_setting setting;
    void *context;
    struct sf_app_error *error;
};

static int
read_line(const struct reader *reader, unsigned line, const char *from, const char *to)
{
    char key[KEY_BYTES_MAX + 1];
    char value[SF_CONFIG_LINE_BYTES_MAX + 1];
    const char *key_end;
    const char *value_from;

    if (to - from > SF_CONFIG_LINE_BYTES_MAX) {
        return sf_app_error_set(reader->error, SF_EFORMAT,
            "%s:%u: the line is longer than %d bytes", reader->file, line,
            SF_CONFIG_LINE_BYTES_MAX);
    }
    if (to > from && to[-1] == '\r') {
        to--;
    }
    trim(&from, &to);
    if (from == to || *from == '#') {
        return SF_OK;
    }
    if (!is_clean(from, to)) {
        return sf_app_error_set(reader->error, SF_EFORMAT,
            "%s:%u: the line has a control character", reader->file, line);
    }
    key_end = memchr(from, '=', (size_t)(to - from));
    if (key_end == NULL) {
        return sf_app_error_set(reader->error, SF_EFORMAT,
            "%s:%u: \"%.*s\" is no setting: expected KEY = VALUE, or a comment after '#'",
            reader->file, line, (int)(to - from > 80 ? 80 : to - from), from);
    }
    value_from = key_end + 1;
    trim(&from, &key_end);
    trim(&value_from, &to);
    if (!is_key(from, key_end)) {
        return sf_app_error_set(reader->error, SF_EFORMAT,
            "%s:%u: \"%.*s\" is no key: keys are lower-case words", reader->file, line,
            (int)(key_end - from > 80 ? 80 : key_end - from), from);
    }
    memcpy(key, from, (size_t)(key_end - from));
    key[key_end - from] = '\0';
    if (value_from == to) {
        return sf_app_error_set(reader->error, SF_EFORMAT,
            "%s:%u: %s has no value: write one, or remove the line for the default", reader->file,
            line, key);
    }
    memcpy(value, value_from, (size_t)(to - value_from));
    value[to - value_from] = '\0';
    return reader->setting(reader->context, reader->file, line, key, value, reader->error);
}

int
sf_config_each(const char *file, struct sf_view text, sf_config_setting setting, void *context,
    struct sf_app_error *error)
{
    const struct reader reader = {file, setting, context, error};
    const char *at = (const char *)text.data;
    const char *end;
    unsigned line = 1;

    if (text.bytes > SF_CONFIG_FILE_BYTES_MAX) {
        return sf_app_error_set(error, SF_EFORMAT, "%s: the file is longer than %d bytes", file,
            SF_CONFIG_FILE_BYTES_MAX);
    }
    if (text.bytes == 0) {
        return SF_OK;
    }
    for (end = at + text.bytes; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        int status;

        if (stop == NULL) {
            stop = end;
        }
        status = read_line(&reader, line, at, stop);
        if (status != SF_OK) {
            return status;
        }
        at = stop + 1;
    }
    return SF_OK;
}

/* --- Settings --------------------------------------------------------------- */

enum key {
    KEY_LISTEN,
    KEY_MTU,
    KEY_RESERVE,
    KEY_QUOTA,
    KEY_KEEP,
    KEY_CLASS,
    KEY_WORKERS,
    KEY_OUTBOX,
    KEY_DISK,
    KEY_GROUP,
    KEY_CONFINE,
    KEY_LIMIT,
    KEY_PRIVACY,
    KEY_PRIVACY_BUDGET,
    KEY_COUNT,
};

static const struct {
    const char *name;
    bool is_repeatable;
    const char *form;
} keys[KEY_COUNT] = {
    [KEY_LISTEN] = {"listen", true, SF_CONFIG_LISTEN_FORM},
    [KEY_MTU] = {"mtu", false, "bytes of an IP packet, 1280 to 9000"},
    [KEY_RESERVE] = {"reserve", false, SF_UNITS_SIZE_FORM},
    [KEY_QUOTA] = {"quota", false, SF_UNITS_SIZE_FORM},
    [KEY_KEEP] = {"keep", false, SF_UNITS_SIZE_FORM ", or 0"},
    [KEY_CLASS] = {"class", false, "auto, 16KiB, 64KiB, 256KiB, 1MiB or 4MiB"},
    [KEY_WORKERS] = {"workers", false, "auto, or a number from 1 to 64"},
    [KEY_OUTBOX] = {"outbox", true, "an absolute path of a directory"},
    [KEY_DISK] = {"disk", false, "auto, uring or posix"},
    [KEY_GROUP] = {"group", false, "the name of a group"},
    [KEY_LIMIT] = {"limit", true, SF_LIMIT_FORM},
    [KEY_CONFINE] = {"confine", false, "auto, yes or no"},
    [KEY_PRIVACY] = {"privacy", false, SF_CONFIG_PRIVACY_FORM},
    [KEY_PRIVACY_BUDGET] = {"privacy-budget", false, SF_UNITS_SIZE_FORM},
};

struct parse {
    struct sf_config config;
    bool is_set[KEY_COUNT];
};

void
sf_config_init(struct sf_config *config)
{
    memset(config, 0, sizeof(*config));
    memcpy(config->listen[0].host, "::", sizeof("::"));
    config->listen[0].port = SF_CONFIG_PORT_DEFAULT;
    config->listen_count = 1;
    config->is_listen_default = true;
    config->reserve_bytes = SF_CONFIG_RESERVE_BYTES_DEFAULT;
    config->quota_bytes = SF_CONFIG_QUOTA_BYTES_DEFAULT;
    config->disk = SF_CONFIG_DISK_AUTO;
    config->privacy = SF_NODE_PRIVACY_SIZE;
    config->privacy_budget_bytes = SF_CONFIG_PRIVACY_BUDGET_DEFAULT;
}

/* A number from `min` to `max`, digits only. */
static bool
parse_count(const char *text, uint32_t min, uint32_t max, uint32_t *ret_value)
{
    uint64_t value = 0;

    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > max) {
            return false;
        }
        value = value * 10 + (uint64_t)(*text - '0');
    }
    if (value < min || value > max) {
        return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}

/* Cut "ADDRESS:PORT on INTERFACE" in two: false if it is too long or not of that form. */
static bool
cut_listen(const char *text, char address[LISTEN_BYTES_MAX + 1], struct sf_config_listen *listen)
{
    size_t bytes = strcspn(text, " \t");
    const char *rest = text + bytes + strspn(text + bytes, " \t");

    if (bytes > LISTEN_BYTES_MAX) {
        return false;
    }
    memcpy(address, text, bytes);
    address[bytes] = '\0';
    if (*rest == '\0') {
        return true;
    }
    if (strncmp(rest, "on", 2) != 0 || !is_blank(rest[2])) {
        return false;
    }
    rest += 2 + strspn(rest + 2, " \t");
    return sf_mark_interface_parse(rest, listen->interface) == SF_OK;
}

int
sf_config_listen_parse(const char *whole, struct sf_config_listen *ret_listen)
{
    struct sf_config_listen listen = {.port = 0};
    char address[LISTEN_BYTES_MAX + 1];
    const char *text = address;
    const char *colon;
    size_t host_bytes;
    uint32_t port;
    struct in6_addr ip6;
    struct in_addr ip4;
    bool is_v6;

    if (!cut_listen(whole, address, &listen)) {
        return SF_EFORMAT;
    }
    colon = strrchr(text, ':');
    is_v6 = *text == '[';
    if (colon == NULL || strlen(colon + 1) > PORT_DIGITS_MAX ||
        !parse_count(colon + 1, 1, UINT16_MAX, &port)) {
        return SF_EFORMAT;
    }
    host_bytes = (size_t)(colon - text);
    if (is_v6) {
        if (host_bytes < 2 || text[host_bytes - 1] != ']') {
            return SF_EFORMAT;
        }
        text++;
        host_bytes -= 2;
    }
    if (host_bytes >= sizeof(listen.host)) {
        return SF_EFORMAT;
    }
    memcpy(listen.host, text, host_bytes);
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, listen.host, is_v6 ? (void *)&ip6 : (void *)&ip4) !=
        1) {
        return SF_EFORMAT;
    }
    listen.port = (uint16_t)port;
    *ret_listen = listen;
    return SF_OK;
}

static bool
parse_class(const char *value, uint32_t *ret_bytes)
{
    static const uint32_t classes[] = {16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20};
    uint64_t bytes;

    if (strcmp(value, "auto") == 0) {
        *ret_bytes = 0;
        return true;
    }
    if (sf_units_size_parse(value, &bytes) != SF_OK) {
        return false;
    }
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (bytes == classes[i]) {
            *ret_bytes = classes[i];
            return true;
        }
    }
    return false;
}

/* Which of `names` the value is. */
static bool
parse_name(const char *value, const char *const *names, size_t count, unsigned *ret_index)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(value, names[i]) == 0) {
            *ret_index = (unsigned)i;
            return true;
        }
    }
    return false;
}

static const char *const privacy_names[] = {
    [SF_NODE_PRIVACY_NONE] = "none",
    [SF_NODE_PRIVACY_SIZE] = "size",
    [SF_NODE_PRIVACY_TIMING] = "timing",
};

int
sf_config_privacy_parse(const char *text, enum sf_node_privacy *ret_privacy)
{
    unsigned index;

    if (!parse_name(
            text, privacy_names, sizeof(privacy_names) / sizeof(privacy_names[0]), &index)) {
        return SF_EFORMAT;
    }
    *ret_privacy = (enum sf_node_privacy)index;
    return SF_OK;
}

const char *
sf_config_privacy_name(enum sf_node_privacy privacy)
{
    return privacy_names[privacy];
}

static bool
parse_disk(const char *value, enum sf_config_disk *ret_disk)
{
    static const char *const names[] = {
        [SF_CONFIG_DISK_AUTO] = "auto",
        [SF_CONFIG_DISK_URING] = "uring",
        [SF_CONFIG_DISK_POSIX] = "posix",
    };
    unsigned index;

    if (!parse_name(value, names, sizeof(names) / sizeof(names[0]), &index)) {
        return false;
    }
    *ret_disk = (enum sf_config_disk)index;
    return true;
}

static bool
parse_confine(const char *value, enum sf_config_confine *ret_confine)
{
    static const char *const names[] = {
        [SF_CONFIG_CONFINE_AUTO] = "auto",
        [SF_CONFIG_CONFINE_YES] = "yes",
        [SF_CONFIG_CONFINE_NO] = "no",
    };
    unsigned index;

    if (!parse_name(value, names, sizeof(names) / sizeof(names[0]), &index)) {
        return false;
    }
    *ret_confine = (enum sf_config_confine)index;
    return true;
}

static bool
is_group_name(const char *value)
{
    size_t bytes =
        strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return bytes > 0 && bytes <= SF_CONFIG_GROUP_BYTES_MAX && value[bytes] == '\0';
}

static bool
add_listen(struct sf_config *config, const char *value)
{
    if (config->is_listen_default) {
        config->is_listen_default = false;
        config->listen_count = 0;
    }
    if (config->listen_count == SF_CONFIG_LISTEN_MAX ||
        sf_config_listen_parse(value, &config->listen[config->listen_count]) != SF_OK) {
        return false;
    }
    config->listen_count++;
    return true;
}

static bool
add_outbox(struct sf_config *config, const char *value)
{
    size_t bytes = strlen(value);

    if (*value != '/' || bytes > SF_HOME_PATH_BYTES_MAX ||
        config->outbox_count == SF_CONFIG_OUTBOX_MAX) {
        return false;
    }
    while (bytes > 1 && value[bytes - 1] == '/') {
        bytes--;
    }
    memcpy(config->outbox[config->outbox_count], value, bytes);
    config->outbox[config->outbox_count][bytes] = '\0';
    config->outbox_count++;
    return true;
}

static bool
add_limit(struct sf_config *config, const char *value)
{
    if (sf_limit_parse(value, &config->limits[config->limit_count]) != SF_OK) {
        return false;
    }
    config->limit_count++;
    return true;
}

static bool
set_value(struct sf_config *config, enum key key, const char *value)
{
    switch (key) {
    case KEY_LISTEN:
        return add_listen(config, value);
    case KEY_MTU:
        return parse_count(value, MTU_BYTES_MIN, MTU_BYTES_MAX, &config->mtu_bytes);
    case KEY_RESERVE:
        return sf_units_size_parse(value, &config->reserve_bytes) == SF_OK;
    case KEY_QUOTA:
        return sf_units_size_parse(value, &config->quota_bytes) == SF_OK;
    case KEY_KEEP:
        return sf_units_size_parse(value, &config->keep_bytes) == SF_OK;
    case KEY_CLASS:
        return parse_class(value, &config->class_bytes);
    case KEY_WORKERS:
        if (strcmp(value, "auto") == 0) {
            config->workers = 0;
            return true;
        }
        return parse_count(value, 1, SF_CONFIG_WORKERS_MAX, &config->workers);
    case KEY_OUTBOX:
        return add_outbox(config, value);
    case KEY_DISK:
        return parse_disk(value, &config->disk);
    case KEY_GROUP:
        if (!is_group_name(value)) {
            return false;
        }
        memcpy(config->group, value, strlen(value) + 1);
        return true;
    case KEY_LIMIT:
        return add_limit(config, value);
    case KEY_CONFINE:
        return parse_confine(value, &config->confine);
    case KEY_PRIVACY:
        return sf_config_privacy_parse(value, &config->privacy) == SF_OK;
    case KEY_PRIVACY_BUDGET:
        return sf_units_size_parse(value, &config->privacy_budget_bytes) == SF_OK;
    case KEY_COUNT:
        break;
    }
    return false;
}

_Static_assert(
    (int)SF_CONFIG_LIMIT_MAX == (int)SF_CONFIG_OUTBOX_MAX, "one figure is said for both");

/* Whether no more of a key that may come often fits. */
static bool
is_full(const struct sf_config *config, enum key key)
{
    return (key == KEY_LISTEN && config->listen_count == SF_CONFIG_LISTEN_MAX) ||
           (key == KEY_OUTBOX && config->outbox_count == SF_CONFIG_OUTBOX_MAX) ||
           (key == KEY_LIMIT && config->limit_count == SF_CONFIG_LIMIT_MAX);
}

static int
take_setting(void *context, const char *file, unsigned line, const char *key, const char *value,
    struct sf_app_error *error)
{
    struct parse *parse = context;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(key, keys[i].name) != 0) {
            continue;
        }
        if (parse->is_set[i] && !keys[i].is_repeatable) {
            return sf_app_error_set(
                error, SF_EFORMAT, "%s:%u: %s is set a second time: remove one", file, line, key);
        }
        if (is_full(&parse->config, (enum key)i)) {
            return sf_app_error_set(error, SF_EFORMAT, "%s:%u: too many lines of %s: at most %d",
                file, line, key, i == KEY_LISTEN ? SF_CONFIG_LISTEN_MAX : SF_CONFIG_OUTBOX_MAX);
        }
        parse->is_set[i] = true;
        if (!set_value(&parse->config, (enum key)i, value)) {
            return sf_config_complain(error, file, line, key, value, keys[i].form);
        }
        return SF_OK;
    }
    return sf_app_error_set(error, SF_EFORMAT,
        "%s:%u: unknown key %s: expected listen, mtu, reserve, quota, keep, class, workers, "
        "outbox, "
        "disk, group, confine, limit, privacy or privacy-budget",
        file, line, key);
}

int
sf_config_parse(
    const char *file, struct sf_view text, struct sf_config *ret_config, struct sf_app_error *error)
{
    struct parse *parse = calloc(1, sizeof(*parse));
    int status;

    if (parse == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "%s: no memory to read it", file);
    }
    sf_config_init(&parse->config);
    status = sf_config_each(file, text, take_setting, parse, error);
    if (status == SF_OK) {
        *ret_config = parse->config;
    }
    free(parse);
    return status;
}

int
sf_config_read(const struct sf_home *home, struct sf_config *ret_config, struct sf_app_error *error)
{
    char *text = malloc(SF_CONFIG_FILE_BYTES_MAX);
    const struct sf_home_read read = {
        .name = SF_HOME_CONFIG, .out = text, .bytes_max = SF_CONFIG_FILE_BYTES_MAX};
    char file[SF_HOME_PATH_BYTES_MAX + 16];
    size_t bytes;
    int status;

    if (text == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory to read the config");
    }
    status = sf_home_read_file(home, &read, &bytes, error);
    if (status == SF_ENOENT) {
        sf_config_init(ret_config);
        status = SF_OK;
    } else if (status == SF_OK) {
        (void)snprintf(file, sizeof(file), "%s/%s", home->path, SF_HOME_CONFIG);
        status = sf_config_parse(file, sf_view(text, bytes), ret_config, error);
    }
    free(text);
    return status;
}
