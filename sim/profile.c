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

/* Some shares must leave something. */
static const struct dimension partial = {
    share_units, "a share from 0% to less than 100% (%, ppm)", NULL};
static const struct dimension span = {
    time_units, "a time from 1ms to 1000d (ms, s, min, h, d) or none", "none"};

enum place { PLACE_U64, PLACE_U32, PLACE_WINDOWS, PLACE_TIMES };

struct key {
    const char *name;
    const struct dimension *dimension;
    enum place place;
    size_t offset;       /* in the path's config, or in the translator's */
    size_t count_offset; /* of windows and times */
    uint64_t max;
};

#define FIELD(name) offsetof(struct sf_sim_path_config, name)
#define NAT(name)   offsetof(struct sf_sim_nat_config, name)

/* Of each direction. */
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
    {"fade-span", &span, PLACE_U64, FIELD(fade_span_ns), 0, SF_SIM_PATH_TIME_NS_MAX},
    {"fade-chance", &share, PLACE_U32, FIELD(fade_ppm), 0, SF_PRNG_PPM},
    {"fade-rate", &partial, PLACE_U32, FIELD(fade_rate_ppm), 0, SF_PRNG_PPM - 1},
    {"fade-loss", &share, PLACE_U32, FIELD(fade_loss_ppm), 0, SF_PRNG_PPM},
    {"period", &duration, PLACE_U64, FIELD(period_ns), 0, SF_SIM_PATH_TIME_NS_MAX},
    {"duty", &share, PLACE_U32, FIELD(duty_ppm), 0, SF_PRNG_PPM},
    {"outage", &duration, PLACE_WINDOWS, FIELD(outages), FIELD(outage_count),
        SF_SIM_PATH_TIME_NS_MAX},
    {"contact", &duration, PLACE_WINDOWS, FIELD(contacts), FIELD(contact_count),
        SF_SIM_PATH_TIME_NS_MAX},
};

/* Of the link as a whole. */
static const struct key nat_keys[] = {
    {"nat-every", &span, PLACE_U64, NAT(every_ns), 0, SF_SIM_PATH_TIME_NS_MAX},
    {"nat-idle", &span, PLACE_U64, NAT(idle_ns), 0, SF_SIM_PATH_TIME_NS_MAX},
    {"nat-rebind", &duration, PLACE_TIMES, NAT(times), NAT(count), SF_SIM_PATH_TIME_NS_MAX},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* A point in time: "5s", or "now" where that means something. */
static bool
read_start(const struct key *key, const char *text, sf_mono now, sf_mono *ret_start)
{
    if (strcmp(text, "now") == 0 && now <= key->max) {
        *ret_start = now;
        return true;
    }
    return read_value(key->dimension, text, key->max, ret_start);
}

static int
set_window(uint8_t *config, const struct key *key, const char *value, sf_mono now,
    struct sf_sim_profile_error *error)
{
    struct sf_sim_window *windows = (struct sf_sim_window *)(void *)(config + key->offset);
    size_t *count = (size_t *)(void *)(config + key->count_offset);
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
    if (plus == NULL || !read_start(key, start_text, now, &window.start) ||
        !read_value(key->dimension, plus + 1, key->max, &window.span_ns)) {
        return fail(error, SF_EFORMAT,
            "%s: \"%.60s\" is not accepted: give START+LENGTH such as 5s+2s%s, or none", key->name,
            value, now == SF_NEVER ? "" : " or now+2s");
    }
    if (*count == SF_SIM_PATH_WINDOWS_MAX) {
        return fail(error, SF_ELIMIT, "%s: at most %d of them are accepted", key->name,
            SF_SIM_PATH_WINDOWS_MAX);
    }
    windows[(*count)++] = window;
    return SF_OK;
}

static int
set_time(uint8_t *config, const struct key *key, const char *value, sf_mono now,
    struct sf_sim_profile_error *error)
{
    sf_mono *times = (sf_mono *)(void *)(config + key->offset);
    size_t *count = (size_t *)(void *)(config + key->count_offset);
    sf_mono start;

    if (strcmp(value, "none") == 0) {
        *count = 0;
        return SF_OK;
    }
    if (!read_start(key, value, now, &start)) {
        return fail(error, SF_EFORMAT,
            "%s: \"%.60s\" is not accepted: give a time from the start such as 90s%s, or none",
            key->name, value, now == SF_NEVER ? "" : " or now");
    }
    if (*count == SF_SIM_NAT_TIMES_MAX) {
        return fail(error, SF_ELIMIT, "%s: at most %d of them are accepted", key->name,
            SF_SIM_NAT_TIMES_MAX);
    }
    times[(*count)++] = start;
    return SF_OK;
}

static int
set_key(uint8_t *config, const struct key *key, const char *value, sf_mono now,
    struct sf_sim_profile_error *error)
{
    uint64_t number;
    uint32_t small;

    if (key->place == PLACE_WINDOWS) {
        return set_window(config, key, value, now, error);
    }
    if (key->place == PLACE_TIMES) {
        return set_time(config, key, value, now, error);
    }
    if (!read_value(key->dimension, value, key->max, &number) ||
        (key->dimension == &span && number != 0 && number < SF_MS)) {
        return fail(error, SF_EFORMAT, "%s: \"%.60s\" is not accepted: give %s", key->name, value,
            key->dimension->accepted);
    }
    if (key->place == PLACE_U64) {
        memcpy(config + key->offset, &number, sizeof(number));
    } else {
        small = (uint32_t)number;
        memcpy(config + key->offset, &small, sizeof(small));
    }
    return SF_OK;
}

static const struct key *
find_key(const struct key *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static int
no_key(const char *name, struct sf_sim_profile_error *error)
{
    char known[400] = "";

    for (size_t i = 0; i < COUNT(keys) + COUNT(nat_keys); i++) {
        const struct key *key = i < COUNT(keys) ? &keys[i] : &nat_keys[i - COUNT(keys)];

        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i == 0 ? "" : " ",
            key->name);
    }
    return fail(error, SF_EFORMAT, "\"%.40s\" is no key; accepted are: %s", name, known);
}

static int
assign(struct sf_sim_profile *profile, const char *name, const char *value,
    struct sf_sim_profile_error *error)
{
    bool forward = strncmp(name, "back.", 5) != 0;
    bool back = strncmp(name, "forward.", 8) != 0;
    const char *bare = !forward ? name + 5 : !back ? name + 8 : name;
    const struct key *key = find_key(keys, COUNT(keys), bare);
    int status = SF_OK;

    if (key == NULL) {
        key = find_key(nat_keys, COUNT(nat_keys), bare);
        if (key == NULL) {
            return no_key(name, error);
        }
        if (bare != name) {
            return fail(
                error, SF_EFORMAT, "\"%.40s\" is no key: %s is of the link as a whole", name, bare);
        }
        return set_key((uint8_t *)&profile->nat, key, value, profile->now, error);
    }
    if (forward) {
        status = set_key((uint8_t *)&profile->forward, key, value, profile->now, error);
    }
    if (status == SF_OK && back) {
        status = set_key((uint8_t *)&profile->back, key, value, profile->now, error);
    }
    return status;
}

/* --- The whole --- */

static int
check_windows(const struct sf_sim_path_config *config, const struct sf_sim_window *windows,
    size_t count, const char *name, struct sf_sim_profile_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (config->period_ns != 0 && windows[i].start >= config->period_ns) {
            return fail(error, SF_EFORMAT,
                "%s: number %zu begins after the period is over: give a START within it", name,
                i + 1);
        }
    }
    return SF_OK;
}

