/*
 * Orbits: which form a text has, two-line elements, and OMM as lines and as JSON.
 *
 * Two lines of 69 columns (counted from 1; Hoots and Roehrich 1980, section 2):
 *
 *   line 1  3-7 number, 19-20 year, 21-32 day of the year, 54-61 B*,
 *           63 kind of theory, 69 checksum
 *   line 2  3-7 number, 9-16 inclination, 18-25 node, 27-33 eccentricity
 *           (after an assumed point), 35-42 perigee, 44-51 mean anomaly,
 *           53-63 revolutions a day, 69 checksum
 *
 * The checksum is the sum of all digits before it, a minus counting 1, modulo 10.
 * Years from 57 are of the last century, the first satellite's.
 */
#include "config.h"

#include "link/contact_orbit.h"

#include "link/contact_json.h"
#include "link/contact_text.h"

#include <stdlib.h>
#include <string.h>

enum { TLE_BYTES = 69, LINE_BYTES_MAX = 1024 };

#define DEGREES  (3.14159265358979323846 / 180)
#define PER_DAY  (2 * 3.14159265358979323846 / 1440) /* revolutions a day to radians a minute */
#define DAY_US   86400e6
#define DAYS_MAX 2932896 /* of the year 9999, after 1970 */

/* What all forms are read with. */
struct reader {
    struct sf_orbits *orbits;
    const char *name;
    struct sf_contact_error *error;
};

void
sf_orbits_init(struct sf_orbits *orbits)
{
    memset(orbits, 0, sizeof(*orbits));
}

void
sf_orbits_fini(struct sf_orbits *orbits)
{
    free(orbits->orbits);
    sf_orbits_init(orbits);
}

static int
append(struct reader *reader, const struct sf_orbit *orbit)
{
    struct sf_orbits *orbits = reader->orbits;
    struct sf_sgp4 sat;

    if (sf_sgp4_init(&sat, &orbit->elements) != SF_OK) {
        return sf_contact_fail(reader->error, SF_EFORMAT, reader->name, orbit->line,
            "these elements are no orbit: wanted are a mean motion above 0, an eccentricity below "
            "1 and an inclination from 0 to 180 degrees");
    }
    if (orbits->count == SF_ORBITS_MAX) {
        return sf_contact_fail(reader->error, SF_ELIMIT, reader->name, orbit->line,
            "at most %d satellites are accepted in one text", SF_ORBITS_MAX);
    }
    if (orbits->count == orbits->capacity) {
        size_t capacity = orbits->capacity == 0 ? 16 : orbits->capacity * 2;
        struct sf_orbit *grown = realloc(orbits->orbits, capacity * sizeof(*grown));

        if (grown == NULL) {
            return sf_contact_fail(
                reader->error, SF_ENOMEM, reader->name, 0, "there is no memory for its orbits");
        }
        orbits->orbits = grown;
        orbits->capacity = capacity;
    }
    orbits->orbits[orbits->count++] = *orbit;
    return SF_OK;
}

static void
set_name(struct sf_orbit *orbit, struct sf_view name)
{
    size_t bytes = name.bytes < sizeof(orbit->name) ? name.bytes : sizeof(orbit->name) - 1;

    memset(orbit->name, 0, sizeof(orbit->name));
    for (size_t i = 0; i < bytes; i++) {
        orbit->name[i] = name.data[i] < ' ' || name.data[i] > '~' ? '?' : (char)name.data[i];
    }
}

/* --- Two-line elements --- */

/* One line of the two, and how to speak of it. */
struct card {
    struct reader *reader;
    const uint8_t *columns; /* columns[1] is the first */
    unsigned int line;
};

static struct sf_view
field(const struct card *card, size_t first, size_t last)
{
    return sf_contact_trim(sf_view(card->columns + first, last - first + 1));
}

