/*
 * contact_json.h - JSON texts of contact plans and orbits, walked from outside in.
 *
 * Only one small value at a time is given to the JSON library, so memory never
 * grows with the text, and every message names its line. Inside of link/.
 *
 *     status = sf_contact_json_enter(&json, '{');
 *     while ((status = sf_contact_json_next(&json, '}', &more)) == SF_OK && more) {
 *         status = sf_contact_json_key(&json, &key);
 *         ... sf_contact_json_value() or another sf_contact_json_enter() ...
 *     }
 *
 * Every call that returns SF_EFORMAT or SF_ELIMIT has put what is wrong into
 * *error; the walk is then over.
 */
#ifndef SF_LINK_CONTACT_JSON_H
#define SF_LINK_CONTACT_JSON_H

#include "base/bytes.h"
#include "link/contact.h"

enum {
    SF_CONTACT_JSON_VALUE_BYTES_MAX = 16384, /* of one value that is read or passed over */
    SF_CONTACT_JSON_TEXT_BYTES = 128,
};

struct sf_contact_json {
    struct sf_view text;
    size_t at;
    unsigned int line;
    bool first; /* no comma yet in the innermost container */
    const char *name;
    struct sf_contact_error *error;
};

enum sf_contact_json_kind { SF_CONTACT_JSON_STRING, SF_CONTACT_JSON_NUMBER, SF_CONTACT_JSON_OTHER };

struct sf_contact_json_value {
    enum sf_contact_json_kind kind;
    unsigned int line;
    char text[SF_CONTACT_JSON_TEXT_BYTES]; /* what a string says, else as it is written; cut */
};

void sf_contact_json_init(struct sf_contact_json *json, const char *name, struct sf_view text,
    struct sf_contact_error *error);

/* The next byte that is not blank, or NUL at the end of the text. */
char sf_contact_json_peek(struct sf_contact_json *json);

/* Go into the container that must begin here with `open`, '{' or '['. */
SF_MUST_USE int sf_contact_json_enter(struct sf_contact_json *json, char open);

/* Go to the container's next member, or over its end, `close`. */
SF_MUST_USE int sf_contact_json_next(struct sf_contact_json *json, char close, bool *ret_more);

/* Read a member's name and the colon after it. */
SF_MUST_USE int sf_contact_json_key(
    struct sf_contact_json *json, struct sf_contact_json_value *ret_key);

/* Read any value; containers are checked and passed over. */
SF_MUST_USE int sf_contact_json_value(
    struct sf_contact_json *json, struct sf_contact_json_value *ret_value);

/* Nothing but blanks may follow. */
SF_MUST_USE int sf_contact_json_end(struct sf_contact_json *json);

#endif
