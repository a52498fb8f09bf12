#include "config.h"

#include "link/contact.h"

#include "base/assert.h"
#include "link/contact_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- The plan --- */

void
sf_contact_plan_init(struct sf_contact_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    plan->sealed = true;
}

void
sf_contact_plan_fini(struct sf_contact_plan *plan)
{
    free(plan->nodes);
    free(plan->names);
    free(plan->numbers);
    free(plan->contacts);
    free(plan->by_pair);
    free(plan->ranges);
    sf_contact_plan_init(plan);
}

/* A copy of `count` things of `bytes` each; NULL also if there are none. */
static void *
duplicate(const void *from, size_t count, size_t bytes, bool *failed)
{
    void *copy;

    if (count == 0 || from == NULL) {
        return NULL;
    }
    copy = malloc(count * bytes);
    if (copy == NULL) {
        *failed = true;
        return NULL;
    }
    memcpy(copy, from, count * bytes);
    return copy;
}

int
sf_contact_plan_copy(struct sf_contact_plan *to, const struct sf_contact_plan *from)
{
    struct sf_contact_plan copy = *from;
    bool failed = false;

    copy.node_capacity = from->node_count;
    copy.contact_capacity = from->contact_count;
    copy.range_capacity = from->range_count;
    copy.nodes = duplicate(from->nodes, from->node_count, sizeof(*copy.nodes), &failed);
    copy.names = duplicate(from->names, from->node_count, sizeof(*copy.names), &failed);
    copy.numbers = duplicate(from->numbers, from->node_count, sizeof(*copy.numbers), &failed);
    copy.contacts = duplicate(from->contacts, from->contact_count, sizeof(*copy.contacts), &failed);
    copy.by_pair =
        from->sealed ? duplicate(from->by_pair, from->contact_count, sizeof(*copy.by_pair), &failed)
                     : NULL;
    copy.ranges = duplicate(from->ranges, from->range_count, sizeof(*copy.ranges), &failed);
    if (failed) {
        sf_contact_plan_fini(&copy);
        return SF_ENOMEM;
    }
    if (to != from) {
        sf_contact_plan_fini(to);
        *to = copy;
    } else {
        sf_contact_plan_fini(&copy);
    }
    return SF_OK;
}

/* Room for one more thing of `bytes`, in *array. */
static int
make_room(void **array, size_t count, size_t *capacity, size_t bytes, size_t count_max)
{
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown;

    if (count == count_max) {
        return SF_ELIMIT;
    }
    if (count < *capacity) {
        return SF_OK;
    }
    grown = realloc(*array, wanted * bytes);
    if (grown == NULL) {
        return SF_ENOMEM;
    }
    *array = grown;
    *capacity = wanted;
    return SF_OK;
}

/* --- Nodes --- */

static bool
is_name(const char *name)
{
    size_t bytes =
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return bytes > 0 && bytes < SF_CONTACT_NAME_BYTES && name[bytes] == '\0';
}