static int
fail_field(const struct card *card, size_t first, size_t last, const char *what, const char *want)
{
    return sf_contact_fail(card->reader->error, SF_EFORMAT, card->reader->name, card->line,
        "columns %zu to %zu, %s: \"%s\" is not accepted: give %s", first, last, what,
        sf_contact_show(sf_view(card->columns + first, last - first + 1)).text, want);
}

static int
read_angle(const struct card *card, size_t first, double max, const char *what, double *ret_value)
{
    double value;

    if (!sf_contact_real(field(card, first, first + 7), &value) || value < 0 || value > max) {
        return fail_field(card, first, first + 7, what,
            max > 180 ? "degrees from 0 to 360" : "degrees from 0 to 180");
    }
    *ret_value = value * DEGREES;
    return SF_OK;
}

/* Columns 3 to 7: digits, or a letter for the first two (A is 10; I and O are left out). */
static int
read_number(const struct card *card, uint64_t *ret_number)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ";
    struct sf_view text = field(card, 3, 7);
    uint64_t begin = 0;
    const char *letter =
        text.bytes == 5 && text.data[0] != '\0' ? strchr(letters, text.data[0]) : NULL;

    if (letter != NULL) {
        begin = (uint64_t)(letter - letters) + 10;
        text = sf_view(text.data + 1, text.bytes - 1);
    }
    if (!sf_contact_integer(text, 99999, ret_number)) {
        return fail_field(card, 3, 7, "the catalogue number",
            "up to five digits, or a letter other than I and O and four digits");
    }
    *ret_number += begin * 10000;
    return SF_OK;
}

/* " 28098-4" is 0.28098e-4. */
static bool
read_assumed_point(struct sf_view text, double *ret_value)
{
    char spelled[16] = "";
    size_t used = 0;
    size_t split;

    if (text.bytes > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        spelled[used++] = (char)text.data[0];
        text = sf_view(text.data + 1, text.bytes - 1);
    }
    if (text.bytes < 3 || text.bytes > 8) {
        return false;
    }
    spelled[used++] = '.';
    split = text.bytes - 2;
    memcpy(spelled + used, text.data, split);
    used += split;
    spelled[used++] = 'e';
    memcpy(spelled + used, text.data + split, 2);
    used += 2;
    return memchr(text.data, '.', text.bytes) == NULL &&
           (text.data[split] == '-' || text.data[split] == '+') &&
           sf_contact_real(sf_view(spelled, used), ret_value);
}

static int
read_epoch(const struct card *card, double *ret_days)
{
    uint64_t year;
    double day;
    int64_t begin;

    if (!sf_contact_integer(field(card, 19, 20), 99, &year)) {
        return fail_field(card, 19, 20, "the year", "two digits");
    }
    year += year < 57 ? 2000 : 1900;
    if (!sf_contact_real(field(card, 21, 32), &day) || day < 1 || day >= 367) {
        return fail_field(card, 21, 32, "the day of the year", "a number from 1 to below 367");
    }
    (void)sf_contact_days((unsigned int)year, 1, 1, &begin);
    *ret_days = (double)begin + (day - 1);
    return SF_OK;
}

static int
read_line_1(const struct card *card, struct sf_orbit *orbit)
{
    struct sf_view theory = field(card, 63, 63);
    int status = read_number(card, &orbit->number);

    if (status != SF_OK || (status = read_epoch(card, &orbit->elements.epoch_days)) != SF_OK) {
        return status;
    }
    if (!read_assumed_point(field(card, 54, 61), &orbit->elements.drag)) {
        return fail_field(card, 54, 61, "B*", "digits and a power of ten such as 28098-4");
    }
    /* 4 stands for SGP4-XP, another theory with other elements. */
    if (theory.bytes > 0 && theory.data[0] != '0' && theory.data[0] != '2') {
        return fail_field(card, 63, 63, "the kind of theory", "0, elements for SGP4");
    }
    return SF_OK;
}

