#include "app/plan.h"

#include "app/config.h"
#include "link/contact_hdtn.h"
#include "link/contact_ion.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR      "---"
#define FORMAT_FORM    "ion or hdtn"
#define REFERENCE_FORM "whole seconds since 1970-01-01 UTC"

/* The head while it is read. */
struct head {
    char ends[2][SF_PLAN_ENDS_MAX][SF_CONTACT_NAME_BYTES]; /* from, to */
    size_t end_count[2];
    unsigned end_line[2];
    struct sf_plan_gateway gateways[SF_PLAN_GATEWAYS_MAX];
    unsigned gateway_line[SF_PLAN_GATEWAYS_MAX];
    size_t gateway_count;
    bool is_hdtn;
    bool has_format;
    bool has_reference;
    struct sf_wall reference;
};

/* --- Values ---------------------------------------------------------------------- */

static bool
is_node_name(const char *text, size_t bytes)
{
    static const char accepted[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    return bytes > 0 && bytes < SF_CONTACT_NAME_BYTES && strspn(text, accepted) >= bytes;
}

int
sf_plan_gateway_parse(const char *text, struct sf_plan_gateway *ret_gateway)
{
    struct sf_plan_gateway gateway;
    size_t bytes = strcspn(text, "=");

    memset(&gateway, 0, sizeof(gateway));
    if (text[bytes] != '=' || !is_node_name(text, bytes) ||
        sf_endpoint_parse(text + bytes + 1, &gateway.endpoint) != SF_OK ||
        gateway.endpoint.host[0] == '\0') {
        return SF_EFORMAT;
    }
    memcpy(gateway.node, text, bytes);
    *ret_gateway = gateway;
    return SF_OK;
}

static bool
read_ends(struct head *head, size_t side, const char *value)
{
    size_t count = 0;

    for (const char *at = value;; at++) {
        size_t bytes = strcspn(at, ",");

        if (count == SF_PLAN_ENDS_MAX || !is_node_name(at, bytes)) {
            return false;
        }
        memset(head->ends[side][count], 0, SF_CONTACT_NAME_BYTES);
        memcpy(head->ends[side][count++], at, bytes);
        at += bytes;
        if (*at == '\0') {
            break;
        }
    }
    head->end_count[side] = count;
    return true;
}

static bool
read_reference(struct head *head, const char *value)
{
    size_t digits = strspn(value, "0123456789");
    uint64_t seconds;

    if (digits == 0 || digits > 12 || value[digits] != '\0') {
        return false;
    }
    seconds = strtoull(value, NULL, 10);
    if (seconds > (uint64_t)SF_CONTACT_MS_MAX / 1000) {
        return false;
    }
    head->reference.ms = (int64_t)seconds * 1000;
    head->has_reference = true;
    return true;
}

static bool
read_format(struct head *head, const char *value)
{
    head->is_hdtn = strcmp(value, "hdtn") == 0;
    head->has_format = head->is_hdtn || strcmp(value, "ion") == 0;
    return head->has_format;
}

static int
take_gateway(struct head *head, const char *file, unsigned line, const char *value,
    struct sf_app_error *error)
{
    struct sf_plan_gateway *gateway = &head->gateways[head->gateway_count];

    if (head->gateway_count == SF_PLAN_GATEWAYS_MAX) {
        return sf_app_error_set(error, SF_ELIMIT, "%s:%u: a peer has at most %d gateways", file,
            line, SF_PLAN_GATEWAYS_MAX);
    }
    if (sf_plan_gateway_parse(value, gateway) != SF_OK) {
        return sf_config_complain(error, file, line, "gateway", value, SF_PLAN_GATEWAY_FORM);
    }
    for (size_t i = 0; i < head->gateway_count; i++) {
        if (strcmp(head->gateways[i].node, gateway->node) == 0) {
            return sf_app_error_set(error, SF_EFORMAT,
                "%s:%u: gateway = %s: node %s has a gateway already: remove one", file, line, value,
                gateway->node);
        }
    }
    head->gateway_line[head->gateway_count++] = line;
    return SF_OK;
}

static int
take_setting(void *context, const char *file, unsigned line, const char *key, const char *value,
    struct sf_app_error *error)
{
    struct head *head = context;
    bool is_to = strcmp(key, "to") == 0;
    bool is_again = false;
    const char *form = NULL;

    if (is_to || strcmp(key, "from") == 0) {
        is_again = head->end_line[is_to] != 0;
        head->end_line[is_to] = line;
        form = read_ends(head, is_to ? 1 : 0, value) ? NULL : SF_PLAN_NODE_FORM;
    } else if (strcmp(key, "format") == 0) {
        is_again = head->has_format;
        form = read_format(head, value) ? NULL : FORMAT_FORM;
    } else if (strcmp(key, "reference") == 0) {
        is_again = head->has_reference;
        form = read_reference(head, value) ? NULL : REFERENCE_FORM;
    } else if (strcmp(key, "gateway") == 0) {
        return take_gateway(head, file, line, value, error);
    } else {
        return sf_app_error_set(error, SF_EFORMAT,
            "%s:%u: unknown key %s: expected from, to, gateway, format or reference", file, line,
            key);
    }
    if (is_again) {
        return sf_app_error_set(
            error, SF_EFORMAT, "%s:%u: %s is set a second time: remove one", file, line, key);
    }
    return form == NULL ? SF_OK : sf_config_complain(error, file, line, key, value, form);
}

/* --- Head and plan ------------------------------------------------------------------ */

/* How many bytes of `text` come before the plan: the head and the line "---". 0: there is none. */
static size_t
head_bytes(struct sf_view text, size_t *ret_separator)
{
    size_t at = 0;

    while (at < text.bytes && at <= SF_PLAN_HEAD_BYTES_MAX) {
        const uint8_t *newline = memchr(text.data + at, '\n', text.bytes - at);
        size_t end = newline == NULL ? text.bytes : (size_t)(newline - text.data);
        size_t bytes = end - at;

        if (bytes > 0 && text.data[end - 1] == '\r') {
            bytes--;
        }
        if (bytes == strlen(SEPARATOR) && memcmp(text.data + at, SEPARATOR, bytes) == 0) {
            *ret_separator = at;
            return newline == NULL ? end : end + 1;
        }
        at = end + 1;
    }
    return 0;
}

static int
read_head(const char *file, struct sf_view text, struct head *head, struct sf_app_error *error)
{
    int status = sf_config_each(file, text, take_setting, head, error);

    if (status != SF_OK) {
        return status;
    }
    for (size_t side = 0; side < 2; side++) {
        if (head->end_count[side] == 0) {
            return sf_app_error_set(error, SF_EFORMAT, "%s: %s is missing: name " SF_PLAN_NODE_FORM,
                file, side == 0 ? "from" : "to");
        }
    }
    if (head->end_count[0] * head->end_count[1] > SF_CONTACT_WAYS_MAX) {
        return sf_app_error_set(error, SF_ELIMIT,
            "%s: %zu nodes to %zu are too many ways: at most %d are accepted", file,
            head->end_count[0], head->end_count[1], SF_CONTACT_WAYS_MAX);
    }
    if (!head->has_format) {
        return sf_app_error_set(
            error, SF_EFORMAT, "%s: format is missing: " FORMAT_FORM " is accepted", file);
    }
    return SF_OK;
}

/* The plan behind the head, whose lines are left empty so that messages count from the file's. */
static int
read_contacts(const char *file, struct sf_view text, size_t skipped, const struct head *head,
    struct sf_contact_plan *plan, struct sf_app_error *error)
{
    const struct sf_contact_ion ion = {.name = file, .reference = head->reference};
    const struct sf_contact_hdtn hdtn = {.name = file, .reference = head->reference};
    uint8_t *copy = malloc(text.bytes + 1);
    struct sf_contact_error why = {0};
    int status;

    if (copy == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "%s: no memory for the plan", file);
    }
    memcpy(copy, text.data, text.bytes);
    for (size_t i = 0; i < skipped; i++) {
        copy[i] = copy[i] == '\n' ? '\n' : ' ';
    }
    status = head->is_hdtn ? sf_contact_hdtn_decode(&hdtn, sf_view(copy, text.bytes), plan, &why)
                           : sf_contact_ion_decode(&ion, sf_view(copy, text.bytes), plan, &why);
    free(copy);
    return status == SF_OK ? SF_OK : sf_app_error_set(error, status, "%s", why.text);
}

