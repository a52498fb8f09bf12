/* audit_line.c - lines and heads of the audit log; see audit_impl.h for the bytes. */
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/crypto.h"
#include "store/audit_impl.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    CRC_TAIL_BYTES = 18, /* ,"crc":"xxxxxxxx"} */
    KEY_ID_BYTES = 4,
    SIGNED_BYTES = KEY_ID_BYTES + 64,
};

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* --- Fields --------------------------------------------------------------------- */

static void
put(struct sf_audit_entry *entry, const char *text, size_t bytes)
{
    if (entry->overflow || bytes > sizeof(entry->text) - SF_AUDIT_FRAME_BYTES_MAX - entry->bytes) {
        entry->overflow = true;
        return;
    }
    memcpy(entry->text + entry->bytes, text, bytes);
    entry->bytes += bytes;
}

static void
put_text(struct sf_audit_entry *entry, const char *text)
{
    put(entry, text, strlen(text));
}

static bool
is_name(const char *name)
{
    return name[0] != '\0' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
           strcmp(name, "seq") != 0 && strcmp(name, "prev") != 0 && strcmp(name, "synced") != 0 &&
           strcmp(name, "crc") != 0;
}

static void
put_name(struct sf_audit_entry *entry, const char *name)
{
    sf_assert(is_name(name));
    put_text(entry, entry->bytes == 0 ? "\"" : ",\"");
    put_text(entry, name);
    put_text(entry, "\":");
}

/* How long the UTF-8 character at the front is (RFC 3629), 0 if it is none. */
static size_t
utf8_bytes(const uint8_t *at, size_t left)
{
    size_t bytes = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (bytes == 0 || at[0] > 0xf4 || bytes > left) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return bytes;
}

void
sf_audit_entry_init(struct sf_audit_entry *entry, const char *event)
{
    entry->bytes = 0;
    entry->overflow = false;
    sf_audit_entry_text(entry, "event", sf_view(event, strlen(event)));
}

void
sf_audit_entry_number(struct sf_audit_entry *entry, const char *name, uint64_t number)
{
    char text[24];

    put_name(entry, name);
    snprintf(text, sizeof(text), "%" PRIu64, number);
    put_text(entry, text);
}

void
sf_audit_entry_signed(struct sf_audit_entry *entry, const char *name, int64_t number)
{
    char text[24];

    put_name(entry, name);
    snprintf(text, sizeof(text), "%" PRId64, number);
    put_text(entry, text);
}

void
sf_audit_entry_text(struct sf_audit_entry *entry, const char *name, struct sf_view text)
{
    put_name(entry, name);
    put_text(entry, "\"");
    for (size_t at = 0; at < text.bytes;) {
        uint8_t byte = text.data[at];
        size_t bytes = utf8_bytes(text.data + at, text.bytes - at);
        /* C1 controls and the line separators are characters that terminals and scripts act on. */
        bool is_control =
            byte < 0x20 || byte == 0x7f || (bytes == 2 && byte == 0xc2 && text.data[at + 1] < 0xa0);
        char escape[8];

        if (bytes == 0) {
            put_text(entry, "\\ufffd");
            bytes = 1;
        } else if (byte == '"' || byte == '\\') {
            escape[0] = '\\';
            escape[1] = (char)byte;
            put(entry, escape, 2);
        } else if (is_control) {
            snprintf(escape, sizeof(escape), "\\u%04x", bytes == 2 ? text.data[at + 1] : byte);
            put_text(entry, escape);
        } else {
            put(entry, (const char *)text.data + at, bytes);
        }
        at += bytes;
    }
    put_text(entry, "\"");
}

void
sf_audit_entry_hex(struct sf_audit_entry *entry, const char *name, struct sf_view bytes)
{
    put_name(entry, name);
    put_text(entry, "\"");
    for (size_t i = 0; i < bytes.bytes; i++) {
        put(entry, &hex_digits[bytes.data[i] >> 4], 1);
        put(entry, &hex_digits[bytes.data[i] & 15], 1);
    }
    put_text(entry, "\"");
}

void
sf_audit_entry_bool(struct sf_audit_entry *entry, const char *name, bool value)
{
    put_name(entry, name);
    put_text(entry, value ? "true" : "false");
}

/* --- Lines ------------------------------------------------------------------------- */