/* Where in plan->names `name` stands or should. */
static size_t
place_of_name(const struct sf_contact_plan *plan, const char *name, bool *ret_found)
{
    size_t low = 0;
    size_t high = plan->node_count;

    *ret_found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(plan->nodes[plan->names[middle]].name, name);

        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Where in plan->numbers `number` stands or should: after all smaller ones. */
static size_t
place_of_number(const struct sf_contact_plan *plan, uint64_t number, bool *ret_found)
{
    size_t low = 0;
    size_t high = plan->node_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (plan->nodes[plan->numbers[middle]].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found =
        number != 0 && low < plan->node_count && plan->nodes[plan->numbers[low]].number == number;
    return low;
}

uint32_t
sf_contact_plan_named(const struct sf_contact_plan *plan, const char *name)
{
    bool found;
    size_t place = place_of_name(plan, name, &found);

    return found ? plan->names[place] : SF_CONTACT_NONE;
}

uint32_t
sf_contact_plan_numbered(const struct sf_contact_plan *plan, uint64_t number)
{
    bool found;
    size_t place = place_of_number(plan, number, &found);

    return found ? plan->numbers[place] : SF_CONTACT_NONE;
}

static int
grow_nodes(struct sf_contact_plan *plan)
{
    size_t capacity = plan->node_capacity;
    uint32_t *names, *numbers;
    int status = make_room((void **)&plan->nodes, plan->node_count, &capacity, sizeof(*plan->nodes),
        SF_CONTACT_NODES_MAX);

    if (status != SF_OK || capacity == plan->node_capacity) {
        return status;
    }
    names = realloc(plan->names, capacity * sizeof(*names));
    if (names == NULL) {
        return SF_ENOMEM;
    }
    plan->names = names;
    numbers = realloc(plan->numbers, capacity * sizeof(*numbers));
    if (numbers == NULL) {
        return SF_ENOMEM;
    }
    plan->numbers = numbers;
    plan->node_capacity = capacity;
    return SF_OK;
}

static void
insert_at(uint32_t *indices, size_t count, size_t place, uint32_t index)
{
    memmove(indices + place + 1, indices + place, (count - place) * sizeof(*indices));
    indices[place] = index;
}

/* Give the node at `index` a number, which it has none of. */
static void
set_number(struct sf_contact_plan *plan, uint32_t index, uint64_t number)
{
    size_t from = 0;
    size_t to;
    bool found;

    while (plan->numbers[from] != index) {
        from++;
    }
    to = place_of_number(plan, number, &found) - 1;
    memmove(plan->numbers + from, plan->numbers + from + 1, (to - from) * sizeof(*plan->numbers));
    plan->numbers[to] = index;
    plan->nodes[index].number = number;
}

int
sf_contact_plan_node(
    struct sf_contact_plan *plan, const char *name, uint64_t number, uint32_t *ret_node)
{
    struct sf_contact_node node = {.number = number};
    uint32_t by_name, by_number;
    bool found;
    int status;

    if ((name == NULL && number == 0) || (name != NULL && !is_name(name))) {
        return SF_EINVAL;
    }
    by_number = sf_contact_plan_numbered(plan, number);
    if (name == NULL && by_number != SF_CONTACT_NONE) {
        *ret_node = by_number;
        return SF_OK;
    }
    if (name == NULL) {
        snprintf(node.name, sizeof(node.name), "%llu", (unsigned long long)number);
    } else {
        memcpy(node.name, name, strlen(name) + 1);
    }
    by_name = sf_contact_plan_named(plan, node.name);
    if (by_name != SF_CONTACT_NONE && by_name != by_number) {
        if (by_number != SF_CONTACT_NONE || (number != 0 && plan->nodes[by_name].number != 0)) {
            return SF_EEXIST;
        }
        if (number != 0) {
            set_number(plan, by_name, number);
        }
    } else if (by_name != by_number) {
        return SF_EEXIST; /* the number belongs to a node of another name */
    }
    if (by_name != SF_CONTACT_NONE) {
        *ret_node = by_name;
        return SF_OK;
    }
    status = grow_nodes(plan);
    if (status != SF_OK) {
        return status;
    }
    plan->nodes[plan->node_count] = node;
    insert_at(plan->names, plan->node_count, place_of_name(plan, node.name, &found),
        (uint32_t)plan->node_count);
    insert_at(plan->numbers, plan->node_count, place_of_number(plan, number, &found),
        (uint32_t)plan->node_count);
    *ret_node = (uint32_t)plan->node_count++;
    return SF_OK;
}

/* --- Contacts and ranges --- */

static bool
is_interval(const struct sf_contact_plan *plan, uint32_t from, uint32_t to, struct sf_wall start,
    struct sf_wall end)
{
    return from < plan->node_count && to < plan->node_count && from != to && start.ms >= 0 &&
           start.ms < end.ms && end.ms <= SF_CONTACT_MS_MAX;
}

int
sf_contact_plan_add(struct sf_contact_plan *plan, const struct sf_contact *contact)
{
    int status;

    if (!is_interval(plan, contact->from, contact->to, contact->start, contact->end) ||
        contact->rate_bps == 0 || contact->rate_bps > SF_CONTACT_RATE_MAX ||
        contact->confidence_ppm == 0 || contact->confidence_ppm > SF_CONTACT_PPM) {
        return SF_EINVAL;
    }
    status = make_room((void **)&plan->contacts, plan->contact_count, &plan->contact_capacity,
        sizeof(*plan->contacts), SF_CONTACTS_MAX);
    if (status == SF_OK) {
        plan->contacts[plan->contact_count++] = *contact;
        plan->sealed = false;
    }
    return status;
}

int
sf_contact_plan_add_range(struct sf_contact_plan *plan, const struct sf_contact_range *range)
{
    int status;

    if (!is_interval(plan, range->from, range->to, range->start, range->end) ||
        range->light_us > SF_CONTACT_LIGHT_MAX) {
        return SF_EINVAL;
    }
    status = make_room((void **)&plan->ranges, plan->range_count, &plan->range_capacity,
        sizeof(*plan->ranges), SF_CONTACT_RANGES_MAX);
    if (status == SF_OK) {
        plan->ranges[plan->range_count++] = *range;
        plan->sealed = false;
    }
    return status;
}

/* --- Order --- */

static int
order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int
order_pairs(uint32_t from_a, uint32_t to_a, uint32_t from_b, uint32_t to_b)
{
    int order = order_of(from_a, from_b);

    return order != 0 ? order : order_of(to_a, to_b);
}

/* What is equal otherwise keeps the order of its lines, so that a plan has one order only. */
static int
compare_contacts(const void *left, const void *right)
{
    const struct sf_contact *a = left;
    const struct sf_contact *b = right;
    int order = order_of(a->start.ms, b->start.ms);

    order = order != 0 ? order : order_pairs(a->from, a->to, b->from, b->to);
    return order != 0 ? order : order_of(a->line, b->line);
}

static int
compare_ranges(const void *left, const void *right)
{
    const struct sf_contact_range *a = left;
    const struct sf_contact_range *b = right;
    int order = order_pairs(a->from, a->to, b->from, b->to);

    order = order != 0 ? order : order_of(a->start.ms, b->start.ms);
    return order != 0 ? order : order_of(a->line, b->line);
}

static int
compare_by_pair(const void *left, const void *right, void *context)
{
    const struct sf_contact *contacts = context;
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    int order = order_pairs(contacts[a].from, contacts[a].to, contacts[b].from, contacts[b].to);

    /* Contacts are sorted by start already. */
    return order != 0 ? order : order_of(a, b);
}

struct overlap {
    const char *what;
    uint32_t from, to;
    uint32_t line, other;
};

static int
fail_overlap(const struct sf_contact_plan *plan, const struct overlap *overlap, const char *name,
    struct sf_contact_error *ret_error)
{
    uint32_t later = overlap->line > overlap->other ? overlap->line : overlap->other;
    uint32_t earlier = overlap->line > overlap->other ? overlap->other : overlap->line;
    char with[48] = "";

    if (earlier != 0) {
        snprintf(with, sizeof(with), " of line %u", (unsigned int)earlier);
    }
    return sf_contact_fail(ret_error, SF_EFORMAT, name, later,
        "this %s from %s to %s overlaps the one%s: give each time once", overlap->what,
        plan->nodes[overlap->from].name, plan->nodes[overlap->to].name, with);
}

int
sf_contact_plan_seal(
    struct sf_contact_plan *plan, const char *name, struct sf_contact_error *ret_error)
{
    uint32_t *by_pair;

    if (plan->sealed) {
        return SF_OK;
    }
    by_pair = realloc(plan->by_pair, (plan->contact_count + 1) * sizeof(*by_pair));
    if (by_pair == NULL) {
        return sf_contact_fail(ret_error, SF_ENOMEM, name, 0, "there is no memory for its order");
    }
    plan->by_pair = by_pair;
    if (plan->contact_count > 0) {
        qsort(plan->contacts, plan->contact_count, sizeof(*plan->contacts), compare_contacts);
    }
    if (plan->range_count > 0) {
        qsort(plan->ranges, plan->range_count, sizeof(*plan->ranges), compare_ranges);
    }
    for (size_t i = 0; i < plan->contact_count; i++) {
        by_pair[i] = (uint32_t)i;
    }
    qsort_r(by_pair, plan->contact_count, sizeof(*by_pair), compare_by_pair, plan->contacts);
    for (size_t i = 1; i < plan->contact_count; i++) {
        const struct sf_contact *a = &plan->contacts[by_pair[i - 1]];
        const struct sf_contact *b = &plan->contacts[by_pair[i]];

        if (a->from == b->from && a->to == b->to && a->end.ms > b->start.ms) {
            struct overlap overlap = {"contact", a->from, a->to, b->line, a->line};

            return fail_overlap(plan, &overlap, name, ret_error);
        }
    }
    for (size_t i = 1; i < plan->range_count; i++) {
        const struct sf_contact_range *a = &plan->ranges[i - 1];
        const struct sf_contact_range *b = &plan->ranges[i];

        if (a->from == b->from && a->to == b->to && a->end.ms > b->start.ms) {
            struct overlap overlap = {"range", a->from, a->to, b->line, a->line};

            return fail_overlap(plan, &overlap, name, ret_error);
        }
    }
    plan->sealed = true;
    return SF_OK;
}

/* --- Questions --- */

const struct sf_contact *
sf_contact_next(const struct sf_contact_plan *plan, uint32_t from, uint32_t to, struct sf_wall t)
{
    const struct sf_contact *contact;
    size_t low = 0;
    size_t high = plan->contact_count;

    sf_assert(plan->sealed);
    /* The first one of the pair, or of a later pair, that ends after t. */
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order;

        contact = &plan->contacts[plan->by_pair[middle]];
        order = order_pairs(contact->from, contact->to, from, to);
        if (order < 0 || (order == 0 && contact->end.ms <= t.ms)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == plan->contact_count) {
        return NULL;
    }
    contact = &plan->contacts[plan->by_pair[low]];
    return contact->from == from && contact->to == to ? contact : NULL;
}

const struct sf_contact *
sf_contact_at(const struct sf_contact_plan *plan, uint32_t from, uint32_t to, struct sf_wall t)
{
    const struct sf_contact *contact = sf_contact_next(plan, from, to, t);

    return contact != NULL && contact->start.ms <= t.ms ? contact : NULL;
}

struct sf_wall
sf_contact_idle_until(
    const struct sf_contact_plan *plan, uint32_t from, uint32_t to, struct sf_wall t)
{
    const struct sf_contact *contact = sf_contact_next(plan, from, to, t);

    if (contact == NULL) {
        return SF_CONTACT_NEVER;
    }
    return contact->start.ms <= t.ms ? t : contact->start;
}

static const struct sf_contact_range *
range_at(const struct sf_contact_plan *plan, uint32_t from, uint32_t to, struct sf_wall t)
{
    const struct sf_contact_range *range;
    size_t low = 0;
    size_t high = plan->range_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order;

        range = &plan->ranges[middle];
        order = order_pairs(range->from, range->to, from, to);
        if (order < 0 || (order == 0 && range->end.ms <= t.ms)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == plan->range_count) {
        return NULL;
    }
    range = &plan->ranges[low];
    return range->from == from && range->to == to && range->start.ms <= t.ms ? range : NULL;
}

bool
sf_contact_light_us(const struct sf_contact_plan *plan, uint32_t from, uint32_t to,
    struct sf_wall t, uint64_t *ret_light_us)
{
    const struct sf_contact_range *range;

    sf_assert(plan->sealed);
    range = range_at(plan, from, to, t);
    if (range == NULL) {
        range = range_at(plan, to, from, t);
        if (range != NULL && !range->both) {
            range = NULL;
        }
    }
    *ret_light_us = range == NULL ? 0 : range->light_us;
    return range != NULL;
}