/* --- Ways ----------------------------------------------------------------------------- */

static bool
is_end(const struct head *head, size_t side, const char *node)
{
    for (size_t i = 0; i < head->end_count[side]; i++) {
        if (strcmp(head->ends[side][i], node) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t
gateway_of(const struct head *head, const char *node)
{
    for (uint32_t i = 0; i < head->gateway_count; i++) {
        if (strcmp(head->gateways[i].node, node) == 0) {
            return i;
        }
    }
    return SF_PLAN_NONE;
}

/* The nodes of a way in the plan, or what is wrong with them. */
static int
find_end(const char *file, const struct head *head, const struct sf_contact_plan *plan,
    const char *node, size_t side, uint32_t *ret_node, struct sf_app_error *error)
{
    *ret_node = sf_contact_plan_named(plan, node);
    if (*ret_node == SF_CONTACT_NONE) {
        return sf_app_error_set(error, SF_EFORMAT,
            "%s:%u: %s = %s: the plan has no contact of node %s", file, head->end_line[side],
            side == 0 ? "from" : "to", node, node);
    }
    return SF_OK;
}

static int
make_legs(const char *file, const struct head *head, const struct sf_contact_plan *contacts,
    struct sf_plan *plan, struct sf_app_error *error)
{
    struct sf_contact_way ways[SF_CONTACT_WAYS_MAX];
    size_t count = 0;
    int status;

    for (size_t i = 0; i < head->end_count[0] * head->end_count[1]; i++) {
        const char *from = head->ends[0][i / head->end_count[1]];
        const char *to = head->ends[1][i % head->end_count[1]];
        uint32_t gateway = gateway_of(head, from);

        if (find_end(file, head, contacts, from, 0, &ways[count].from, error) != SF_OK ||
            find_end(file, head, contacts, to, 1, &ways[count].to, error) != SF_OK) {
            return error->status;
        }
        plan->way_gateway[count++] = gateway != SF_PLAN_NONE ? gateway : gateway_of(head, to);
    }
    status = sf_contact_ways_legs(contacts, ways, count, &plan->legs, &plan->leg_count);
    if (status != SF_OK) {
        return sf_app_error_set(error, status, "%s: %s", file,
            status == SF_ELIMIT ? "these are too many contacts: 65536 are accepted"
                                : sf_status_text(status));
    }
    if (plan->leg_count == 0) {
        return sf_app_error_set(error, SF_EFORMAT,
            "%s: the plan has no contact from %s to %s: is it the plan of these nodes, or are "
            "they the wrong way round?",
            file, head->ends[0][0], head->ends[1][0]);
    }
    return SF_OK;
}

static int
check_gateways(const char *file, const struct head *head, struct sf_app_error *error)
{
    for (size_t i = 0; i < head->gateway_count; i++) {
        const char *node = head->gateways[i].node;

        if (!is_end(head, 0, node) && !is_end(head, 1, node)) {
            return sf_app_error_set(error, SF_EFORMAT,
                "%s:%u: gateway = %s=...: node %s is none of `from` and `to`", file,
                head->gateway_line[i], node, node);
        }
    }
    return SF_OK;
}

int
sf_plan_parse(
    const char *file, struct sf_view text, struct sf_plan *ret_plan, struct sf_app_error *error)
{
    struct sf_contact_plan contacts;
    struct sf_plan plan = {.legs = NULL};
    struct head *head;
    size_t separator = 0;
    size_t skipped;
    int status;

    if (text.bytes > SF_PLAN_FILE_BYTES_MAX) {
        return sf_app_error_set(error, SF_ELIMIT, "%s: %zu bytes are more than the %d of a plan",
            file, text.bytes, SF_PLAN_FILE_BYTES_MAX);
    }
    skipped = head_bytes(text, &separator);
    if (skipped == 0) {
        return sf_app_error_set(
            error, SF_EFORMAT, "%s: the line " SEPARATOR " between head and plan is missing", file);
    }
    head = calloc(1, sizeof(*head));
    if (head == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "%s: no memory for the plan", file);
    }
    sf_contact_plan_init(&contacts);
    status = read_head(file, sf_view(text.data, separator), head, error);
    if (status == SF_OK) {
        status = check_gateways(file, head, error);
    }
    if (status == SF_OK) {
        status = read_contacts(file, text, skipped, head, &contacts, error);
    }
    if (status == SF_OK) {
        status = make_legs(file, head, &contacts, &plan, error);
    }
    if (status == SF_OK) {
        memcpy(plan.gateways, head->gateways, sizeof(plan.gateways));
        plan.gateway_count = head->gateway_count;
        *ret_plan = plan;
    } else {
        sf_plan_fini(&plan);
    }
    sf_contact_plan_fini(&contacts);
    free(head);
    return status;
}

void
sf_plan_fini(struct sf_plan *plan)
{
    free(plan->legs);
    memset(plan, 0, sizeof(*plan));
}

/* --- Files ------------------------------------------------------------------------------ */

void
sf_plan_path(const char *peer, char ret_path[SF_PLAN_PATH_BYTES])
{
    (void)snprintf(ret_path, SF_PLAN_PATH_BYTES, "peers/%.*s.plan", SF_PEERS_NAME_BYTES_MAX, peer);
}

int
sf_plan_read(const struct sf_home *home, const char *peer, uint8_t **ret_text, size_t *ret_bytes,
    struct sf_app_error *error)
{
    char path[SF_PLAN_PATH_BYTES];
    struct sf_home_read read = {.name = path, .bytes_max = SF_PLAN_FILE_BYTES_MAX};
    uint8_t *smaller;
    int status;

    sf_plan_path(peer, path);
    read.out = malloc(SF_PLAN_FILE_BYTES_MAX);
    if (read.out == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "%s: no memory to read it", path);
    }
    status = sf_home_read_file(home, &read, ret_bytes, error);
    if (status != SF_OK) {
        free(read.out);
        return status;
    }
    *ret_text = read.out;
    smaller = realloc(read.out, *ret_bytes + 1);
    if (smaller != NULL) {
        *ret_text = smaller;
    }
    return SF_OK;
}

int
sf_plan_write(
    const struct sf_home *home, const char *peer, struct sf_view text, struct sf_app_error *error)
{
    char path[SF_PLAN_PATH_BYTES];

    sf_plan_path(peer, path);
    return sf_home_write_file(home, &(struct sf_home_write){.name = path, .content = text}, error);
}

int
sf_plan_remove(const struct sf_home *home, const char *peer, struct sf_app_error *error)
{
    char path[SF_PLAN_PATH_BYTES];

    sf_plan_path(peer, path);
    return sf_home_remove_file(home, path, error);
}
