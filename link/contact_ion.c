#include "config.h"

#include "link/contact_ion.h"

#include "link/contact_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 8 };

#define COMMANDS                                                                                   \
    "a contact START END FROM TO BYTES-PER-SECOND [CONFIDENCE], a range START END FROM TO "        \
    "SECONDS, @ TIME and # comments"

struct reader {
    struct sf_contact_plan plan;
    const struct sf_contact_ion *config;
    struct sf_wall reference;
    unsigned int line;
    struct sf_contact_error *error;
};

__attribute__((format(printf, 3, 4))) static int
fail(const struct reader *reader, struct sf_view value, const char *format, ...)
{
    char text[SF_CONTACT_ERROR_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sf_contact_fail(reader->error, SF_EFORMAT, reader->config->name, reader->line,
        "\"%s\" is not accepted: %s", sf_contact_show(value).text, text);
}

/* --- Words --- */

/* The digits of yyyy/mm/dd-hh:mm:ss where `form` has a d. */
static bool
read_absolute(struct sf_view word, struct sf_wall *ret_time)
{
    static const char form[] = "dddd/dd/dd-dd:dd:dd";
    unsigned int parts[6] = {0};
    size_t part = 0;
    int64_t days;

    if (word.bytes != sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i < word.bytes; i++) {
        if (form[i] != 'd') {
            if (word.data[i] != (uint8_t)form[i]) {
                return false;
            }
            part++;
        } else if (word.data[i] >= '0' && word.data[i] <= '9') {
            parts[part] = parts[part] * 10 + (word.data[i] - (unsigned int)'0');
        } else {
            return false;
        }
    }
    if (parts[0] < 1970 || !sf_contact_days(parts[0], parts[1], parts[2], &days) || parts[3] > 23 ||
        parts[4] > 59 || parts[5] > 59) {
        return false;
    }
    ret_time->ms = ((days * 24 + parts[3]) * 60 + parts[4]) * 60000 + parts[5] * INT64_C(1000);
    return true;
}

static int
read_time(const struct reader *reader, struct sf_view word, struct sf_wall *ret_time)
{
    uint64_t seconds;

    if (word.bytes > 1 && word.data[0] == '+' &&
        sf_contact_integer(
            sf_view(word.data + 1, word.bytes - 1), SF_CONTACT_MS_MAX / 1000, &seconds) &&
        (int64_t)seconds * 1000 <= SF_CONTACT_MS_MAX - reader->reference.ms) {
        ret_time->ms = reader->reference.ms + (int64_t)seconds * 1000;
        return SF_OK;
    }
    if (!read_absolute(word, ret_time)) {
        return fail(reader, word,
            "give yyyy/mm/dd-hh:mm:ss (UTC, from 1970) or +SECONDS after the reference time");
    }
    return SF_OK;
}

static int
read_node(struct reader *reader, struct sf_view word, uint32_t *ret_node)
{
    uint64_t number;
    int status;

    if (!sf_contact_integer(word, UINT64_MAX, &number) || number == 0) {
        return fail(reader, word, "give a node number above 0");
    }
    status = sf_contact_plan_node(&reader->plan, NULL, number, ret_node);
    if (status == SF_ELIMIT) {
        return sf_contact_fail(reader->error, status, reader->config->name, reader->line,
            "node %" PRIu64 " is one too many: at most %d are accepted", number,
            SF_CONTACT_NODES_MAX);
    }
    return status;
}

/* START END FROM TO, of contacts and ranges alike. */
struct when_who {
    struct sf_wall start, end;
    uint32_t from, to;
    bool ascending; /* the number of `from` is the lower one */
};

static int
read_when_who(struct reader *reader, const struct sf_view *words, struct when_who *ret)
{
    int status;

    /* ionrc(5): -1 registers a node in a region, an end of 0 is a contact to be discovered. */
    if (sf_contact_is(words[0], "-1") || sf_contact_is(words[1], "0")) {
        return fail(reader, words[sf_contact_is(words[0], "-1") ? 0 : 1],
            "only scheduled contacts are read, with START and END");
    }
    if ((status = read_time(reader, words[0], &ret->start)) != SF_OK ||
        (status = read_time(reader, words[1], &ret->end)) != SF_OK ||
        (status = read_node(reader, words[2], &ret->from)) != SF_OK ||
        (status = read_node(reader, words[3], &ret->to)) != SF_OK) {
        return status;
    }
    if (ret->start.ms >= ret->end.ms) {
        return fail(reader, words[1], "give an END that is later than START");
    }
    if (ret->from == ret->to) {
        return fail(reader, words[3], "give two different nodes");
    }
    ret->ascending = reader->plan.nodes[ret->from].number < reader->plan.nodes[ret->to].number;
    return SF_OK;
}

/* --- Commands --- */

static int
kept(const struct reader *reader, int status, const char *what, int count_max)
{
    if (status == SF_OK) {
        return SF_OK;
    }
    return sf_contact_fail(reader->error, status, reader->config->name, reader->line,
        status == SF_ELIMIT ? "at most %2$d %1$s are accepted" : "there is no memory for its %s",
        what, count_max);
}

static int
add_contact(struct reader *reader, const struct sf_view *words, size_t count)
{
    struct when_who when = {.from = 0};
    uint64_t rate;
    uint64_t confidence = SF_CONTACT_PPM;
    int status = read_when_who(reader, words, &when);

    if (status != SF_OK) {
        return status;
    }
    if (!sf_contact_integer(words[4], SF_CONTACT_RATE_MAX / 8, &rate) || rate == 0) {
        return fail(reader, words[4], "give a rate in bytes a second, from 1 to %" PRIu64,
            SF_CONTACT_RATE_MAX / 8);
    }
    if (count == 6 &&
        (!sf_contact_decimal(words[5], 6, SF_CONTACT_PPM, &confidence) || confidence == 0)) {
        return fail(
            reader, words[5], "give a confidence above 0 and up to 1, with at most 6 decimals");
    }
    status = sf_contact_plan_add(&reader->plan, &(struct sf_contact){.from = when.from,
                                                    .to = when.to,
                                                    .start = when.start,
                                                    .end = when.end,
                                                    .rate_bps = rate * 8,
                                                    .confidence_ppm = (uint32_t)confidence,
                                                    .line = reader->line});
    return kept(reader, status, "contacts", SF_CONTACTS_MAX);
}

static int
add_range(struct reader *reader, const struct sf_view *words)
{
    struct when_who when = {.from = 0};
    uint64_t light;
    int status = read_when_who(reader, words, &when);

    if (status != SF_OK) {
        return status;
    }
    if (!sf_contact_decimal(words[4], 6, SF_CONTACT_LIGHT_MAX, &light)) {
        return fail(reader, words[4],
            "give a light time in seconds, up to %d, with at most 6 decimals",
            SF_CONTACT_LIGHT_S_MAX);
    }
    status = sf_contact_plan_add_range(&reader->plan, &(struct sf_contact_range){.from = when.from,
                                                          .to = when.to,
                                                          .start = when.start,
                                                          .end = when.end,
                                                          .light_us = light,
                                                          .both = when.ascending,
                                                          .line = reader->line});
    return kept(reader, status, "ranges", SF_CONTACT_RANGES_MAX);
}

static int
read_line(struct reader *reader, struct sf_view line)
{
    struct sf_view words[WORDS_MAX];
    struct sf_view rest = line;
    size_t count = 0;

    if (line.bytes > SF_CONTACT_ION_LINE_BYTES_MAX) {
        return sf_contact_fail(reader->error, SF_ELIMIT, reader->config->name, reader->line,
            "a line of %zu bytes: at most %d are accepted", line.bytes,
            SF_CONTACT_ION_LINE_BYTES_MAX);
    }
    while (count < WORDS_MAX && sf_contact_word(&rest, &words[count])) {
        count++;
    }
    if (count == 0 || words[0].data[0] == '#') {
        return SF_OK;
    }
    rest = sf_contact_trim(rest);
    if (rest.bytes > 0 && rest.data[0] != '\0') {
        return fail(reader, rest, "the command has ended before; accepted are " COMMANDS);
    }
    if (count == 2 && sf_contact_is(words[0], "@")) {
        return read_time(reader, words[1], &reader->reference);
    }
    if (count >= 2 && sf_contact_is(words[0], "a")) {
        if (sf_contact_is(words[1], "contact") && (count == 7 || count == 8)) {
            return add_contact(reader, words + 2, count - 2);
        }
        if (sf_contact_is(words[1], "range") && count == 7) {
            return add_range(reader, words + 2);
        }
    }
    return fail(reader, sf_contact_trim(line), "accepted are " COMMANDS);
}

int
sf_contact_ion_decode(const struct sf_contact_ion *config, struct sf_view text,
    struct sf_contact_plan *plan, struct sf_contact_error *ret_error)
{
    struct reader reader = {.config = config, .reference = config->reference, .error = ret_error};
    struct sf_view line;
    int status = SF_OK;

    if (text.bytes > SF_CONTACT_ION_BYTES_MAX) {
        return sf_contact_fail(ret_error, SF_ELIMIT, config->name, 0,
            "%zu bytes: a contact plan has at most %d", text.bytes, SF_CONTACT_ION_BYTES_MAX);
    }
    sf_contact_plan_init(&reader.plan);
    while (status == SF_OK && sf_contact_line(&text, &line)) {
        reader.line++;
        status = read_line(&reader, line);
    }
    if (status == SF_OK) {
        status = sf_contact_plan_seal(&reader.plan, config->name, ret_error);
    }
    if (status != SF_OK) {
        sf_contact_plan_fini(&reader.plan);
        return status;
    }
    sf_contact_plan_fini(plan);
    *plan = reader.plan;
    return SF_OK;
}

/* --- Writing --- */

struct writer {
    char *out;
    size_t bytes_max;
    size_t bytes; /* written, or wanted */
};

__attribute__((format(printf, 2, 3))) static void
put(struct writer *writer, const char *format, ...)
{
    char line[SF_CONTACT_ION_LINE_BYTES_MAX];
    va_list arguments;
    size_t bytes;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    bytes = strlen(line);
    if (writer->out != NULL && writer->bytes + bytes <= writer->bytes_max) {
        memcpy(writer->out + writer->bytes, line, bytes);
    }
    writer->bytes += bytes;
}

static void
put_time(struct writer *writer, int64_t seconds)
{
    struct sf_contact_date date = sf_contact_date_of((struct sf_wall){seconds * 1000});

    put(writer, "%04u/%02u/%02u-%02u:%02u:%02u ", date.year, date.month, date.day, date.hour,
        date.minute, date.second);
}

/* "a contact START END FROM TO "; false if nothing is left of it in whole seconds. */
static bool
put_when_who(struct writer *writer, const struct sf_contact_plan *plan, const char *what,
    const struct when_who *when)
{
    int64_t start = (when->start.ms + 999) / 1000;
    int64_t end = when->end.ms / 1000;

    if (start >= end) {
        return false;
    }
    put(writer, "a %s ", what);
    put_time(writer, start);
    put_time(writer, end);
    put(writer, "%" PRIu64 " %" PRIu64 " ", plan->nodes[when->from].number,
        plan->nodes[when->to].number);
    return true;
}

static void
put_contact(
    struct writer *writer, const struct sf_contact_plan *plan, const struct sf_contact *contact)
{
    struct when_who when = {contact->start, contact->end, contact->from, contact->to, false};
    uint64_t rate = contact->rate_bps / 8;

    if (!put_when_who(writer, plan, "contact", &when)) {
        return;
    }
    put(writer, "%" PRIu64, rate == 0 ? 1 : rate);
    if (contact->confidence_ppm != SF_CONTACT_PPM) {
        put(writer, " 0.%06u", (unsigned int)contact->confidence_ppm);
    }
    put(writer, "\n");
}

static void
put_range(
    struct writer *writer, const struct sf_contact_plan *plan, const struct sf_contact_range *range)
{
    struct when_who when = {range->start, range->end, range->from, range->to, false};

    /* Written from the lower number it holds for both directions; that is ION's rule. */
    if (range->both && plan->nodes[range->from].number > plan->nodes[range->to].number) {
        when.from = range->to;
        when.to = range->from;
    }
    if (!put_when_who(writer, plan, "range", &when)) {
        return;
    }
    put(writer, "%" PRIu64, range->light_us / 1000000);
    if (range->light_us % 1000000 != 0) {
        put(writer, ".%06" PRIu64, range->light_us % 1000000);
    }
    put(writer, "\n");
}

int
sf_contact_ion_encode(const struct sf_contact_plan *plan, char *out, size_t out_bytes_max,
    size_t *ret_bytes, struct sf_contact_error *ret_error)
{
    struct writer writer = {out, out_bytes_max, 0};

    for (size_t i = 0; i < plan->node_count; i++) {
        const struct sf_contact_node *node = &plan->nodes[i];
        char number[24];

        if (node->number == 0) {
            return sf_contact_fail(ret_error, SF_EINVAL, node->name, 0,
                "this node has no number, which ION knows it by");
        }
        snprintf(number, sizeof(number), "%" PRIu64, node->number);
        if (strcmp(number, node->name) != 0) {
            put(&writer, "# node %s is %s\n", number, node->name);
        }
    }
    for (size_t i = 0; i < plan->contact_count; i++) {
        put_contact(&writer, plan, &plan->contacts[i]);
    }
    for (size_t i = 0; i < plan->range_count; i++) {
        put_range(&writer, plan, &plan->ranges[i]);
    }
    *ret_bytes = writer.bytes;
    if (out != NULL && writer.bytes > out_bytes_max) {
        return sf_contact_fail(ret_error, SF_ELIMIT, "the plan", 0, "%zu bytes do not fit into %zu",
            writer.bytes, out_bytes_max);
    }
    return SF_OK;
}
