#include "config.h"

#include "sim/profile.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { FRACTION_DIGITS_MAX = 9 };

struct unit {
    const char *name;
    uint64_t factor;
};

/* What a value may be: the units that may follow its number, and how they are named in errors. */
struct dimension {
    const struct unit *units;
    const char *accepted;
    const char *word_for_zero; /* a word that stands for "no limit", or NULL */
};

static const struct unit rate_units[] = {{"bit", 1}, {"kbit", 1000}, {"Mbit", 1000000},
    {"Gbit", 1000000000}, {"Byte", 8}, {"kByte", 8000}, {"MByte", 8000000}, {"GByte", 8000000000},
    {NULL, 0}};
static const struct unit time_units[] = {{"ns", 1}, {"us", SF_US}, {"ms", SF_MS}, {"s", SF_SEC},
    {"min", 60 * SF_SEC}, {"h", 3600 * SF_SEC}, {"d", 86400 * SF_SEC}, {NULL, 0}};
static const struct unit size_units[] = {{"Byte", 1}, {"kByte", 1000}, {"MByte", 1000000},
    {"GByte", 1000000000}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"B", 1},
    {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"", 1}, {NULL, 0}};
static const struct unit share_units[] = {{"%", 10000}, {"ppm", 1}, {NULL, 0}};

static const struct dimension rate = {rate_units,
    "a rate up to 1000Gbit (bit, kbit, Mbit, Gbit, Byte, kByte, ...) or unlimited", "unlimited"};
static const struct dimension duration = {
    time_units, "a time up to 1000d (ns, us, ms, s, min, h, d)", NULL};
static const struct dimension size = {
    size_units, "a size (B, kB, MB, KiB, MiB, ...) or unlimited", "unlimited"};
static const struct dimension share = {share_units, "a share from 0% to 100% (%, ppm)", NULL};

enum place { PLACE_U64, PLACE_U32, PLACE_WINDOWS };

struct key {
    const char *name;
    const struct dimension *dimension;
    enum place place;
    size_t offset;
    size_t count_offset; /* of windows */
    uint64_t max;
};

#define FIELD(name) offsetof(struct sf_sim_path_config, name)

static const struct key keys[] = {
    {"rate", &rate, PLACE_U64, FIELD(rate_bps), 0, SF_SIM_PATH_RATE_BPS_MAX},
    {"delay", &duration, PLACE_U64, FIELD(delay_ns), 0, SF_SIM_PATH_TIME_NS_MAX},
    {"jitter", &duration, PLACE_U64, FIELD(jitter_ns), 0, SF_SIM_PATH_TIME_NS_MAX},
    {"loss", &share, PLACE_U32, FIELD(loss_ppm), 0, SF_PRNG_PPM},
    {"burst-enter", &share, PLACE_U32, FIELD(burst_enter_ppm), 0, SF_PRNG_PPM},
    {"burst-leave", &share, PLACE_U32, FIELD(burst_leave_ppm), 0, SF_PRNG_PPM},
    {"burst-loss", &share, PLACE_U32, FIELD(burst_loss_ppm), 0, SF_PRNG_PPM},
    {"corrupt", &share, PLACE_U32, FIELD(corrupt_ppm), 0, SF_PRNG_PPM},
    {"duplicate", &share, PLACE_U32, FIELD(duplicate_ppm), 0, SF_PRNG_PPM},
    {"reorder", &share, PLACE_U32, FIELD(reorder_ppm), 0, SF_PRNG_PPM},
    {"reorder-delay", &duration, PLACE_U64, FIELD(reorder_ns), 0, SF_SIM_PATH_TIME_NS_MAX},
    {"queue", &size, PLACE_U64, FIELD(queue_bytes), 0, UINT64_C(1) << 40},
    {"mtu", &size, PLACE_U32, FIELD(mtu_bytes), 0, SF_SIM_PATH_MTU_BYTES_MAX},
    {"period", &duration, PLACE_U64, FIELD(period_ns), 0, SF_SIM_PATH_TIME_NS_MAX},
    {"outage", &duration, PLACE_WINDOWS, FIELD(outages), FIELD(outage_count),
        SF_SIM_PATH_TIME_NS_MAX},
    {"contact", &duration, PLACE_WINDOWS, FIELD(contacts), FIELD(contact_count),
        SF_SIM_PATH_TIME_NS_MAX},
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* --- Errors --- */

__attribute__((format(printf, 3, 4))) static int
fail(struct sf_sim_profile_error *error, int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    /* What was quoted may be anything: keep the message one line of plain text. */
    for (char *c = error->text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') {
            *c = '?';
        }
    }
    return status;
}

/* --- Numbers --- */

/* A decimal number of at most 9 places after the point; the fraction apart, so that none is lost. */
struct decimal {
    uint64_t whole;
    uint64_t fraction; /* of `scale` */
    uint64_t scale;
};

