#include <config.h> /* wcwidth() is an extension of X/Open */

#include "app/text.h"

#include "base/assert.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <wchar.h>

/* --- Names ----------------------------------------------------------------- */

/* The character at `at`, its length in *ret_bytes; -1 if it is not (shortest-form) UTF-8. */
static int32_t
utf8_next(struct sf_view name, size_t at, size_t *ret_bytes)
{
    static const int32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *p = name.data + at;
    size_t bytes;
    int32_t c;

    if (p[0] < 0x80) {
        *ret_bytes = 1;
        return p[0];
    }
    if (p[0] >= 0xc2 && p[0] < 0xe0) {
        bytes = 2;
        c = p[0] & 0x1f;
    } else if (p[0] >= 0xe0 && p[0] < 0xf0) {
        bytes = 3;
        c = p[0] & 0x0f;
    } else if (p[0] >= 0xf0 && p[0] < 0xf5) {
        bytes = 4;
        c = p[0] & 0x07;
    } else {
        return -1;
    }
    if (bytes > name.bytes - at) {
        return -1;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return -1;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[bytes] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return -1;
    }
    *ret_bytes = bytes;
    return c;
}

/* Characters that a reader cannot see, or that turn what stands around them. */
static bool
is_deceptive(int32_t c)
{
    return (c >= 0x80 && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) ||
           (c >= 0xe000 && c <= 0xf8ff) || c >= 0xe0000;
}

/* One character of `name` as text; returns how many bytes of it were used. */
static size_t
escape_next(struct sf_view name, size_t at, bool utf8, char shown[16])
{
    size_t bytes = 1;
    int32_t c = utf8_next(name, at, &bytes);

    if (c == '\n') {
        memcpy(shown, "\\n", 3);
    } else if (c == '\t') {
        memcpy(shown, "\\t", 3);
    } else if (c == '\r') {
        memcpy(shown, "\\r", 3);
    } else if (c == '\\') {
        memcpy(shown, "\\\\", 3);
    } else if (c < 0x20 || c == 0x7f) {
        bytes = 1;
        (void)snprintf(shown, 16, "\\x%02x", name.data[at]);
    } else if (c >= 0x80 && (!utf8 || is_deceptive(c))) {
        (void)snprintf(shown, 16, "\\u{%x}", (unsigned)c);
    } else {
        memcpy(shown, name.data + at, bytes);
        shown[bytes] = '\0';
    }
    return bytes;
}

size_t
sf_text_escape(struct sf_view name, bool utf8, char *out, size_t bytes_max)
{
    size_t used = 0;

    sf_assert(bytes_max > 0);
    for (size_t at = 0; at < name.bytes;) {
        char shown[16];
        size_t step = escape_next(name, at, utf8, shown);
        size_t length = strlen(shown);

        if (length > bytes_max - 1 - used) {
            break;
        }
        memcpy(out + used, shown, length);
        used += length;
        at += step;
    }
    out[used] = '\0';
    return used;
}

void
sf_text_tame(char *text)
{
    struct sf_view view = sf_view(text, strlen(text));

    for (size_t at = 0, bytes; at < view.bytes; at += bytes) {
        int32_t c = (bytes = 1, utf8_next(view, at, &bytes));

        if (c < 0) {
            bytes = 1;
        }
        if ((c < 0x20 && c != '\n') || c == 0x7f || is_deceptive(c)) {
            memset(text + at, '?', bytes);
        }
    }
}

char *
sf_text_escaped(struct sf_view name, bool utf8)
{
    size_t bytes_max = name.bytes * SF_TEXT_ESCAPE_FACTOR + 1;
    char *out = malloc(bytes_max);

    sf_assert(out != NULL);
    (void)sf_text_escape(name, utf8, out, bytes_max);
    return out;
}

/* The columns of the character at text[at], and its bytes. */
static unsigned
column_width(const char *text, size_t at, size_t *ret_bytes)
{
    int32_t c = utf8_next(sf_view(text, at + strnlen(text + at, 4)), at, ret_bytes);
    int width;

    if (c < 0) {
        *ret_bytes = 1;
        return 1;
    }
    /* Without a UTF-8 locale wcwidth() knows ASCII alone; one column is then the best guess. */
    width = wcwidth((wchar_t)c);
    return width < 0 ? 1 : (unsigned)width;
}

unsigned
sf_text_width(const char *text)
{
    unsigned columns = 0;

    for (size_t at = 0, bytes; text[at] != '\0'; at += bytes) {
        columns += column_width(text, at, &bytes);
    }
    return columns;
}