static int
check_path(const struct sf_sim_path_config *c, struct sf_sim_profile_error *error)
{
    const struct {
        bool is_wrong;
        const char *name;
        const char *needs;
    } rules[] = {
        {c->duty_ppm != 0 && c->period_ns == 0, "duty", "period"},
        {c->reorder_ppm != 0 && c->reorder_ns == 0, "reorder", "reorder-delay"},
        {c->burst_enter_ppm != 0 && c->burst_loss_ppm == 0, "burst-enter", "burst-loss"},
        {c->burst_enter_ppm != 0 && c->burst_leave_ppm == 0, "burst-enter", "burst-leave"},
        {c->burst_enter_ppm == 0 && c->burst_loss_ppm != 0, "burst-loss", "burst-enter"},
        {c->fade_rate_ppm != 0 && c->fade_span_ns == 0, "fade-rate", "fade-span"},
        {c->fade_loss_ppm != 0 && c->fade_span_ns == 0, "fade-loss", "fade-span"},
        {c->fade_span_ns != 0 && c->fade_rate_ppm == 0 && c->fade_loss_ppm == 0, "fade-span",
            "fade-rate or fade-loss"},
    };
    int status;

    for (size_t i = 0; i < COUNT(rules); i++) {
        if (rules[i].is_wrong) {
            return fail(error, SF_EFORMAT, "%s has no effect without %s: give both or neither",
                rules[i].name, rules[i].needs);
        }
    }
    status = check_windows(c, c->outages, c->outage_count, "outage", error);
    if (status != SF_OK) {
        return status;
    }
    return check_windows(c, c->contacts, c->contact_count, "contact", error);
}

int
sf_sim_profile_check(const struct sf_sim_profile *profile, struct sf_sim_profile_error *ret_error)
{
    int status;

    ret_error->line = 0;
    status = check_path(&profile->forward, ret_error);
    return status != SF_OK ? status : check_path(&profile->back, ret_error);
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
    profile->forward.fade_ppm = SF_PRNG_PPM;
    profile->back.fade_ppm = SF_PRNG_PPM;
    profile->now = SF_NEVER;
}

int
sf_sim_profile_parse(
    struct sf_sim_profile *profile, struct sf_view text, struct sf_sim_profile_error *ret_error)
{
    struct sf_sim_profile work = *profile;
    unsigned int line_number = 0;
    int status;

    ret_error->line = 0;
    if (text.bytes > SF_SIM_PROFILE_BYTES_MAX) {
        return fail(
            ret_error, SF_ELIMIT, "a profile has at most %d bytes", SF_SIM_PROFILE_BYTES_MAX);
    }
    while (text.bytes > 0) {
        const uint8_t *newline = memchr(text.data, '\n', text.bytes);
        size_t bytes = newline == NULL ? text.bytes : (size_t)(newline - text.data);

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
    status = sf_sim_profile_check(&work, ret_error);
    if (status != SF_OK) {
        ret_error->line = line_number; /* only now is it sure that nothing more comes */
        return status;
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

const struct sf_sim_profile_named *
sf_sim_profile_find(const char *name)
{
    for (const struct sf_sim_profile_named *profile = sf_sim_profiles; profile->name != NULL;
         profile++) {
        if (strcmp(profile->name, name) == 0) {
            return profile;
        }
    }
    return NULL;
}

void
sf_sim_profile_summary(
    const struct sf_sim_profile_named *profile, char *ret_line, size_t line_bytes)
{
    size_t first = strcspn(profile->text, "\n");
    const char *colon = memchr(profile->text, ':', first);
    const char *begin = colon == NULL ? profile->text : colon + 1;

    while (*begin == ' ') {
        begin++;
    }
    snprintf(ret_line, line_bytes, "%.*s", (int)(profile->text + first - begin), begin);
}
