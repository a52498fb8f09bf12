#include "config.h"

#include "sim/scenario.h"

#include "link/link.h"
#include "sim/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DAY_NS         (UINT64_C(86400) * SF_SEC)
#define RATE_UNLIMITED UINT64_C(1000000000) /* of a peer whose path has no rate */

/* --- Errors --- */

__attribute__((format(printf, 3, 4))) static int
fail(struct sf_scenario_error *error, int status, const char *format, ...)
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

/* --- Values --- */

/* A reader of sim/value.h, its limits, and how both are told to people. */
struct amount {
    int (*read)(const char *text, uint64_t max, uint64_t *ret_value);
    uint64_t min;
    uint64_t max;
    const char *accepted;
};

static const struct amount size_amount = {
    sf_sim_value_size, 1, SF_SCENARIO_SIZE_MAX, SF_SIM_VALUE_SIZE_FORM ", from 1 byte to 100TB"};
static const struct amount start_amount = {
    sf_sim_value_time, 0, SF_SCENARIO_TIME_NS_MAX, SF_SIM_VALUE_TIME_FORM ", up to 1000d"};
static const struct amount until_amount = {sf_sim_value_time, SF_SEC, SF_SCENARIO_TIME_NS_MAX,
    SF_SIM_VALUE_TIME_FORM ", from 1s to 1000d"};
static const struct amount rate_amount = {sf_sim_value_rate, SF_SCENARIO_RATE_BPS_MIN,
    SF_SCENARIO_RATE_BPS_MAX, SF_SIM_VALUE_RATE_FORM ", from 1kbit to 100Gbit"};
static const struct amount mtu_amount = {sf_sim_value_count, SF_LINK_MTU_MIN, SF_LINK_MTU_MAX,
    "the bytes of an IP packet, from 1280 to 9000"};
static const struct amount seed_amount = {
    sf_sim_value_count, 0, UINT64_MAX, "a number from 0 to 2^64 - 1"};
static const struct amount receivers_amount = {
    sf_sim_value_count, 1, SF_SCENARIO_RECEIVERS_MAX, "a number from 1 to 8"};

static int
read_amount(const struct amount *amount, const char *key, const char *text, uint64_t *ret_value,
    struct sf_scenario_error *error)
{
    uint64_t value = 0;
    int status = amount->read(text, amount->max, &value);

    if (status == SF_OK && value < amount->min) {
        status = SF_ELIMIT;
    }
    if (status != SF_OK) {
        return fail(
            error, status, "%s: \"%.60s\" is not accepted: give %s", key, text, amount->accepted);
    }
    *ret_value = value;
    return SF_OK;
}

/* Names of receivers are names of peers: letters, digits, '.', '_' and '-', not '-' first. */
static bool
is_name(const char *text)
{
    size_t bytes = strlen(text);

    if (bytes == 0 || bytes >= SF_SCENARIO_NAME_BYTES || *text == '-' || *text == '.') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                (*text >= '0' && *text <= '9') || *text == '.' || *text == '_' || *text == '-')) {
            return false;
        }
    }
    return true;
}

/* --- Keys --- */

struct assignment {
    struct sf_scenario *scenario;
    const char *key;
    const char *value;
    const struct sf_scenario_loader *loader;
    struct sf_scenario_error *error;
};

static int
load_profile(const struct assignment *a, const char *name, struct sf_scenario_receiver *receiver)
{
    struct sf_scenario_error error;

    if (a->scenario->is_changed) {
        return fail(a->error, SF_EFORMAT,
            "%s: link. lines stand before it and would be lost: put them behind it", a->key);
    }
    if (*name == '\0' || strlen(name) >= sizeof(receiver->profile_name)) {
        return fail(a->error, SF_EFORMAT,
            "%s: \"%.80s\" is not accepted: give the name of a profile, of at most %d bytes",
            a->key, name, SF_SCENARIO_NAME_BYTES - 1);
    }
    sf_sim_profile_init(&receiver->profile);
    memset(&error, 0, sizeof(error));
    if (!a->loader->load(a->loader->context, name, &receiver->profile, error.text)) {
        return fail(a->error, SF_EFORMAT, "%s: %.400s", a->key, error.text);
    }
    snprintf(receiver->profile_name, sizeof(receiver->profile_name), "%s", name);
    return SF_OK;
}