void
sf_text_cut(char *text, unsigned columns)
{
    static const char ellipsis[] = "...";
    unsigned keep = columns >= 4 ? columns - 3 : columns;
    unsigned used = 0;
    size_t at = 0;

    if (sf_text_width(text) <= columns) {
        return;
    }
    while (text[at] != '\0') {
        size_t bytes;
        unsigned width = column_width(text, at, &bytes);

        if (used + width > keep) {
            break;
        }
        used += width;
        at += bytes;
    }
    if (columns >= 4 && strlen(text + at) >= sizeof(ellipsis) - 1) {
        memcpy(text + at, ellipsis, sizeof(ellipsis));
    } else {
        text[at] = '\0';
    }
}

bool
sf_text_is_utf8(void)
{
    return strcasecmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* --- Amounts --------------------------------------------------------------- */

/* `value` in the largest of `units` that leaves at least one whole, with three digits. */
static void
amount(uint64_t value, uint64_t step, const char *const *units, size_t count, char *out)
{
    uint64_t unit = 1;
    size_t index = 0;
    uint64_t whole;
    uint64_t thousandths;

    while (index + 1 < count && value / unit >= step) {
        unit *= step;
        index++;
    }
    whole = value / unit;
    /* Divide first: the largest values would not bear the multiplication. */
    thousandths = unit == 1 ? 0 : (value % unit) / (unit / step) * 1000 / step;
    if (index == 0 || whole >= 100) {
        (void)snprintf(
            out, SF_TEXT_AMOUNT_BYTES, "%llu %s", (unsigned long long)whole, units[index]);
    } else if (whole >= 10) {
        (void)snprintf(out, SF_TEXT_AMOUNT_BYTES, "%llu.%llu %s", (unsigned long long)whole,
            (unsigned long long)(thousandths / 100), units[index]);
    } else {
        (void)snprintf(out, SF_TEXT_AMOUNT_BYTES, "%llu.%02llu %s", (unsigned long long)whole,
            (unsigned long long)(thousandths / 10), units[index]);
    }
}

void
sf_text_size(uint64_t bytes, char out[SF_TEXT_AMOUNT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    amount(bytes, 1024, units, sizeof(units) / sizeof(units[0]), out);
}

void
sf_text_rate(uint64_t bits_per_second, char out[SF_TEXT_AMOUNT_BYTES])
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};

    amount(bits_per_second, 1000, units, sizeof(units) / sizeof(units[0]), out);
}

void
sf_text_duration(uint64_t seconds, char out[SF_TEXT_AMOUNT_BYTES])
{
    unsigned long long s = seconds;

    if (s < 60) {
        (void)snprintf(out, SF_TEXT_AMOUNT_BYTES, "%llu s", s);
    } else if (s < 3600) {
        (void)snprintf(out, SF_TEXT_AMOUNT_BYTES, "%llu min %02llu s", s / 60, s % 60);
    } else if (s < 86400) {
        (void)snprintf(out, SF_TEXT_AMOUNT_BYTES, "%llu h %02llu min", s / 3600, s / 60 % 60);
    } else {
        (void)snprintf(out, SF_TEXT_AMOUNT_BYTES, "%llu d %llu h", s / 86400, s / 3600 % 24);
    }
}

void
sf_text_time(struct sf_wall wall, char out[SF_TEXT_AMOUNT_BYTES])
{
    time_t seconds = (time_t)(wall.ms / 1000);
    struct tm tm;

    if (wall.ms == 0 || localtime_r(&seconds, &tm) == NULL ||
        strftime(out, SF_TEXT_AMOUNT_BYTES, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        (void)snprintf(out, SF_TEXT_AMOUNT_BYTES, "-");
    }
}

/* --- Slips ----------------------------------------------------------------- */

enum {
    SLIP_LETTERS_MAX = 31,
};

/* Letters missing, added, changed or swapped with their neighbour between two short words. */
static size_t
slips(const char *a, const char *b)
{
    size_t rows[3][SLIP_LETTERS_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    size_t a_count = strlen(a);
    size_t b_count = strlen(b);

    if (a_count > SLIP_LETTERS_MAX || b_count > SLIP_LETTERS_MAX) {
        return SLIP_LETTERS_MAX;
    }
    for (size_t j = 0; j <= b_count; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= a_count; i++) {
        size_t *old = before;

        row[0] = i;
        for (size_t j = 1; j <= b_count; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            best = last[j] + 1 < best ? last[j] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            row[j] = best;
        }
        before = last;
        last = row;
        row = old;
    }
    return last[b_count];
}

const char *
sf_text_nearest(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t best = SF_TEXT_NEAREST_DISTANCE + 1;

    for (size_t i = 0; i < count; i++) {
        size_t distance = slips(word, words[i]);

        if (distance < best && distance < strlen(words[i])) {
            best = distance;
            nearest = words[i];
        }
    }
    return nearest;
}