size_t
sf_audit_line_encode(
    const struct sf_audit_line *line, struct sf_view fields, char out[SF_AUDIT_LINE_BYTES_MAX])
{
    char prev[65];
    int bytes;

    if (fields.bytes > SF_AUDIT_LINE_BYTES_MAX - SF_AUDIT_FRAME_BYTES_MAX) {
        return 0;
    }
    for (size_t i = 0; i < 32; i++) {
        prev[2 * i] = hex_digits[line->prev[i] >> 4];
        prev[2 * i + 1] = hex_digits[line->prev[i] & 15];
    }
    prev[64] = '\0';
    bytes = snprintf(out, SF_AUDIT_LINE_BYTES_MAX,
        "{\"seq\":%" PRIu64 ",\"prev\":\"%s\",\"synced\":%" PRIu64 ",%.*s", line->seq, prev,
        line->synced, (int)fields.bytes, (const char *)fields.data);
    bytes += snprintf(out + bytes, (size_t)(SF_AUDIT_LINE_BYTES_MAX - bytes),
        ",\"crc\":\"%08" PRIx32 "\"}", sf_crc32c(0, out, (size_t)bytes));
    sf_assert(bytes < SF_AUDIT_LINE_BYTES_MAX);
    return (size_t)bytes;
}

/* Take `text` off the front of `view`. */
static bool
take(struct sf_view *view, const char *text)
{
    size_t bytes = strlen(text);

    if (view->bytes < bytes || memcmp(view->data, text, bytes) != 0) {
        return false;
    }
    *view = sf_view(view->data + bytes, view->bytes - bytes);
    return true;
}

/* Take a decimal number in its shortest form. */
static bool
take_number(struct sf_view *view, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t digits = 0;

    while (digits < view->bytes && view->data[digits] >= '0' && view->data[digits] <= '9') {
        uint64_t digit = (uint64_t)(view->data[digits] - '0');

        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
        digits++;
    }
    if (digits == 0 || (digits > 1 && view->data[0] == '0')) {
        return false;
    }
    *view = sf_view(view->data + digits, view->bytes - digits);
    *ret_number = number;
    return true;
}

/* Take `bytes` bytes in lower-case hex. */
static bool
take_hex(struct sf_view *view, uint8_t *out, size_t bytes)
{
    if (view->bytes < 2 * bytes) {
        return false;
    }
    for (size_t i = 0; i < 2 * bytes; i++) {
        const char *digit = view->data[i] == '\0' ? NULL : strchr(hex_digits, view->data[i]);

        if (digit == NULL) {
            return false;
        }
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - hex_digits));
    }
    *view = sf_view(view->data + 2 * bytes, view->bytes - 2 * bytes);
    return true;
}

int
sf_audit_line_decode(struct sf_view text, struct sf_audit_line *ret_line)
{
    struct sf_audit_line line = {0};
    struct sf_view rest = text;
    struct sf_view tail;
    uint8_t crc[4] = {0};

    if (text.bytes < CRC_TAIL_BYTES || text.bytes > SF_AUDIT_LINE_BYTES_MAX) {
        return SF_EFORMAT;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return SF_EFORMAT;
        }
    }
    tail = sf_view(text.data + text.bytes - CRC_TAIL_BYTES, CRC_TAIL_BYTES);
    if (!take(&tail, ",\"crc\":\"") || !take_hex(&tail, crc, sizeof(crc)) || !take(&tail, "\"}") ||
        sf_get_be32(crc) != sf_crc32c(0, text.data, text.bytes - CRC_TAIL_BYTES)) {
        return SF_EFORMAT;
    }
    if (!take(&rest, "{\"seq\":") || !take_number(&rest, &line.seq) ||
        !take(&rest, ",\"prev\":\"") || !take_hex(&rest, line.prev, sizeof(line.prev)) ||
        !take(&rest, "\",\"synced\":") || !take_number(&rest, &line.synced) ||
        !take(&rest, ",\"event\":\"") || line.seq == 0 || line.synced >= line.seq) {
        return SF_EFORMAT;
    }
    *ret_line = line;
    return SF_OK;
}

/* --- Heads --------------------------------------------------------------------------- */

/* Writes 4 characters for every 3 bytes begun, and a NUL. */
static void
base64_encode(const uint8_t *from, size_t bytes, char *out)
{
    for (size_t at = 0; at < bytes; at += 3) {
        size_t left = bytes - at;
        uint32_t three = (uint32_t)from[at] << 16;

        three |= left > 1 ? (uint32_t)from[at + 1] << 8 : 0;
        three |= left > 2 ? (uint32_t)from[at + 2] : 0;
        *out++ = base64_digits[three >> 18];
        *out++ = base64_digits[three >> 12 & 63];
        *out++ = left > 1 ? base64_digits[three >> 6 & 63] : '=';
        *out++ = left > 2 ? base64_digits[three & 63] : '=';
    }
    *out = '\0';
}