static int
set_size(const struct assignment *a)
{
    return read_amount(&size_amount, a->key, a->value, &a->scenario->size_bytes, a->error);
}

static int
set_start(const struct assignment *a)
{
    return read_amount(&start_amount, a->key, a->value, &a->scenario->start_ns, a->error);
}

static int
set_until(const struct assignment *a)
{
    return read_amount(&until_amount, a->key, a->value, &a->scenario->until_ns, a->error);
}

static int
set_rate(const struct assignment *a)
{
    return read_amount(&rate_amount, a->key, a->value, &a->scenario->rate_bps, a->error);
}

static int
set_seed(const struct assignment *a)
{
    return read_amount(&seed_amount, a->key, a->value, &a->scenario->seed, a->error);
}

static int
set_mtu(const struct assignment *a)
{
    uint64_t value = 0;
    int status = read_amount(&mtu_amount, a->key, a->value, &value, a->error);

    if (status == SF_OK) {
        a->scenario->mtu_bytes = (uint32_t)value;
    }
    return status;
}

static int
set_title(const struct assignment *a)
{
    size_t bytes = strlen(a->value);

    for (const char *c = a->value; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') {
            bytes = SF_SCENARIO_NAME_BYTES;
        }
    }
    if (bytes >= SF_SCENARIO_NAME_BYTES) {
        return fail(a->error, SF_EFORMAT,
            "%s: \"%.60s\" is not accepted: give at most %d printable ASCII characters", a->key,
            a->value, SF_SCENARIO_NAME_BYTES - 1);
    }
    snprintf(a->scenario->title, sizeof(a->scenario->title), "%s", a->value);
    return SF_OK;
}

/* Whether it is there, and what is in it, is the caller's business. */
static int
set_plan(const struct assignment *a)
{
    if (*a->value == '\0' || strlen(a->value) >= sizeof(a->scenario->plan)) {
        return fail(a->error, SF_EFORMAT,
            "%s: \"%.60s\" is not accepted: give the name of a contact plan, of at most %d bytes",
            a->key, a->value, SF_SCENARIO_LINE_BYTES_MAX - 1);
    }
    snprintf(a->scenario->plan, sizeof(a->scenario->plan), "%s", a->value);
    return SF_OK;
}

/* The network of every receiver there is. */
static int
set_profile(const struct assignment *a)
{
    struct sf_scenario_receiver found;
    int status;

    if (a->scenario->is_named) {
        return fail(a->error, SF_EFORMAT,
            "%s: receivers were named before it: put it in front of them", a->key);
    }
    status = load_profile(a, a->value, &found);
    if (status != SF_OK) {
        return status;
    }
    for (size_t i = 0; i < SF_SCENARIO_RECEIVERS_MAX; i++) {
        a->scenario->receivers[i].profile = found.profile;
        memcpy(
            a->scenario->receivers[i].profile_name, found.profile_name, sizeof(found.profile_name));
    }
    return SF_OK;
}

static int
set_receivers(const struct assignment *a)
{
    uint64_t value = 0;
    int status = read_amount(&receivers_amount, a->key, a->value, &value, a->error);

    if (status == SF_OK && a->scenario->is_named) {
        return fail(a->error, SF_EFORMAT, "%s: the receivers are named one by one already", a->key);
    }
    if (status == SF_OK) {
        a->scenario->receiver_count = (size_t)value;
    }
    return status;
}