/* Read a decimal from the front of `text`; returns what follows, or NULL. */
static const char *
read_decimal(const char *text, struct decimal *ret_decimal)
{
    struct decimal decimal = {0, 0, 1};
    int places = 0;

    if (*text < '0' || *text > '9') {
        return NULL;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(decimal.whole, UINT64_C(10), &decimal.whole) ||
            __builtin_add_overflow(decimal.whole, (uint64_t)(*text - '0'), &decimal.whole)) {
            return NULL;
        }
    }
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++, places++) {
            if (places == FRACTION_DIGITS_MAX) {
                return NULL;
            }
            decimal.fraction = decimal.fraction * 10 + (uint64_t)(*text - '0');
            decimal.scale *= 10;
        }
        if (places == 0) {
            return NULL;
        }
    }
    *ret_decimal = decimal;
    return text;
}

/* The value of `text` in the dimension's base unit. False if it is none, or more than `max`. */
static bool
read_value(const struct dimension *dimension, const char *text, uint64_t max, uint64_t *ret_value)
{
    struct decimal decimal;
    const char *unit_name;
    uint64_t value;

    if (dimension->word_for_zero != NULL && strcmp(text, dimension->word_for_zero) == 0) {
        *ret_value = 0;
        return true;
    }
    unit_name = read_decimal(text, &decimal);
    if (unit_name == NULL) {
        return false;
    }
    for (const struct unit *unit = dimension->units; unit->name != NULL; unit++) {
        if (strcmp(unit->name, unit_name) == 0) {
            uint64_t part;

            if (__builtin_mul_overflow(decimal.fraction, unit->factor, &part) ||
                __builtin_mul_overflow(decimal.whole, unit->factor, &value) ||
                __builtin_add_overflow(value, part / decimal.scale, &value) || value > max) {
                return false;
            }
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* --- Keys --- */

static int
set_windows(struct sf_sim_path_config *config, const struct key *key, const char *value,
    struct sf_sim_profile_error *error)
{
    struct sf_sim_window *windows =
        (struct sf_sim_window *)(void *)((uint8_t *)config + key->offset);
    size_t *count = (size_t *)(void *)((uint8_t *)config + key->count_offset);
    const char *plus = strchr(value, '+');
    char start_text[SF_SIM_PROFILE_LINE_BYTES_MAX + 1];
    struct sf_sim_window window;

    if (strcmp(value, "none") == 0) {
        *count = 0;
        return SF_OK;
    }
    if (plus != NULL) {
        memcpy(start_text, value, (size_t)(plus - value));
        start_text[plus - value] = '\0';
    }
    if (plus == NULL || !read_value(key->dimension, start_text, key->max, &window.start) ||
        !read_value(key->dimension, plus + 1, key->max, &window.span_ns)) {
        return fail(error, SF_EFORMAT,
            "%s: \"%.60s\" is not accepted: give START+LENGTH such as 5s+2s, or none", key->name,
            value);
    }
    if (*count == SF_SIM_PATH_WINDOWS_MAX) {
        return fail(error, SF_ELIMIT, "%s: at most %d of them are accepted", key->name,
            SF_SIM_PATH_WINDOWS_MAX);
    }
    windows[(*count)++] = window;
    return SF_OK;
}

static int
set_key(struct sf_sim_path_config *config, const struct key *key, const char *value,
    struct sf_sim_profile_error *error)
{
    uint8_t *place = (uint8_t *)config + key->offset;
    uint64_t number;
    uint32_t small;

    if (key->place == PLACE_WINDOWS) {
        return set_windows(config, key, value, error);
    }
    if (!read_value(key->dimension, value, key->max, &number)) {
        return fail(error, SF_EFORMAT, "%s: \"%.60s\" is not accepted: give %s", key->name, value,
            key->dimension->accepted);
    }
    if (key->place == PLACE_U64) {
        memcpy(place, &number, sizeof(number));
    } else {
        small = (uint32_t)number;
        memcpy(place, &small, sizeof(small));
    }
    return SF_OK;
}

static int
assign(struct sf_sim_profile *profile, const char *name, const char *value,
    struct sf_sim_profile_error *error)
{
    bool forward = strncmp(name, "back.", 5) != 0;
    bool back = strncmp(name, "forward.", 8) != 0;
    const char *bare = !forward ? name + 5 : !back ? name + 8 : name;
    char known[160] = "";
    int status = SF_OK;

    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, bare) == 0) {
            if (forward) {
                status = set_key(&profile->forward, &keys[i], value, error);
            }
            if (status == SF_OK && back) {
                status = set_key(&profile->back, &keys[i], value, error);
            }
            return status;
        }
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i == 0 ? "" : " ",
            keys[i].name);
    }
    return fail(error, SF_EFORMAT, "\"%.40s\" is no key; accepted are: %s", name, known);
}

/* --- Lines --- */

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cut blanks off both ends, in place. */
static char *
trim(char *text)
{
    size_t bytes;

    while (is_space(*text)) {
        text++;
    }
    bytes = strlen(text);
    while (bytes > 0 && is_space(text[bytes - 1])) {
        text[--bytes] = '\0';
    }
    return text;
}

