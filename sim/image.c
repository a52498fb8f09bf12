#include "config.h"

#include "sim/image.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t zeros[SF_SIM_PAGE_BYTES];

void *
sf_sim_allocate(size_t bytes)
{
    return sf_sim_reallocate(NULL, bytes);
}

void *
sf_sim_reallocate(void *memory, size_t bytes)
{
    void *result = realloc(memory, bytes == 0 ? 1 : bytes);

    sf_assert(result != NULL);
    return result;
}

uint64_t
sf_sim_hash(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* --- Pages and chunks --- */

static void
page_drop(struct sf_sim_page *page)
{
    if (page != NULL && --page->references == 0) {
        free(page);
    }
}

static void
chunk_drop(struct sf_sim_chunk *chunk)
{
    if (--chunk->references > 0) {
        return;
    }
    for (size_t i = 0; i < SF_SIM_CHUNK_PAGES; i++) {
        page_drop(chunk->pages[i]);
    }
    free(chunk);
}

/* The first slot with this number or a higher one. */
static size_t
find_slot(const struct sf_sim_image *image, uint64_t number)
{
    size_t low = 0;
    size_t high = image->slot_count;

    /* Files mostly grow at the end. */
    if (high > 0 && image->slots[high - 1].number < number) {
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (image->slots[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
has_slot(const struct sf_sim_image *image, size_t at, uint64_t number)
{
    return at < image->slot_count && image->slots[at].number == number;
}

static void
insert_slot(struct sf_sim_image *image, size_t at, uint64_t number, struct sf_sim_chunk *chunk)
{
    if (image->slot_count == image->slot_capacity) {
        image->slot_capacity = image->slot_capacity == 0 ? 4 : image->slot_capacity * 2;
        image->slots =
            sf_sim_reallocate(image->slots, image->slot_capacity * sizeof(*image->slots));
    }
    memmove(
        &image->slots[at + 1], &image->slots[at], (image->slot_count - at) * sizeof(*image->slots));
    image->slots[at] = (struct sf_sim_chunk_slot){number, chunk};
    image->slot_count++;
}

static void
remove_slot(struct sf_sim_image *image, size_t at)
{
    chunk_drop(image->slots[at].chunk);
    image->slot_count--;
    memmove(
        &image->slots[at], &image->slots[at + 1], (image->slot_count - at) * sizeof(*image->slots));
}

static const uint8_t *
page_for_reading(const struct sf_sim_image *image, uint64_t page_number)
{
    uint64_t number = page_number / SF_SIM_CHUNK_PAGES;
    size_t at = find_slot(image, number);
    const struct sf_sim_page *page;

    if (!has_slot(image, at, number)) {
        return zeros;
    }
    page = image->slots[at].chunk->pages[page_number % SF_SIM_CHUNK_PAGES];
    return page == NULL ? zeros : page->bytes;
}

/* The chunk of `number`, of this image alone; made if absent. */
static struct sf_sim_chunk *
chunk_for_writing(struct sf_sim_image *image, uint64_t number)
{
    size_t at = find_slot(image, number);
    struct sf_sim_chunk *shared;
    struct sf_sim_chunk *own;

    if (has_slot(image, at, number) && image->slots[at].chunk->references == 1) {
        return image->slots[at].chunk;
    }
    own = sf_sim_allocate(sizeof(*own));
    memset(own, 0, sizeof(*own));
    own->references = 1;
    if (!has_slot(image, at, number)) {
        insert_slot(image, at, number, own);
        return own;
    }
    shared = image->slots[at].chunk;
    for (size_t i = 0; i < SF_SIM_CHUNK_PAGES; i++) {
        own->pages[i] = shared->pages[i];
        if (own->pages[i] != NULL) {
            own->pages[i]->references++;
        }
    }
    chunk_drop(shared);
    image->slots[at].chunk = own;
    return own;
}

static uint8_t *
page_for_writing(struct sf_sim_image *image, uint64_t page_number)
{
    struct sf_sim_chunk *chunk = chunk_for_writing(image, page_number / SF_SIM_CHUNK_PAGES);
    struct sf_sim_page **place = &chunk->pages[page_number % SF_SIM_CHUNK_PAGES];
    struct sf_sim_page *own;

    if (*place != NULL && (*place)->references == 1) {
        return (*place)->bytes;
    }
    own = sf_sim_allocate(sizeof(*own));
    own->references = 1;
    memcpy(own->bytes, *place == NULL ? zeros : (*place)->bytes, sizeof(own->bytes));
    page_drop(*place);
    *place = own;
    return own->bytes;
}

/* --- Images --- */

void
sf_sim_image_init(struct sf_sim_image *image)
{
    memset(image, 0, sizeof(*image));
    sf_range_set_init(&image->blocks, SIZE_MAX);
}

void
sf_sim_image_fini(struct sf_sim_image *image)
{
    for (size_t i = 0; i < image->slot_count; i++) {
        chunk_drop(image->slots[i].chunk);
    }
    free(image->slots);
    sf_range_set_fini(&image->blocks);
    sf_sim_image_init(image);
}

static void
copy_blocks(struct sf_sim_image *to, const struct sf_sim_image *from)
{
    int status = sf_range_set_copy(&to->blocks, &from->blocks);

    sf_assert(status == SF_OK);
}

void
sf_sim_image_copy(struct sf_sim_image *to, const struct sf_sim_image *from)
{
    if (to == from) {
        return;
    }
    sf_sim_image_fini(to);
    to->bytes = from->bytes;
    copy_blocks(to, from);
    to->slot_count = from->slot_count;
    to->slot_capacity = from->slot_count;
    if (from->slot_count > 0) {
        to->slots = sf_sim_allocate(from->slot_count * sizeof(*to->slots));
        memcpy(to->slots, from->slots, from->slot_count * sizeof(*to->slots));
    }
    for (size_t i = 0; i < to->slot_count; i++) {
        to->slots[i].chunk->references++;
    }
}

void
sf_sim_image_share(
    struct sf_sim_image *to, const struct sf_sim_image *from, uint64_t offset, uint64_t bytes)
{
    uint64_t first = offset / SF_SIM_CHUNK_BYTES;
    uint64_t end = bytes == 0 ? first : (offset + bytes - 1) / SF_SIM_CHUNK_BYTES + 1;
    size_t at_to = find_slot(to, first);
    size_t at_from = find_slot(from, first);

    while (at_to < to->slot_count && to->slots[at_to].number < end) {
        remove_slot(to, at_to);
    }
    for (; at_from < from->slot_count && from->slots[at_from].number < end; at_from++) {
        from->slots[at_from].chunk->references++;
        insert_slot(to, at_to++, from->slots[at_from].number, from->slots[at_from].chunk);
    }
    to->bytes = from->bytes;
    copy_blocks(to, from);
}

void
sf_sim_image_read(const struct sf_sim_image *image, uint64_t offset, uint8_t *out, size_t bytes)
{
    while (bytes > 0) {
        size_t skip = (size_t)(offset % SF_SIM_PAGE_BYTES);
        size_t take = SF_SIM_PAGE_BYTES - skip < bytes ? SF_SIM_PAGE_BYTES - skip : bytes;

        memcpy(out, page_for_reading(image, offset / SF_SIM_PAGE_BYTES) + skip, take);
        out += take;
        offset += take;
        bytes -= take;
    }
}

void
sf_sim_image_write(struct sf_sim_image *image, uint64_t offset, const uint8_t *data, size_t bytes)
{
    if (bytes == 0) {
        return;
    }
    sf_sim_image_reserve(image, offset, bytes);
    while (bytes > 0) {
        size_t skip = (size_t)(offset % SF_SIM_PAGE_BYTES);
        size_t take = SF_SIM_PAGE_BYTES - skip < bytes ? SF_SIM_PAGE_BYTES - skip : bytes;

        memcpy(page_for_writing(image, offset / SF_SIM_PAGE_BYTES) + skip, data, take);
        data += take;
        offset += take;
        bytes -= take;
    }
}

void
sf_sim_image_reserve(struct sf_sim_image *image, uint64_t offset, uint64_t bytes)
{
    int status;

    if (bytes == 0) {
        return;
    }
    status = sf_range_set_add(
        &image->blocks, offset / SF_SIM_PAGE_BYTES, (offset + bytes - 1) / SF_SIM_PAGE_BYTES + 1);
    sf_assert(status == SF_OK);
    if (image->bytes < offset + bytes) {
        image->bytes = offset + bytes;
    }
}

/* Drop the pages [first, end) from memory. */
static void
drop_pages(struct sf_sim_image *image, uint64_t first, uint64_t end)
{
    size_t at = find_slot(image, first / SF_SIM_CHUNK_PAGES);

    while (at < image->slot_count && image->slots[at].number * SF_SIM_CHUNK_PAGES < end) {
        uint64_t base = image->slots[at].number * SF_SIM_CHUNK_PAGES;
        struct sf_sim_chunk *chunk;

        if (base >= first && base + SF_SIM_CHUNK_PAGES <= end) {
            remove_slot(image, at);
            continue;
        }
        chunk = chunk_for_writing(image, image->slots[at].number);
        for (uint64_t i = 0; i < SF_SIM_CHUNK_PAGES; i++) {
            if (base + i >= first && base + i < end) {
                page_drop(chunk->pages[i]);
                chunk->pages[i] = NULL;
            }
        }
        at++;
    }
}

/* Overwrite with zeros inside one page, if the page exists. */
static void
zero_part(struct sf_sim_image *image, uint64_t offset, size_t bytes)
{
    if (bytes > 0 && page_for_reading(image, offset / SF_SIM_PAGE_BYTES) != zeros) {
        memset(page_for_writing(image, offset / SF_SIM_PAGE_BYTES) + offset % SF_SIM_PAGE_BYTES, 0,
            bytes);
    }
}

void
sf_sim_image_punch(struct sf_sim_image *image, uint64_t offset, uint64_t bytes)
{
    uint64_t end = bytes > UINT64_MAX - offset ? UINT64_MAX : offset + bytes;
    uint64_t first_page = offset / SF_SIM_PAGE_BYTES + (offset % SF_SIM_PAGE_BYTES != 0);
    uint64_t end_page = end / SF_SIM_PAGE_BYTES;
    int status;

    if (bytes == 0) {
        return;
    }
    if (first_page > end_page) { /* inside one page */
        zero_part(image, offset, (size_t)(end - offset));
        return;
    }
    zero_part(image, offset, (size_t)(first_page * SF_SIM_PAGE_BYTES - offset));
    zero_part(image, end_page * SF_SIM_PAGE_BYTES, (size_t)(end - end_page * SF_SIM_PAGE_BYTES));
    drop_pages(image, first_page, end_page);
    status = sf_range_set_remove(&image->blocks, first_page, end_page);
    sf_assert(status == SF_OK);
}

void
sf_sim_image_truncate(struct sf_sim_image *image, uint64_t bytes)
{
    if (bytes < image->bytes) {
        sf_sim_image_punch(image, bytes, UINT64_MAX - bytes);
    }
    image->bytes = bytes;
}

uint64_t
sf_sim_image_blocks_missing(const struct sf_sim_image *image, uint64_t offset, uint64_t bytes)
{
    uint64_t missing = 0;
    uint64_t from = offset / SF_SIM_PAGE_BYTES;
    uint64_t end;
    struct sf_range hole;

    if (bytes == 0) {
        return 0;
    }
    end = (offset + bytes - 1) / SF_SIM_PAGE_BYTES + 1;
    for (; sf_range_set_hole(&image->blocks, from, end, &hole); from = hole.to) {
        missing += hole.to - hole.from;
    }
    return missing;
}

size_t
sf_sim_image_pages(const struct sf_sim_image *image)
{
    size_t count = 0;

    for (size_t i = 0; i < image->slot_count; i++) {
        for (size_t k = 0; k < SF_SIM_CHUNK_PAGES; k++) {
            count += image->slots[i].chunk->pages[k] != NULL;
        }
    }
    return count;
}

bool
sf_sim_image_has(const struct sf_sim_image *image, const uint8_t *needle, size_t bytes)
{
    uint8_t window[2 * SF_SIM_PAGE_BYTES];

    sf_assert(bytes > 0 && bytes <= SF_SIM_PAGE_BYTES);
    for (size_t i = 0; i < image->slot_count; i++) {
        uint64_t base = image->slots[i].number * SF_SIM_CHUNK_PAGES;

        for (size_t k = 0; k < SF_SIM_CHUNK_PAGES; k++) {
            uint64_t number = base + k;

            if (image->slots[i].chunk->pages[k] == NULL) {
                continue;
            }
            /* The page with its neighbours' edges: a match may begin in the one before. */
            memcpy(window, image->slots[i].chunk->pages[k]->bytes, SF_SIM_PAGE_BYTES);
            memcpy(
                window + SF_SIM_PAGE_BYTES, page_for_reading(image, number + 1), SF_SIM_PAGE_BYTES);
            if (memmem(window, SF_SIM_PAGE_BYTES + bytes - 1, needle, bytes) != NULL) {
                return true;
            }
            if (number == 0 || page_for_reading(image, number - 1) != zeros) {
                continue;
            }
            memset(window, 0, SF_SIM_PAGE_BYTES);
            memcpy(window + SF_SIM_PAGE_BYTES, image->slots[i].chunk->pages[k]->bytes,
                SF_SIM_PAGE_BYTES);
            if (memmem(window + SF_SIM_PAGE_BYTES - (bytes - 1), 2 * (bytes - 1), needle, bytes) !=
                NULL) {
                return true;
            }
        }
    }
    return false;
}

uint64_t
sf_sim_image_hash(const struct sf_sim_image *image, uint64_t hash)
{
    hash = sf_sim_hash(hash, &image->bytes, sizeof(image->bytes));
    for (size_t i = 0; i < image->slot_count; i++) {
        for (size_t k = 0; k < SF_SIM_CHUNK_PAGES; k++) {
            const struct sf_sim_page *page = image->slots[i].chunk->pages[k];
            uint64_t number = image->slots[i].number * SF_SIM_CHUNK_PAGES + k;

            if (page != NULL && memcmp(page->bytes, zeros, sizeof(zeros)) != 0) {
                hash = sf_sim_hash(hash, &number, sizeof(number));
                hash = sf_sim_hash(hash, page->bytes, sizeof(page->bytes));
            }
        }
    }
    return hash;
}