/* "NAME", or "NAME PROFILE". */
static int
set_receiver(const struct assignment *a)
{
    struct sf_scenario *scenario = a->scenario;
    size_t count = scenario->is_named ? scenario->receiver_count : 0;
    size_t name_bytes = strcspn(a->value, " \t");
    const char *profile = a->value + name_bytes + strspn(a->value + name_bytes, " \t");
    struct sf_scenario_receiver *receiver = &scenario->receivers[count];
    char name[SF_SCENARIO_LINE_BYTES_MAX + 1];

    snprintf(name, sizeof(name), "%.*s", (int)name_bytes, a->value);
    if (!is_name(name)) {
        return fail(a->error, SF_EFORMAT,
            "%s: \"%.60s\" is not accepted: give NAME or NAME PROFILE, the name of at most %d "
            "letters, digits, '.', '_' and '-'",
            a->key, name, SF_SCENARIO_NAME_BYTES - 1);
    }
    if (count == SF_SCENARIO_RECEIVERS_MAX) {
        return fail(a->error, SF_ELIMIT, "%s: at most %d of them are accepted", a->key,
            SF_SCENARIO_RECEIVERS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(scenario->receivers[i].name, name) == 0) {
            return fail(a->error, SF_EFORMAT, "%s: \"%s\" is there already", a->key, name);
        }
    }
    if (scenario->is_changed) {
        return fail(a->error, SF_EFORMAT,
            "%s: link. lines stand before it: put them behind the receivers", a->key);
    }
    if (*profile != '\0') {
        int status = load_profile(a, profile, receiver);

        if (status != SF_OK) {
            return status;
        }
    }
    memcpy(receiver->name, name, name_bytes + 1);
    scenario->receiver_count = count + 1;
    scenario->is_named = true;
    return SF_OK;
}

/* A key of profiles, for all receivers there are or may still be counted. */
static int
set_link(const struct assignment *a)
{
    char text[SF_SIM_PROFILE_LINE_BYTES_MAX + 1];
    struct sf_sim_profile_error error;

    if (snprintf(text, sizeof(text), "%s=%s", a->key + strlen("link."), a->value) >=
        (int)sizeof(text)) {
        return fail(a->error, SF_ELIMIT, "%.40s: the value is too long", a->key);
    }
    for (size_t i = 0; i < SF_SCENARIO_RECEIVERS_MAX; i++) {
        int status = sf_sim_profile_set(&a->scenario->receivers[i].profile, text, &error);

        if (status != SF_OK) {
            return fail(a->error, status, "link.%s", error.text);
        }
    }
    a->scenario->is_changed = true;
    return SF_OK;
}