static int
read_line_2(const struct card *card, struct sf_orbit *orbit)
{
    struct sf_sgp4_elements *el = &orbit->elements;
    uint64_t number;
    uint64_t fraction;
    int status = read_number(card, &number);

    if (status != SF_OK) {
        return status;
    }
    if (number != orbit->number) {
        return fail_field(card, 3, 7, "the catalogue number", "the same as on line 1");
    }
    if ((status = read_angle(card, 9, 180, "the inclination", &el->inclination)) != SF_OK ||
        (status = read_angle(card, 18, 360, "the node", &el->node)) != SF_OK ||
        (status = read_angle(card, 35, 360, "the perigee", &el->perigee)) != SF_OK ||
        (status = read_angle(card, 44, 360, "the mean anomaly", &el->mean_anomaly)) != SF_OK) {
        return status;
    }
    if (field(card, 27, 33).bytes != 7 ||
        !sf_contact_integer(field(card, 27, 33), 9999999, &fraction)) {
        return fail_field(card, 27, 33, "the eccentricity", "seven digits after an assumed point");
    }
    el->eccentricity = (double)fraction / 1e7;
    if (!sf_contact_real(field(card, 53, 63), &el->mean_motion) || el->mean_motion <= 0) {
        return fail_field(card, 53, 63, "the mean motion", "revolutions a day, above 0");
    }
    el->mean_motion *= PER_DAY;
    return SF_OK;
}

static int
check_card(const struct card *card, size_t bytes)
{
    unsigned int sum = 0;
    unsigned int stated = (unsigned int)card->columns[TLE_BYTES] - '0';

    if (bytes != TLE_BYTES) {
        return sf_contact_fail(card->reader->error, SF_EFORMAT, card->reader->name, card->line,
            "%zu columns: a line of elements has %d", bytes, TLE_BYTES);
    }
    for (size_t i = 1; i < TLE_BYTES; i++) {
        uint8_t c = card->columns[i];

        sum += c == '-' ? 1 : c >= '0' && c <= '9' ? c - (unsigned int)'0' : 0;
    }
    if (stated != sum % 10) {
        return sf_contact_fail(card->reader->error, SF_EFORMAT, card->reader->name, card->line,
            "column 69: the checksum \"%s\" is wrong: the line sums up to %u",
            sf_contact_show(sf_view(card->columns + TLE_BYTES, 1)).text, sum % 10);
    }
    return SF_OK;
}

/* A line of elements as a card of its own, so that columns may be counted. */
static int
read_card(struct reader *reader, struct sf_view line, unsigned int number, struct sf_orbit *orbit)
{
    uint8_t columns[TLE_BYTES + 2] = {0};
    struct card card = {reader, columns, number};
    int status;

    memset(columns, ' ', sizeof(columns));
    memcpy(columns + 1, line.data, line.bytes < TLE_BYTES ? line.bytes : TLE_BYTES);
    status = check_card(&card, line.bytes);
    if (status != SF_OK) {
        return status;
    }
    return line.data[0] == '1' ? read_line_1(&card, orbit) : read_line_2(&card, orbit);
}

