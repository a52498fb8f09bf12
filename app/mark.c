#include "app/mark.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    DSCP_MAX = 63,
    CODE_ECT = 1 << 6, /* above the DSCP */
    CODE_BOUND = 1 << 7,
    CODE_INDEX_SHIFT = 8,
    CODE_INDEX_MAX = (1 << 24) - 1,
};

/* RFC 2474, 2597, 3246, 5865, 8622. */
static const struct {
    const char *name;
    uint8_t dscp;
} names[] = {
    {"le", SF_MARK_DSCP_LE},
    {"cs0", 0},
    {"cs1", 8},
    {"cs2", 16},
    {"cs3", 24},
    {"cs4", 32},
    {"cs5", 40},
    {"cs6", 48},
    {"cs7", 56},
    {"af11", 10},
    {"af12", 12},
    {"af13", 14},
    {"af21", 18},
    {"af22", 20},
    {"af23", 22},
    {"af31", 26},
    {"af32", 28},
    {"af33", 30},
    {"af41", 34},
    {"af42", 36},
    {"af43", 38},
    {"va", 44},
    {"ef", 46},
};

int
sf_mark_dscp_parse(const char *text, uint8_t *ret_dscp)
{
    unsigned value = 0;
    size_t digits = strspn(text, "0123456789");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(text, names[i].name) == 0) {
            *ret_dscp = names[i].dscp;
            return SF_OK;
        }
    }
    if (digits == 0 || digits > 2 || text[digits] != '\0') {
        return SF_EFORMAT;
    }
    for (; *text != '\0'; text++) {
        value = value * 10 + (unsigned)(*text - '0');
    }
    if (value > DSCP_MAX) {
        return SF_EFORMAT;
    }
    *ret_dscp = (uint8_t)value;
    return SF_OK;
}

void
sf_mark_dscp_print(uint8_t dscp, char ret_text[SF_MARK_TEXT_BYTES])
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].dscp == dscp && dscp != 0) {
            (void)snprintf(ret_text, SF_MARK_TEXT_BYTES, "%s", names[i].name);
            return;
        }
    }
    (void)snprintf(ret_text, SF_MARK_TEXT_BYTES, "%u", (unsigned)dscp);
}

int
sf_mark_interface_parse(const char *text, char ret_name[SF_MARK_INTERFACE_BYTES_MAX + 1])
{
    size_t bytes = strlen(text);

    if (strcmp(text, "none") == 0) {
        ret_name[0] = '\0';
        return SF_OK;
    }
    /* What the kernel takes: no blank, no slash, not "." and "..". */
    if (bytes == 0 || bytes > SF_MARK_INTERFACE_BYTES_MAX || strpbrk(text, "/ \t:%") != NULL ||
        strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
        return SF_EFORMAT;
    }
    memcpy(ret_name, text, bytes + 1);
    return SF_OK;
}

uint32_t
sf_mark_encode(const struct sf_mark *mark)
{
    uint32_t index = mark->index <= CODE_INDEX_MAX ? mark->index : 0;

    return mark->dscp | (mark->is_ect ? CODE_ECT : 0u) | (mark->is_bound ? CODE_BOUND : 0u) |
           (mark->is_bound ? index << CODE_INDEX_SHIFT : 0u);
}

struct sf_mark
sf_mark_decode(uint32_t code)
{
    return (struct sf_mark){.dscp = (uint8_t)(code & DSCP_MAX),
        .is_ect = (code & CODE_ECT) != 0,
        .is_bound = (code & CODE_BOUND) != 0,
        .index = code >> CODE_INDEX_SHIFT};
}
