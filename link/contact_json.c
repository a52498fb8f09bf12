#include "config.h"

#include "link/contact_json.h"

#include "link/contact_text.h"

#include <jansson.h>
#include <string.h>

void
sf_contact_json_init(struct sf_contact_json *json, const char *name, struct sf_view text,
    struct sf_contact_error *error)
{
    *json = (struct sf_contact_json){.text = text, .line = 1, .name = name, .error = error};
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char
sf_contact_json_peek(struct sf_contact_json *json)
{
    while (json->at < json->text.bytes && is_blank(json->text.data[json->at])) {
        json->line += json->text.data[json->at] == '\n';
        json->at++;
    }
    return json->at < json->text.bytes ? (char)json->text.data[json->at] : '\0';
}

/* "... is not accepted here" with what stands here. */
static int
fail_here(struct sf_contact_json *json, const char *accepted)
{
    struct sf_view rest;
    size_t left;

    (void)sf_contact_json_peek(json);
    left = json->text.bytes - json->at;
    if (left == 0) {
        return sf_contact_fail(json->error, SF_EFORMAT, json->name, json->line,
            "the text ends too early: %s is wanted", accepted);
    }
    rest = sf_view(json->text.data + json->at, left < 20 ? left : 20);
    return sf_contact_fail(json->error, SF_EFORMAT, json->name, json->line,
        "\"%s\" is not accepted: %s is wanted", sf_contact_show(rest).text, accepted);
}

static bool
take(struct sf_contact_json *json, char c)
{
    if (sf_contact_json_peek(json) != c) {
        return false;
    }
    json->at++;
    return true;
}

int
sf_contact_json_enter(struct sf_contact_json *json, char open)
{
    if (!take(json, open)) {
        return fail_here(json, open == '{' ? "an object, {...}," : "a list, [...],");
    }
    json->first = true;
    return SF_OK;
}

int
sf_contact_json_next(struct sf_contact_json *json, char close, bool *ret_more)
{
    if (take(json, close)) {
        json->first = false;
        *ret_more = false;
        return SF_OK;
    }
    if (!json->first && !take(json, ',')) {
        return fail_here(json, close == '}' ? "a comma or }" : "a comma or ]");
    }
    json->first = false;
    *ret_more = true;
    return SF_OK;
}

/* Go over a string, from its first quote past its last. */
static bool
skip_string(struct sf_contact_json *json)
{
    for (json->at++; json->at < json->text.bytes; json->at++) {
        uint8_t c = json->text.data[json->at];

        json->line += c == '\n';
        if (c == '\\') {
            json->at++;
        } else if (c == '"') {
            json->at++;
            return true;
        }
    }
    json->at = json->text.bytes;
    return false;
}

/* Go over a value by its brackets and quotes alone; false if it has no end. */
static bool
skip_value(struct sf_contact_json *json)
{
    size_t depth = 0;

    while (json->at < json->text.bytes) {
        uint8_t c = json->text.data[json->at];

        if (c == '"') {
            if (!skip_string(json)) {
                return false;
            }
            if (depth == 0) {
                return true;
            }
            continue;
        }
        if (depth == 0 && (is_blank(c) || strchr(",:]}", c) != NULL)) {
            return true; /* the end of a number or a word */
        }
        json->line += c == '\n';
        json->at++;
        if (c == '[' || c == '{') {
            depth++;
        } else if ((c == ']' || c == '}') && --depth == 0) {
            return true;
        }
    }
    return depth == 0;
}

int
sf_contact_json_value(struct sf_contact_json *json, struct sf_contact_json_value *ret_value)
{
    struct sf_contact_json_value value = {.kind = SF_CONTACT_JSON_OTHER};
    char first = sf_contact_json_peek(json);
    size_t begin = json->at;
    json_error_t error;
    struct sf_view raw;
    json_t *loaded;

    value.line = json->line;
    if (first == '\0' || strchr(",:]}", first) != NULL) {
        return fail_here(json, "a value");
    }
    if (!skip_value(json)) {
        return sf_contact_fail(json->error, SF_EFORMAT, json->name, value.line,
            "the text ends inside of a value that begins here");
    }
    raw = sf_view(json->text.data + begin, json->at - begin);
    if (raw.bytes > SF_CONTACT_JSON_VALUE_BYTES_MAX) {
        return sf_contact_fail(json->error, SF_ELIMIT, json->name, value.line,
            "a value of %zu bytes: at most %d are accepted", raw.bytes,
            SF_CONTACT_JSON_VALUE_BYTES_MAX);
    }
    loaded = json_loadb(
        (const char *)raw.data, raw.bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (loaded == NULL) {
        return sf_contact_fail(json->error, SF_EFORMAT, json->name,
            value.line + (error.line > 1 ? (unsigned int)error.line - 1 : 0),
            "\"%s\" is no JSON: %s", sf_contact_show(raw).text, error.text);
    }
    if (json_is_string(loaded)) {
        value.kind = SF_CONTACT_JSON_STRING;
        raw = sf_view(json_string_value(loaded), json_string_length(loaded));
    } else if (json_is_number(loaded)) {
        value.kind = SF_CONTACT_JSON_NUMBER;
    }
    memcpy(
        value.text, raw.data, raw.bytes < sizeof(value.text) ? raw.bytes : sizeof(value.text) - 1);
    json_decref(loaded);
    *ret_value = value;
    return SF_OK;
}

int
sf_contact_json_key(struct sf_contact_json *json, struct sf_contact_json_value *ret_key)
{
    int status;

    if (sf_contact_json_peek(json) != '"') {
        return fail_here(json, "the name of a member, in quotes,");
    }
    status = sf_contact_json_value(json, ret_key);
    if (status == SF_OK && !take(json, ':')) {
        return fail_here(json, "a colon after the name of a member");
    }
    return status;
}

int
sf_contact_json_end(struct sf_contact_json *json)
{
    return sf_contact_json_peek(json) == '\0' && json->at == json->text.bytes
               ? SF_OK
               : fail_here(json, "the end of the text");
}