/* Take exactly `bytes` bytes in base64 with padding, in their only form. */
static bool
take_base64(struct sf_view *view, uint8_t *out, size_t bytes)
{
    size_t digits = (bytes + 2) / 3 * 4;
    char again[(SIGNED_BYTES + 2) / 3 * 4 + 1];
    uint32_t bits = 0;
    size_t done = 0;

    sf_assert(bytes <= SIGNED_BYTES);
    if (view->bytes < digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        const char *digit = view->data[i] == '\0' ? NULL : strchr(base64_digits, view->data[i]);

        if (digit == NULL && view->data[i] != '=') {
            return false;
        }
        bits = bits << 6 | (digit == NULL ? 0 : (uint32_t)(digit - base64_digits));
        if (i % 4 == 3) {
            for (int shift = 16; shift >= 0; shift -= 8) {
                if (done < bytes) {
                    out[done++] = (uint8_t)(bits >> shift);
                }
            }
            bits = 0;
        }
    }
    base64_encode(out, bytes, again);
    if (memcmp(again, view->data, digits) != 0) {
        return false; /* padding in the wrong place, or stray bits */
    }
    *view = sf_view(view->data + digits, view->bytes - digits);
    return true;
}

bool
sf_audit_origin_is_good(const char *origin)
{
    size_t bytes = strlen(origin);

    return bytes > 0 && bytes <= SF_AUDIT_ORIGIN_BYTES_MAX &&
           strspn(origin, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-") ==
               bytes;
}

static void
key_id(const char *origin, const uint8_t public_key[32], uint8_t ret_id[KEY_ID_BYTES])
{
    struct sf_sha256 hash;
    uint8_t digest[32];

    sf_sha256_init(&hash);
    sf_sha256_update(&hash, origin, strlen(origin));
    sf_sha256_update(&hash, "\n\x01", 2);
    sf_sha256_update(&hash, public_key, 32);
    sf_sha256_final(&hash, digest);
    memcpy(ret_id, digest, KEY_ID_BYTES);
}

size_t
sf_audit_note_text(
    const struct sf_audit_note *note, const char *origin, char out[SF_AUDIT_HEAD_BYTES_MAX])
{
    char hash[48];

    base64_encode(note->hash, sizeof(note->hash), hash);
    return (size_t)snprintf(
        out, SF_AUDIT_HEAD_BYTES_MAX, "%s\n%" PRIu64 "\n%s\n", origin, note->lines, hash);
}

size_t
sf_audit_note_finish(const char *origin, const uint8_t public_key[32], const uint8_t signature[64],
    size_t text_bytes, char out[SF_AUDIT_HEAD_BYTES_MAX])
{
    uint8_t signed_bytes[SIGNED_BYTES];
    char text[(SIGNED_BYTES + 2) / 3 * 4 + 1];

    key_id(origin, public_key, signed_bytes);
    memcpy(signed_bytes + KEY_ID_BYTES, signature, 64);
    base64_encode(signed_bytes, sizeof(signed_bytes), text);
    return text_bytes + (size_t)snprintf(out + text_bytes, SF_AUDIT_HEAD_BYTES_MAX - text_bytes,
                            "\n\xe2\x80\x94 %s %s\n\n", origin, text);
}

int
sf_audit_note_decode(struct sf_view text, const char *origin, const uint8_t public_key[32],
    struct sf_audit_note *ret_note, size_t *ret_bytes)
{
    struct sf_audit_note note = {0};
    struct sf_view rest = text;
    uint8_t signed_bytes[SIGNED_BYTES];
    uint8_t id[KEY_ID_BYTES];
    char name[SF_AUDIT_ORIGIN_BYTES_MAX + 1];
    const uint8_t *name_end = memchr(text.data, '\n', text.bytes);
    size_t signed_text_bytes;
    size_t name_bytes = name_end == NULL ? SIZE_MAX : (size_t)(name_end - text.data);

    if (name_bytes > SF_AUDIT_ORIGIN_BYTES_MAX) {
        return SF_EFORMAT;
    }
    memcpy(name, text.data, name_bytes);
    name[name_bytes] = '\0';
    if (strlen(name) != name_bytes || !sf_audit_origin_is_good(name) || !take(&rest, name) ||
        !take(&rest, "\n") || !take_number(&rest, &note.lines) || note.lines == 0 ||
        !take(&rest, "\n") || !take_base64(&rest, note.hash, sizeof(note.hash)) ||
        !take(&rest, "\n")) {
        return SF_EFORMAT;
    }
    signed_text_bytes = text.bytes - rest.bytes;
    if (!take(&rest, "\n\xe2\x80\x94 ") || !take(&rest, name) || !take(&rest, " ") ||
        !take_base64(&rest, signed_bytes, sizeof(signed_bytes)) || !take(&rest, "\n\n")) {
        return SF_EFORMAT;
    }
    key_id(origin, public_key, id);
    if (strcmp(name, origin) != 0 || memcmp(id, signed_bytes, sizeof(id)) != 0 ||
        sf_verify(public_key, sf_view(text.data, signed_text_bytes), signed_bytes + KEY_ID_BYTES) !=
            SF_OK) {
        return SF_EAUTH;
    }
    *ret_note = note;
    *ret_bytes = text.bytes - rest.bytes;
    return SF_OK;
}