static const struct key {
    const char *name;
    int (*set)(const struct assignment *assignment);
} keys[] = {
    {"size", set_size},
    {"profile", set_profile},
    {"receivers", set_receivers},
    {"receiver", set_receiver},
    {"plan", set_plan},
    {"start", set_start},
    {"until", set_until},
    {"rate", set_rate},
    {"mtu", set_mtu},
    {"seed", set_seed},
    {"title", set_title},
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static int
assign(const struct assignment *a)
{
    char known[160] = "";

    if (strncmp(a->key, "link.", strlen("link.")) == 0) {
        return set_link(a);
    }
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, a->key) == 0) {
            return keys[i].set(a);
        }
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s, ", keys[i].name);
    }
    return fail(a->error, SF_EFORMAT,
        "\"%.40s\" is no key; accepted are: %sand link. before a key of profiles", a->key, known);
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
parse_line(struct sf_scenario *scenario, struct sf_view line,
    const struct sf_scenario_loader *loader, struct sf_scenario_error *error)
{
    char text[SF_SCENARIO_LINE_BYTES_MAX + 1];
    struct assignment assignment = {.scenario = scenario, .loader = loader, .error = error};
    char *equals;
    char *name;

    if (line.bytes > SF_SCENARIO_LINE_BYTES_MAX) {
        return fail(error, SF_ELIMIT, "a line has at most %d bytes", SF_SCENARIO_LINE_BYTES_MAX);
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
    assignment.key = trim(name);
    assignment.value = trim(equals + 1);
    return assign(&assignment);
}

void
sf_scenario_init(struct sf_scenario *scenario)
{
    memset(scenario, 0, sizeof(*scenario));
    scenario->until_ns = 30 * DAY_NS;
    scenario->seed = 1;
    scenario->receiver_count = 1;
    for (unsigned i = 0; i < SF_SCENARIO_RECEIVERS_MAX; i++) {
        sf_sim_profile_init(&scenario->receivers[i].profile);
        snprintf(scenario->receivers[i].name, sizeof(scenario->receivers[i].name), "sat-%u", i + 1);
    }
}

int
sf_scenario_parse(struct sf_scenario *scenario, struct sf_view text,
    const struct sf_scenario_loader *loader, struct sf_scenario_error *ret_error)
{
    struct sf_scenario work = *scenario;
    unsigned int line_number = 0;

    ret_error->line = 0;
    if (text.bytes > SF_SCENARIO_BYTES_MAX) {
        return fail(ret_error, SF_ELIMIT, "a scenario has at most %d bytes", SF_SCENARIO_BYTES_MAX);
    }
    while (text.bytes > 0) {
        const uint8_t *newline = memchr(text.data, '\n', text.bytes);
        size_t bytes = newline == NULL ? text.bytes : (size_t)(newline - text.data);
        int status;

        ret_error->line = ++line_number;
        status = parse_line(&work, sf_view(text.data, bytes), loader, ret_error);
        if (status != SF_OK) {
            return status;
        }
        if (newline != NULL) {
            bytes++;
        }
        text = sf_view(text.data + bytes, text.bytes - bytes);
    }
    *scenario = work;
    return SF_OK;
}

int
sf_scenario_set(struct sf_scenario *scenario, const char *key, const char *value,
    const struct sf_scenario_loader *loader, struct sf_scenario_error *ret_error)
{
    struct sf_scenario work = *scenario;
    const struct assignment assignment = {&work, key, value, loader, ret_error};
    int status;

    ret_error->line = 0;
    if (strlen(key) + strlen(value) > SF_SCENARIO_LINE_BYTES_MAX) {
        return fail(ret_error, SF_ELIMIT, "%.40s: at most %d bytes are accepted", key,
            SF_SCENARIO_LINE_BYTES_MAX);
    }
    status = assign(&assignment);
    if (status == SF_OK) {
        *scenario = work;
    }
    return status;
}

int
sf_scenario_check(const struct sf_scenario *scenario, struct sf_scenario_error *ret_error)
{
    ret_error->line = 0;
    if (scenario->size_bytes == 0) {
        return fail(ret_error, SF_EFORMAT, "there is no size: give %s", SF_SIM_VALUE_SIZE_FORM);
    }
    for (size_t i = 0; i < scenario->receiver_count; i++) {
        const struct sf_scenario_receiver *receiver = &scenario->receivers[i];
        struct sf_sim_profile_error error;
        int status = sf_sim_profile_check(&receiver->profile, &error);

        if (status != SF_OK) {
            return fail(ret_error, status, "%s: %.400s", receiver->name, error.text);
        }
    }
    return SF_OK;
}

/* --- What follows from it --- */

static uint64_t
path_rate_bps(const struct sf_sim_path_config *path)
{
    uint64_t rate = path->rate_bps;

    for (size_t i = 0; i < path->plan_count; i++) {
        rate = path->plan[i].rate_bps > rate ? path->plan[i].rate_bps : rate;
    }
    return rate;
}

uint64_t
sf_scenario_rate_bps(const struct sf_scenario *scenario, size_t index)
{
    uint64_t rate = scenario->rate_bps;

    if (rate == 0) {
        rate = path_rate_bps(&scenario->receivers[index].profile.forward);
    }
    if (rate == 0) {
        rate = RATE_UNLIMITED;
    }
    if (rate < SF_SCENARIO_RATE_BPS_MIN) {
        rate = SF_SCENARIO_RATE_BPS_MIN;
    }
    return rate < SF_SCENARIO_RATE_BPS_MAX ? rate : SF_SCENARIO_RATE_BPS_MAX;
}

uint32_t
sf_scenario_mtu_bytes(const struct sf_scenario *scenario)
{
    uint32_t mtu = SF_LINK_MTU_DEFAULT;

    if (scenario->mtu_bytes != 0) {
        return scenario->mtu_bytes;
    }
    for (size_t i = 0; i < scenario->receiver_count; i++) {
        const struct sf_sim_profile *profile = &scenario->receivers[i].profile;

        if (profile->forward.mtu_bytes != 0 && profile->forward.mtu_bytes < mtu) {
            mtu = profile->forward.mtu_bytes;
        }
        if (profile->back.mtu_bytes != 0 && profile->back.mtu_bytes < mtu) {
            mtu = profile->back.mtu_bytes;
        }
    }
    return mtu < SF_LINK_MTU_MIN ? SF_LINK_MTU_MIN : mtu;
}
