#include "config.h"

#include "link/contact_hdtn.h"

#include "link/contact_json.h"
#include "link/contact_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MEMBER_BYTES_MAX = 256 };

/* The members of a contact; all others are passed over. */
enum member { SOURCE, DEST, START, END, RATE_BITS, RATE_MBIT, LIGHT_S, LIGHT_US, MEMBERS };

static const struct {
    const char *name;
    uint64_t max;
    const char *accepted;
} members[MEMBERS] = {
    [SOURCE] = {"source", UINT64_MAX, "a node number above 0"},
    [DEST] = {"dest", UINT64_MAX, "a node number above 0"},
    [START] = {"startTime", SF_CONTACT_MS_MAX / 1000, "whole seconds after the reference time"},
    [END] = {"endTime", SF_CONTACT_MS_MAX / 1000, "whole seconds after the reference time"},
    [RATE_BITS] = {"rateBitsPerSec", SF_CONTACT_RATE_MAX, "bits a second, from 1 to 10^15"},
    [RATE_MBIT] = {"rate", SF_CONTACT_RATE_MAX / 1000000,
        "Mbit a second, from 1 to 10^9 (rateBitsPerSec is finer)"},
    [LIGHT_S] = {"owlt", SF_CONTACT_LIGHT_S_MAX, "whole seconds of light time, up to 86400"},
    [LIGHT_US] = {"owltUs", SF_CONTACT_LIGHT_MAX, "microseconds of light time"},
};

struct reader {
    struct sf_contact_plan plan;
    const struct sf_contact_hdtn *config;
    struct sf_contact_json json;
    struct sf_contact_error *error;
};

/* One contact as it stands in the text. */
struct entry {
    uint64_t values[MEMBERS];
    unsigned int lines[MEMBERS]; /* 0: it is not there */
    unsigned int line;
};

__attribute__((format(printf, 4, 5))) static int
fail(const struct reader *reader, int status, unsigned int line, const char *format, ...)
{
    char text[SF_CONTACT_ERROR_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sf_contact_fail(reader->error, status, reader->config->name, line, "%s", text);
}

static int
read_member(struct reader *reader, struct entry *entry)
{
    struct sf_contact_json_value key, value;
    enum member member = 0;
    int status = sf_contact_json_key(&reader->json, &key);

    if (status != SF_OK || (status = sf_contact_json_value(&reader->json, &value)) != SF_OK) {
        return status;
    }
    while (member < MEMBERS && strcmp(members[member].name, key.text) != 0) {
        member++;
    }
    if (member == MEMBERS) {
        return SF_OK;
    }
    if (entry->lines[member] != 0) {
        return fail(reader, SF_EFORMAT, key.line, "%s is given twice for one contact",
            members[member].name);
    }
    if (value.kind != SF_CONTACT_JSON_NUMBER ||
        !sf_contact_integer(
            sf_view(value.text, strlen(value.text)), members[member].max, &entry->values[member])) {
        return fail(reader, SF_EFORMAT, value.line, "%s: \"%.60s\" is not accepted: give %s",
            members[member].name, value.text, members[member].accepted);
    }
    entry->lines[member] = value.line;
    return SF_OK;
}

static int
fail_member(const struct reader *reader, const struct entry *entry, enum member member)
{
    return fail(reader, SF_EFORMAT, entry->lines[member],
        "%s: \"%" PRIu64 "\" is not accepted: give %s", members[member].name, entry->values[member],
        members[member].accepted);
}

/* What must be there is there, and in order; rate and light time are made one of each. */
static int
check_entry(const struct reader *reader, struct entry *entry)
{
    static const enum member required[] = {SOURCE, DEST, START, END};

    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (entry->lines[required[i]] == 0) {
            return fail(reader, SF_EFORMAT, entry->line, "this contact has no %s: give %s",
                members[required[i]].name, members[required[i]].accepted);
        }
    }
    if (entry->values[SOURCE] == 0 || entry->values[DEST] == 0) {
        return fail_member(reader, entry, entry->values[SOURCE] == 0 ? SOURCE : DEST);
    }
    if (entry->values[SOURCE] == entry->values[DEST]) {
        return fail(reader, SF_EFORMAT, entry->lines[DEST],
            "dest: \"%" PRIu64 "\" is not accepted: give a node other than the source",
            entry->values[DEST]);
    }
    if (entry->values[END] <= entry->values[START]) {
        return fail(reader, SF_EFORMAT, entry->lines[END],
            "endTime: \"%" PRIu64 "\" is not accepted: give a time later than startTime",
            entry->values[END]);
    }
    if (entry->lines[RATE_BITS] == 0) {
        if (entry->lines[RATE_MBIT] == 0) {
            return fail(reader, SF_EFORMAT, entry->line,
                "this contact has no rateBitsPerSec: give %s", members[RATE_BITS].accepted);
        }
        if (entry->values[RATE_MBIT] == 0) {
            return fail_member(reader, entry, RATE_MBIT);
        }
        entry->values[RATE_BITS] = entry->values[RATE_MBIT] * 1000000;
    } else if (entry->values[RATE_BITS] == 0) {
        return fail_member(reader, entry, RATE_BITS);
    }
    if (entry->lines[LIGHT_US] == 0) {
        entry->values[LIGHT_US] = entry->values[LIGHT_S] * 1000000;
        entry->lines[LIGHT_US] = entry->lines[LIGHT_S];
    }
    return SF_OK;
}