static int
read_tle(struct reader *reader, struct sf_view text)
{
    struct sf_orbit orbit = {0};
    struct sf_view line;
    unsigned int number = 0;
    bool named = false; /* a name has been read, or */
    bool half = false;  /* line 1 has */
    int status;

    while (sf_contact_line(&text, &line)) {
        number++;
        while (line.bytes > 0 && (line.data[line.bytes - 1] == ' ')) {
            line.bytes--;
        }
        if (line.bytes == 0 || line.data[0] == '#') {
            continue;
        }
        if (!half && sf_contact_begins(line, "1 ")) {
            orbit.line = number;
            half = true;
            named = false;
            status = read_card(reader, line, number, &orbit);
        } else if (half && sf_contact_begins(line, "2 ")) {
            status = read_card(reader, line, number, &orbit);
            if (status == SF_OK) {
                status = append(reader, &orbit);
            }
            memset(&orbit, 0, sizeof(orbit));
            half = false;
        } else if (half || sf_contact_begins(line, "2 ")) {
            return sf_contact_fail(reader->error, SF_EFORMAT, reader->name, number,
                "\"%s\" is not accepted: %s is wanted", sf_contact_show(line).text,
                half ? "line 2 of the elements before" : "line 1 of elements, or a name,");
        } else if (named) {
            return sf_contact_fail(reader->error, SF_EFORMAT, reader->name, number,
                "\"%s\" is not accepted: give TLE (two lines that begin with 1 and 2, a name "
                "before them), or OMM as JSON or KVN",
                sf_contact_show(line).text);
        } else {
            if (sf_contact_begins(line, "0 ")) {
                line = sf_view(line.data + 2, line.bytes - 2);
            }
            set_name(&orbit, sf_contact_trim(line));
            named = true;
            status = SF_OK;
        }
        if (status != SF_OK) {
            return status;
        }
    }
    if (half || named) {
        return sf_contact_fail(reader->error, SF_EFORMAT, reader->name, number,
            "the text ends in the middle of a set of elements");
    }
    return SF_OK;
}

/* --- OMM: its keywords --- */

enum key {
    KEY_OBJECT_NAME,
    KEY_NUMBER,
    KEY_EPOCH,
    KEY_MEAN_MOTION,
    KEY_ECCENTRICITY,
    KEY_INCLINATION,
    KEY_NODE,
    KEY_PERIGEE,
    KEY_MEAN_ANOMALY,
    KEY_DRAG,
    KEY_THEORY,
    KEY_FRAME,
    KEY_CENTER,
    KEY_TIME_SYSTEM,
    KEY_KIND,
    KEYS,
};

/* A number within [min, max], a word out of `words`, or, with neither, something of its own. */
static const struct {
    const char *name;
    const char *unit;
    const char *words[3];
    double min, max;
    bool required;
} keys[KEYS] = {
    [KEY_OBJECT_NAME] = {.name = "OBJECT_NAME"},
    [KEY_NUMBER] = {.name = "NORAD_CAT_ID", .max = 999999999},
    [KEY_EPOCH] = {.name = "EPOCH", .required = true},
    [KEY_MEAN_MOTION] = {"MEAN_MOTION", "rev/day", {NULL}, 1e-6, 100, true},
    [KEY_ECCENTRICITY] = {"ECCENTRICITY", NULL, {NULL}, 0, 0.9999999, true},
    [KEY_INCLINATION] = {"INCLINATION", "deg", {NULL}, 0, 180, true},
    [KEY_NODE] = {"RA_OF_ASC_NODE", "deg", {NULL}, -360, 360, true},
    [KEY_PERIGEE] = {"ARG_OF_PERICENTER", "deg", {NULL}, -360, 360, true},
    [KEY_MEAN_ANOMALY] = {"MEAN_ANOMALY", "deg", {NULL}, -360, 360, true},
    [KEY_DRAG] = {"BSTAR", "1/ER", {NULL}, -1000, 1000, true},
    [KEY_THEORY] = {.name = "MEAN_ELEMENT_THEORY", .words = {"SGP4", "SGP/SGP4"}},
    [KEY_FRAME] = {.name = "REF_FRAME", .words = {"TEME"}},
    [KEY_CENTER] = {.name = "CENTER_NAME", .words = {"EARTH"}},
    [KEY_TIME_SYSTEM] = {.name = "TIME_SYSTEM", .words = {"UTC"}},
    [KEY_KIND] = {.name = "EPHEMERIS_TYPE", .words = {"0", "2"}},
};

struct omm {
    struct reader *reader;
    struct sf_orbit orbit;
    double values[KEYS];
    bool seen[KEYS];
};

static int
fail_key(
    const struct omm *omm, enum key key, struct sf_view value, unsigned int line, const char *want)
{
    return sf_contact_fail(omm->reader->error, SF_EFORMAT, omm->reader->name, line,
        "%s: \"%s\" is not accepted: give %s", keys[key].name, sf_contact_show(value).text, want);
}