static int
parse_line(struct sf_sim_profile *profile, struct sf_view line, struct sf_sim_profile_error *error)
{
    char text[SF_SIM_PROFILE_LINE_BYTES_MAX + 1];
    char *equals;
    char *name;

    if (line.bytes > SF_SIM_PROFILE_LINE_BYTES_MAX) {
        return fail(error, SF_ELIMIT, "a line has at most %d bytes", SF_SIM_PROFILE_LINE_BYTES_MAX);
    }
    if (memchr(line.data, '\0', line.bytes) != NULL) {
        return fail(error, SF_EFORMAT, "a NUL byte is not text");
    }
    memcpy(text, line.data, line.bytes);
    text[line.bytes] = '\0';
    text[strcspn(text, "#")] = '\0';
    name = trim(text);
    if (*name == '\0') {
        return SF_OK;
    }
    equals = strchr(name, '=');
    if (equals == NULL) {
        return fail(error, SF_EFORMAT, "\"%.60s\" is not accepted: give KEY = VALUE", name);
    }
    *equals = '\0';
    return assign(profile, trim(name), trim(equals + 1), error);
}

void
sf_sim_profile_init(struct sf_sim_profile *profile)
{
    memset(profile, 0, sizeof(*profile));
}

int
sf_sim_profile_parse(
    struct sf_sim_profile *profile, struct sf_view text, struct sf_sim_profile_error *ret_error)
{
    struct sf_sim_profile work = *profile;
    unsigned int line_number = 0;

    ret_error->line = 0;
    if (text.bytes > SF_SIM_PROFILE_BYTES_MAX) {
        return fail(
            ret_error, SF_ELIMIT, "a profile has at most %d bytes", SF_SIM_PROFILE_BYTES_MAX);
    }
    while (text.bytes > 0) {
        const uint8_t *newline = memchr(text.data, '\n', text.bytes);
        size_t bytes = newline == NULL ? text.bytes : (size_t)(newline - text.data);
        int status;

        ret_error->line = ++line_number;
        status = parse_line(&work, sf_view(text.data, bytes), ret_error);
        if (status != SF_OK) {
            return status;
        }
        if (newline != NULL) {
            bytes++;
        }
        text = sf_view(text.data + bytes, text.bytes - bytes);
    }
    *profile = work;
    return SF_OK;
}

int
sf_sim_profile_set(
    struct sf_sim_profile *profile, const char *assignment, struct sf_sim_profile_error *ret_error)
{
    struct sf_sim_profile work = *profile;
    int status;

    ret_error->line = 0;
    if (strchr(assignment, '=') == NULL) {
        return fail(ret_error, SF_EFORMAT, "\"%.60s\" is not accepted: give KEY=VALUE", assignment);
    }
    status = parse_line(&work, sf_view(assignment, strlen(assignment)), ret_error);
    if (status == SF_OK) {
        *profile = work;
    }
    return status;
}

/* --- Profiles that come with the program --- */

const struct sf_sim_profile_named sf_sim_profiles[] = {
    {"leo", "low orbit, seen by a ground station: 20 ms, 100 Mbit down, 10 Mbit up",
        "delay = 20ms\njitter = 5ms\nforward.rate = 10Mbit\nback.rate = 100Mbit\n"
        "loss = 0.5%\nqueue = 512KiB\nmtu = 1500\n"},
    {"geo", "geostationary: 300 ms one way, 20 Mbit, bursts of loss in rain",
        "delay = 300ms\njitter = 10ms\nrate = 20Mbit\nloss = 0.1%\n"
        "burst-enter = 0.05%\nburst-leave = 5%\nburst-loss = 80%\nqueue = 1MiB\nmtu = 1500\n"},
    {"thin-return", "a fast downlink over a thousand times thinner way back",
        "delay = 150ms\nforward.rate = 200Mbit\nback.rate = 200kbit\nloss = 1%\n"
        "queue = 1MiB\nback.queue = 16KiB\nmtu = 1500\n"},
    {"passes", "ten minutes of contact in every ninety-five",
        "delay = 15ms\nrate = 50Mbit\nloss = 0.5%\nperiod = 95min\ncontact = 0s+10min\n"
        "queue = 512KiB\nmtu = 1500\n"},
    {"mars", "twenty-two light minutes, two megabits",
        "delay = 22min\nrate = 2Mbit\nloss = 0.1%\nqueue = 64MiB\nmtu = 1500\n"},
    {"hostile", "everything at once: loss in bursts, corruption, copies, reordering",
        "delay = 40ms\njitter = 30ms\nrate = 20Mbit\nloss = 5%\nburst-enter = 0.2%\n"
        "burst-leave = 2%\nburst-loss = 90%\ncorrupt = 0.5%\nduplicate = 2%\nreorder = 5%\n"
        "reorder-delay = 200ms\nqueue = 256KiB\nmtu = 1500\n"},
    {NULL, NULL, NULL},
};