static int
find_node(struct reader *reader, const struct entry *entry, enum member member, uint32_t *ret_node)
{
    int status = sf_contact_plan_node(&reader->plan, NULL, entry->values[member], ret_node);

    if (status == SF_ELIMIT) {
        return fail(reader, status, entry->lines[member],
            "node %" PRIu64 " is one too many: at most %d are accepted", entry->values[member],
            SF_CONTACT_NODES_MAX);
    }
    return status;
}

static int
add_entry(struct reader *reader, const struct entry *entry)
{
    int64_t reference = reader->config->reference.ms;
    struct sf_contact contact = {.rate_bps = entry->values[RATE_BITS],
        .confidence_ppm = SF_CONTACT_PPM,
        .line = entry->line};
    struct sf_contact_range range = {.light_us = entry->values[LIGHT_US], .line = entry->line};
    int status = find_node(reader, entry, SOURCE, &contact.from);

    if (status == SF_OK) {
        status = find_node(reader, entry, DEST, &contact.to);
    }
    if (status != SF_OK) {
        return status;
    }
    if ((int64_t)entry->values[END] * 1000 > SF_CONTACT_MS_MAX - reference) {
        return fail_member(reader, entry, END);
    }
    contact.start.ms = reference + (int64_t)entry->values[START] * 1000;
    contact.end.ms = reference + (int64_t)entry->values[END] * 1000;
    range.from = contact.from;
    range.to = contact.to;
    range.start = contact.start;
    range.end = contact.end;
    status = sf_contact_plan_add(&reader->plan, &contact);
    if (status == SF_OK && entry->lines[LIGHT_US] != 0) {
        status = sf_contact_plan_add_range(&reader->plan, &range);
    }
    if (status == SF_ELIMIT) {
        return fail(
            reader, status, entry->line, "at most %d contacts are accepted", SF_CONTACTS_MAX);
    }
    if (status != SF_OK) {
        return fail(
            reader, status, entry->line, "this contact cannot be kept: %s", sf_status_text(status));
    }
    return SF_OK;
}

static int
read_contact(struct reader *reader)
{
    struct entry entry = {0};
    bool more;
    int status;

    (void)sf_contact_json_peek(&reader->json);
    entry.line = reader->json.line;
    status = sf_contact_json_enter(&reader->json, '{');
    while (status == SF_OK && (status = sf_contact_json_next(&reader->json, '}', &more)) == SF_OK &&
           more) {
        status = read_member(reader, &entry);
    }
    if (status == SF_OK) {
        status = check_entry(reader, &entry);
    }
    return status == SF_OK ? add_entry(reader, &entry) : status;
}

static int
read_contacts(struct reader *reader)
{
    bool more;
    int status = sf_contact_json_enter(&reader->json, '[');

    while (status == SF_OK && (status = sf_contact_json_next(&reader->json, ']', &more)) == SF_OK &&
           more) {
        status = read_contact(reader);
    }
    return status;
}

static int
read_text(struct reader *reader)
{
    bool found = false;
    bool more;
    int status = sf_contact_json_enter(&reader->json, '{');

    while (status == SF_OK && (status = sf_contact_json_next(&reader->json, '}', &more)) == SF_OK &&
           more) {
        struct sf_contact_json_value key, value;

        status = sf_contact_json_key(&reader->json, &key);
        if (status != SF_OK) {
            return status;
        }
        if (strcmp(key.text, "contacts") != 0) {
            status = sf_contact_json_value(&reader->json, &value);
        } else if (found) {
            return fail(reader, SF_EFORMAT, key.line, "contacts is given twice");
        } else {
            found = true;
            status = read_contacts(reader);
        }
    }
    if (status == SF_OK) {
        status = sf_contact_json_end(&reader->json);
    }
    if (status == SF_OK && !found) {
        return fail(reader, SF_EFORMAT, 0, "there is no list called contacts in it");
    }
    return status;
}