static bool
two_digits(const uint8_t *text, unsigned int *ret_value)
{
    uint64_t value;

    if (!sf_contact_integer(sf_view(text, 2), 99, &value)) {
        return false;
    }
    *ret_value = (unsigned int)value;
    return true;
}

/* 2020-10-13T04:52:48.472320, with a Z or not, as days since 1970. */
static bool
read_timestamp(struct sf_view text, double *ret_days)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    unsigned int century, year, month, day, hour, minute, second;
    uint64_t micros = 0;
    int64_t days;

    if (text.bytes > 0 && text.data[text.bytes - 1] == 'Z') {
        text.bytes--;
    }
    if (text.bytes < sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        if (form[i] != 'd' && text.data[i] != (uint8_t)form[i]) {
            return false;
        }
    }
    if (!two_digits(text.data, &century) || !two_digits(text.data + 2, &year) ||
        !two_digits(text.data + 5, &month) || !two_digits(text.data + 8, &day) ||
        !two_digits(text.data + 11, &hour) || !two_digits(text.data + 14, &minute) ||
        !two_digits(text.data + 17, &second) || hour > 23 || minute > 59 || second > 60 ||
        !sf_contact_days(century * 100 + year, month, day, &days)) {
        return false;
    }
    if (text.bytes > sizeof(form) - 1) {
        char fraction[16] = "0";
        size_t bytes = text.bytes - (sizeof(form) - 1);

        if (bytes < 2 || bytes > 10 || text.data[sizeof(form) - 1] != '.') {
            return false;
        }
        memcpy(fraction + 1, text.data + sizeof(form) - 1, bytes < 7 ? bytes : 7);
        if (!sf_contact_decimal(
                sf_view(fraction, (bytes < 7 ? bytes : 7) + 1), 6, 999999, &micros)) {
            return false;
        }
    }
    *ret_days = (double)days +
                ((double)((hour * 60 + minute) * 60 + second) * 1e6 + (double)micros) / DAY_US;
    return true;
}

static int
set_word(struct omm *omm, enum key key, struct sf_view value, unsigned int line)
{
    for (size_t i = 0; keys[key].words[i] != NULL; i++) {
        if (sf_contact_is(value, keys[key].words[i])) {
            return SF_OK;
        }
    }
    return fail_key(omm, key, value, line, keys[key].words[0]);
}

/* Take `value` for the keyword `name`; those that say nothing of SGP4 are passed over. */
static int
set_key(struct omm *omm, struct sf_view name, struct sf_view value, unsigned int line)
{
    enum key key = 0;

    while (key < KEYS && !sf_contact_is(name, keys[key].name)) {
        key++;
    }
    if (key == KEYS) {
        return SF_OK;
    }
    if (omm->seen[key]) {
        return sf_contact_fail(omm->reader->error, SF_EFORMAT, omm->reader->name, line,
            "%s is given twice for one satellite", keys[key].name);
    }
    omm->seen[key] = true;
    if (keys[key].words[0] != NULL) {
        return set_word(omm, key, value, line);
    }
    if (key == KEY_OBJECT_NAME) {
        set_name(&omm->orbit, value);
    } else if (key == KEY_NUMBER) {
        if (!sf_contact_integer(value, 999999999, &omm->orbit.number)) {
            return fail_key(omm, key, value, line, "up to nine digits");
        }
    } else if (key == KEY_EPOCH) {
        if (!read_timestamp(value, &omm->values[key])) {
            return fail_key(omm, key, value, line, "UTC such as 2020-10-13T04:52:48.472320");
        }
    } else if (!sf_contact_real(value, &omm->values[key]) || omm->values[key] < keys[key].min ||
               omm->values[key] > keys[key].max) {
        return sf_contact_fail(omm->reader->error, SF_EFORMAT, omm->reader->name, line,
            "%s: \"%s\" is not accepted: give a number from %g to %g%s%s", keys[key].name,
            sf_contact_show(value).text, keys[key].min, keys[key].max,
            keys[key].unit == NULL ? "" : " ", keys[key].unit == NULL ? "" : keys[key].unit);
    }
    return SF_OK;
}

