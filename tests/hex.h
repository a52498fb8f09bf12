/*
 * hex.h - bytes of tests and vectors written as text.
 */
#ifndef SF_TESTS_HEX_H
#define SF_TESTS_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline int
hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* Lower-case hex to bytes; blanks between bytes are skipped. Returns the count, or SIZE_MAX. */
static inline size_t
hex_decode(const char *text, uint8_t *out, size_t bytes_max)
{
    size_t bytes = 0;

    while (*text != '\0') {
        if (*text == ' ') {
            text++;
            continue;
        }
        if (hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0 || bytes == bytes_max) {
            return SIZE_MAX;
        }
        out[bytes++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
        text += 2;
    }
    return bytes;
}

#endif