int
sf_contact_hdtn_decode(const struct sf_contact_hdtn *config, struct sf_view text,
    struct sf_contact_plan *plan, struct sf_contact_error *ret_error)
{
    struct reader reader = {.config = config, .error = ret_error};
    int status;

    if (text.bytes > SF_CONTACT_HDTN_BYTES_MAX) {
        return sf_contact_fail(ret_error, SF_ELIMIT, config->name, 0,
            "%zu bytes: a contact plan has at most %d", text.bytes, SF_CONTACT_HDTN_BYTES_MAX);
    }
    if (config->reference.ms < 0 || config->reference.ms > SF_CONTACT_MS_MAX) {
        return sf_contact_fail(ret_error, SF_EINVAL, config->name, 0,
            "the reference time must be in the years 1970 to 9999");
    }
    sf_contact_plan_init(&reader.plan);
    sf_contact_json_init(&reader.json, config->name, text, ret_error);
    status = read_text(&reader);
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
    char text[MEMBER_BYTES_MAX];
    va_list arguments;
    size_t bytes;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    bytes = strlen(text);
    if (writer->out != NULL && writer->bytes + bytes <= writer->bytes_max) {
        memcpy(writer->out + writer->bytes, text, bytes);
    }
    writer->bytes += bytes;
}

/* Write contact `index`, with `start` and `end` in seconds after the reference. */
static void
put_contact(struct writer *writer, const struct sf_contact_plan *plan, size_t index, size_t written,
    int64_t reference_ms)
{
    const struct sf_contact *contact = &plan->contacts[index];
    uint64_t light_us;

    put(writer, "%s\n    {\"contact\": %zu, \"source\": %" PRIu64 ", \"dest\": %" PRIu64 ",\n",
        written == 0 ? "" : ",", written, plan->nodes[contact->from].number,
        plan->nodes[contact->to].number);
    put(writer, "      \"startTime\": %" PRId64 ", \"endTime\": %" PRId64,
        (contact->start.ms - reference_ms + 999) / 1000, (contact->end.ms - reference_ms) / 1000);
    put(writer, ", \"rateBitsPerSec\": %" PRIu64, contact->rate_bps);
    if (sf_contact_light_us(plan, contact->from, contact->to, contact->start, &light_us)) {
        /* HDTN takes whole seconds and waits for them: rather too long than too short. */
        put(writer, ", \"owlt\": %" PRIu64, (light_us + 999999) / 1000000);
        if (light_us % 1000000 != 0) {
            put(writer, ", \"owltUs\": %" PRIu64, light_us);
        }
    }
    put(writer, "}");
}

int
sf_contact_hdtn_encode(const struct sf_contact_hdtn *config, const struct sf_contact_plan *plan,
    char *out, size_t out_bytes_max, size_t *ret_bytes, struct sf_contact_error *ret_error)
{
    struct writer writer = {out, out_bytes_max, 0};
    int64_t reference_ms = config->reference.ms;
    size_t written = 0;

    if (reference_ms < 0 || reference_ms % 1000 != 0) {
        return sf_contact_fail(ret_error, SF_EINVAL, config->name, 0,
            "the reference time must be a whole second from 1970 on");
    }
    for (size_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].number == 0) {
            return sf_contact_fail(ret_error, SF_EINVAL, plan->nodes[i].name, 0,
                "this node has no number, which HDTN knows it by");
        }
    }
    put(&writer, "{\n  \"contacts\": [");
    for (size_t i = 0; i < plan->contact_count; i++) {
        const struct sf_contact *contact = &plan->contacts[i];

        if (contact->start.ms < reference_ms) {
            return sf_contact_fail(ret_error, SF_EINVAL, config->name, 0,
                "the contact from %s to %s that is %zu in order starts before the reference time, "
                "which HDTN cannot say",
                plan->nodes[contact->from].name, plan->nodes[contact->to].name, i + 1);
        }
        if ((contact->start.ms + 999) / 1000 < contact->end.ms / 1000) {
            put_contact(&writer, plan, i, written++, reference_ms);
        }
    }
    put(&writer, "%s]\n}\n", written == 0 ? "" : "\n  ");
    *ret_bytes = writer.bytes;
    if (out != NULL && writer.bytes > out_bytes_max) {
        return sf_contact_fail(ret_error, SF_ELIMIT, config->name, 0,
            "%zu bytes do not fit into %zu", writer.bytes, out_bytes_max);
    }
    return SF_OK;
}