/* All of one satellite has been read: keep it. */
static int
finish_omm(struct omm *omm)
{
    struct sf_sgp4_elements *el = &omm->orbit.elements;

    for (enum key key = 0; key < KEYS; key++) {
        if (keys[key].required && !omm->seen[key]) {
            return sf_contact_fail(omm->reader->error, SF_EFORMAT, omm->reader->name,
                omm->orbit.line, "%s is missing for the satellite that begins here",
                keys[key].name);
        }
    }
    el->epoch_days = omm->values[KEY_EPOCH];
    el->mean_motion = omm->values[KEY_MEAN_MOTION] * PER_DAY;
    el->eccentricity = omm->values[KEY_ECCENTRICITY];
    el->inclination = omm->values[KEY_INCLINATION] * DEGREES;
    el->node = omm->values[KEY_NODE] * DEGREES;
    el->perigee = omm->values[KEY_PERIGEE] * DEGREES;
    el->mean_anomaly = omm->values[KEY_MEAN_ANOMALY] * DEGREES;
    el->drag = omm->values[KEY_DRAG];
    return append(omm->reader, &omm->orbit);
}

static void
begin_omm(struct omm *omm, struct reader *reader, unsigned int line)
{
    *omm = (struct omm){.reader = reader, .orbit = {.line = line}};
}

/* --- OMM as KEY = VALUE [unit] --- */

static int
read_kvn_line(struct omm *omm, struct sf_view line, unsigned int number)
{
    const uint8_t *equals = memchr(line.data, '=', line.bytes);
    struct sf_view name, value;

    if (line.bytes > LINE_BYTES_MAX) {
        return sf_contact_fail(omm->reader->error, SF_ELIMIT, omm->reader->name, number,
            "a line of %zu bytes: at most %d are accepted", line.bytes, LINE_BYTES_MAX);
    }
    if (equals == NULL) {
        return sf_contact_fail(omm->reader->error, SF_EFORMAT, omm->reader->name, number,
            "\"%s\" is not accepted: give KEY = VALUE, or COMMENT", sf_contact_show(line).text);
    }
    name = sf_contact_trim(sf_view(line.data, (size_t)(equals - line.data)));
    value = sf_contact_trim(sf_view(equals + 1, (size_t)(line.data + line.bytes - equals) - 1));
    for (enum key key = 0; key < KEYS; key++) {
        size_t bytes = keys[key].unit == NULL ? 0 : strlen(keys[key].unit) + 2;

        /* Only the unit that the keyword has is taken off; any other makes the number wrong. */
        if (bytes > 0 && sf_contact_is(name, keys[key].name) && value.bytes > bytes &&
            value.data[value.bytes - bytes] == '[' && value.data[value.bytes - 1] == ']' &&
            memcmp(value.data + value.bytes - bytes + 1, keys[key].unit, bytes - 2) == 0) {
            value = sf_contact_trim(sf_view(value.data, value.bytes - bytes));
        }
    }
    return set_key(omm, name, value, number);
}

static int
read_kvn(struct reader *reader, struct sf_view text)
{
    struct omm omm;
    struct sf_view line;
    unsigned int number = 0;
    int status;

    begin_omm(&omm, reader, 0);
    while (sf_contact_line(&text, &line)) {
        number++;
        line = sf_contact_trim(line);
        if (line.bytes == 0 || sf_contact_is(line, "COMMENT") ||
            sf_contact_begins(line, "COMMENT ")) {
            continue;
        }
        if (omm.orbit.line == 0) {
            omm.orbit.line = number;
        } else if (sf_contact_begins(line, "CCSDS_OMM_VERS")) {
            status = finish_omm(&omm);
            if (status != SF_OK) {
                return status;
            }
            begin_omm(&omm, reader, number);
        }
        status = read_kvn_line(&omm, line, number);
        if (status != SF_OK) {
            return status;
        }
    }
    return finish_omm(&omm);
}

/* --- OMM as JSON --- */

static int
read_json_object(struct reader *reader, struct sf_contact_json *json)
{
    struct omm omm;
    bool more;
    int status;

    (void)sf_contact_json_peek(json);
    begin_omm(&omm, reader, json->line);
    status = sf_contact_json_enter(json, '{');
    while (status == SF_OK && (status = sf_contact_json_next(json, '}', &more)) == SF_OK && more) {
        struct sf_contact_json_value key, value = {.line = 0};

        status = sf_contact_json_key(json, &key);
        if (status == SF_OK) {
            status = sf_contact_json_value(json, &value);
        }
        /* null is how some say that there is nothing to say. */
        if (status == SF_OK &&
            (value.kind != SF_CONTACT_JSON_OTHER || strcmp(value.text, "null") != 0)) {
            status = set_key(&omm, sf_view(key.text, strlen(key.text)),
                sf_view(value.text, strlen(value.text)), value.line);
        }
    }
    return status == SF_OK ? finish_omm(&omm) : status;
}

static int
read_json(struct reader *reader, struct sf_view text)
{
    struct sf_contact_json json;
    bool more;
    int status;

    sf_contact_json_init(&json, reader->name, text, reader->error);
    if (sf_contact_json_peek(&json) == '{') {
        status = read_json_object(reader, &json);
    } else {
        status = sf_contact_json_enter(&json, '[');
        while (status == SF_OK && (status = sf_contact_json_next(&json, ']', &more)) == SF_OK &&
               more) {
            status = read_json_object(reader, &json);
        }
    }
    return status == SF_OK ? sf_contact_json_end(&json) : status;
}

/* --- Which form --- */

/* The first line that is neither blank nor a comment. */
static struct sf_view
first_line(struct sf_view text)
{
    struct sf_view line;

    while (sf_contact_line(&text, &line)) {
        line = sf_contact_trim(line);
        if (line.bytes > 0 && line.data[0] != '#') {
            return line;
        }
    }
    return sf_view(text.data, 0);
}

int
sf_orbits_decode(struct sf_orbits *orbits, const char *name, struct sf_view text,
    struct sf_contact_error *ret_error)
{
    struct sf_orbits work;
    struct reader reader = {&work, name, ret_error};
    struct sf_view first;
    int status;

    sf_orbits_init(&work);
    if (text.bytes > SF_ORBIT_BYTES_MAX) {
        return sf_contact_fail(ret_error, SF_ELIMIT, name, 0,
            "%zu bytes: a text of orbits has at most %d", text.bytes, SF_ORBIT_BYTES_MAX);
    }
    first = first_line(text);
    if (sf_contact_begins(first, "{") || sf_contact_begins(first, "[")) {
        status = read_json(&reader, text);
    } else if (sf_contact_begins(first, "<") || sf_contact_begins(first, "OBJECT_NAME,")) {
        status = sf_contact_fail(ret_error, SF_EFORMAT, name, 1,
            "\"%s\" is not accepted: give TLE, or OMM as JSON or KVN, not XML or CSV",
            sf_contact_show(first).text);
    } else if (sf_contact_begins(first, "CCSDS_OMM_VERS") || sf_contact_begins(first, "COMMENT") ||
               (first.bytes > 0 && memchr(first.data, '=', first.bytes) != NULL)) {
        status = read_kvn(&reader, text);
    } else {
        status = read_tle(&reader, text);
    }
    if (status == SF_OK && work.count == 0) {
        status = sf_contact_fail(ret_error, SF_EFORMAT, name, 0,
            "there is no orbit in it: give TLE, or OMM as JSON or KVN");
    }
    if (status != SF_OK) {
        sf_orbits_fini(&work);
        return status;
    }
    sf_orbits_fini(orbits);
    *orbits = work;
    return SF_OK;
}
