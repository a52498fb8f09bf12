#include "config.h"

#include "sim/image.h"

#include "base/assert.h"
#include "sim/depot.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_STEP = 4 }; /* pages a chunk gets room for at a time */

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

/* --- Pages --- */

/* A page of these SF_SIM_PAGE_BYTES bytes, with one reference; NULL if they are all zeros. */
static struct sf_sim_page *
page_new(const uint8_t *bytes)
{
    struct sf_sim_page *page;
    size_t from = 0;
    size_t end = SF_SIM_PAGE_BYTES;

    if (memcmp(bytes, zeros, SF_SIM_PAGE_BYTES) == 0) {
        return NULL;
    }
    while (bytes[from] == 0) {
        from++;
    }
    while (bytes[end - 1] == 0) {
        end--;
    }
    page = sf_depot_take(sizeof(*page) + end - from);
    page->references = 1;
    page->from = (uint16_t)from;
    page->bytes = (uint16_t)(end - from);
    memcpy(page->data, bytes + from, end - from);
    return page;
}

/* `take` bytes of a page (NULL: of zeros) from `skip` on. */
static void
page_read(const struct sf_sim_page *page, size_t skip, uint8_t *out, size_t take)
{
    size_t from;
    size_t end;

    if (page == NULL || page->from >= skip + take || page->from + (size_t)page->bytes <= skip) {
        memset(out, 0, take);
        return;
    }
    from = page->from > skip ? page->from : skip;
    end = page->from + (size_t)page->bytes;
    end = end < skip + take ? end : skip + take;
    memset(out, 0, from - skip);
    memcpy(out + from - skip, page->data + from - page->from, end - from);
    memset(out + end - skip, 0, skip + take - end);
}

static void
page_drop(struct sf_sim_page *page)
{
    if (page != NULL && --page->references == 0) {
        sf_depot_give(page, sizeof(*page) + page->bytes);
    }
}

/* --- Chunks --- */

static size_t
count_bits(uint64_t bits)
{
    return (size_t)__builtin_popcountll(bits);
}

/* A chunk without pages, with room for `room` of them or some more. */
static struct sf_sim_chunk *
chunk_new(size_t room)
{
    struct sf_sim_chunk *chunk;

    room = (room + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
    chunk = sf_depot_take(sizeof(*chunk) + room * sizeof(chunk->pages[0]));
    chunk->references = 1;
    chunk->room = (uint32_t)room;
    chunk->present = 0;
    return chunk;
}

static void
chunk_free(struct sf_sim_chunk *chunk)
{
    sf_depot_give(chunk, sizeof(*chunk) + chunk->room * sizeof(chunk->pages[0]));
}

static void
chunk_drop(struct sf_sim_chunk *chunk)
{
    size_t count = count_bits(chunk->present);

    if (--chunk->references > 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        page_drop(chunk->pages[i]);
    }
    chunk_free(chunk);
}

static bool
chunk_has(const struct sf_sim_chunk *chunk, size_t number)
{
    return (chunk->present >> number & 1) != 0;
}

/* Where the page stands, or would stand, among those that are present. */
static size_t
chunk_place(const struct sf_sim_chunk *chunk, size_t number)
{
    return count_bits(chunk->present & ((UINT64_C(1) << number) - 1));
}

static struct sf_sim_page *
chunk_page(const struct sf_sim_chunk *chunk, size_t number)
{
    return chunk_has(chunk, number) ? chunk->pages[chunk_place(chunk, number)] : NULL;
}

/* --- Slots --- */

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

/* The page with that number, or NULL for zeros. */
static struct sf_sim_page *
page_at(const struct sf_sim_image *image, uint64_t page_number)
{
    uint64_t number = page_number / SF_SIM_CHUNK_PAGES;
    size_t at = find_slot(image, number);

    if (!has_slot(image, at, number)) {
        return NULL;
    }
    return chunk_page(image->slots[at].chunk, page_number % SF_SIM_CHUNK_PAGES);
}

/* The chunk in slot `at`, of this image alone and with room for one page more. */
static struct sf_sim_chunk *
chunk_for_writing(struct sf_sim_image *image, size_t at)
{
    struct sf_sim_chunk *old = image->slots[at].chunk;
    size_t count = count_bits(old->present);
    struct sf_sim_chunk *own;

    if (old->references == 1 && count < old->room) {
        return old;
    }
    own = chunk_new(count + 1);
    own->present = old->present;
    memcpy(own->pages, old->pages, count * sizeof(own->pages[0]));
    if (old->references == 1) {
        chunk_free(old);
    } else {
        for (size_t i = 0; i < count; i++) {
            own->pages[i]->references++;
        }
        old->references--;
    }
    image->slots[at].chunk = own;
    return own;
}

/* Put `page`, whose reference becomes the image's, where `page_number` was; NULL for zeros. */
static void
set_page(struct sf_sim_image *image, uint64_t page_number, struct sf_sim_page *page)
{
    uint64_t number = page_number / SF_SIM_CHUNK_PAGES;
    size_t bit = page_number % SF_SIM_CHUNK_PAGES;
    size_t at = find_slot(image, number);
    struct sf_sim_chunk *chunk;
    size_t place;
    size_t behind;

    if (!has_slot(image, at, number)) {
        if (page == NULL) {
            return;
        }
        insert_slot(image, at, number, chunk_new(1));
    }
    chunk = image->slots[at].chunk;
    if (page == NULL && !chunk_has(chunk, bit)) {
        return;
    }
    chunk = chunk_for_writing(image, at);
    place = chunk_place(chunk, bit);
    behind = count_bits(chunk->present) - place;
    if (!chunk_has(chunk, bit)) {
        memmove(&chunk->pages[place + 1], &chunk->pages[place], behind * sizeof(chunk->pages[0]));
        chunk->present |= UINT64_C(1) << bit;
        chunk->pages[place] = page;
        return;
    }
    page_drop(chunk->pages[place]);
    if (page != NULL) {
        chunk->pages[place] = page;
        return;
    }
    memmove(&chunk->pages[place], &chunk->pages[place + 1], (behind - 1) * sizeof(chunk->pages[0]));
    chunk->present &= ~(UINT64_C(1) << bit);
    if (chunk->present == 0) {
        remove_slot(image, at);
    }
}

/* Overwrite part of a page, with zeros if `data` is NULL. */
static void
write_part(struct sf_sim_image *image, uint64_t offset, const uint8_t *data, size_t bytes)
{
    uint64_t number = offset / SF_SIM_PAGE_BYTES;
    uint8_t whole[SF_SIM_PAGE_BYTES];

    page_read(page_at(image, number), 0, whole, sizeof(whole));
    if (data == NULL) {
        memset(whole + offset % SF_SIM_PAGE_BYTES, 0, bytes);
    } else {
        memcpy(whole + offset % SF_SIM_PAGE_BYTES, data, bytes);
    }
    set_page(image, number, page_new(whole));
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
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): each slot has a chunk */
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
        uint64_t number = offset / SF_SIM_CHUNK_BYTES;
        size_t at = find_slot(image, number);
        bool is_there = has_slot(image, at, number);
        size_t span = is_there ? SF_SIM_PAGE_BYTES : SF_SIM_CHUNK_BYTES;
        size_t skip = (size_t)(offset % span);
        size_t take = span - skip < bytes ? span - skip : bytes;

        page_read(is_there ? chunk_page(image->slots[at].chunk,
                                 offset / SF_SIM_PAGE_BYTES % SF_SIM_CHUNK_PAGES)
                           : NULL,
            skip, out, take);
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

        if (take == SF_SIM_PAGE_BYTES) {
            set_page(image, offset / SF_SIM_PAGE_BYTES, page_new(data));
        } else {
            write_part(image, offset, data, take);
        }
        data += take;
        offset += take;
        bytes -= take;
    }
}

void
sf_sim_image_reserve_behind(struct sf_sim_image *image, uint64_t offset, uint64_t bytes)
{
    int status;

    if (bytes == 0) {
        return;
    }
    status = sf_range_set_add(
        &image->blocks, offset / SF_SIM_PAGE_BYTES, (offset + bytes - 1) / SF_SIM_PAGE_BYTES + 1);
    sf_assert(status == SF_OK);
}

void
sf_sim_image_reserve(struct sf_sim_image *image, uint64_t offset, uint64_t bytes)
{
    sf_sim_image_reserve_behind(image, offset, bytes);
    if (bytes > 0 && image->bytes < offset + bytes) {
        image->bytes = offset + bytes;
    }
}

/* Drop the pages [first, end) from memory. */
static void
drop_pages(struct sf_sim_image *image, uint64_t first, uint64_t end)
{
    size_t at;
    size_t kept;

    for (; first < end && first % SF_SIM_CHUNK_PAGES != 0; first++) {
        set_page(image, first, NULL);
    }
    at = find_slot(image, first / SF_SIM_CHUNK_PAGES);
    for (kept = at; at < image->slot_count; at++) {
        if ((image->slots[at].number + 1) * SF_SIM_CHUNK_PAGES <= end) {
            chunk_drop(image->slots[at].chunk);
        } else {
            image->slots[kept++] = image->slots[at];
        }
    }
    image->slot_count = kept;
    if (first < end / SF_SIM_CHUNK_PAGES * SF_SIM_CHUNK_PAGES) {
        first = end / SF_SIM_CHUNK_PAGES * SF_SIM_CHUNK_PAGES;
    }
    for (; first < end; first++) {
        set_page(image, first, NULL);
    }
}

/* Overwrite with zeros inside one page. */
static void
zero_part(struct sf_sim_image *image, uint64_t offset, size_t bytes)
{
    if (bytes > 0 && page_at(image, offset / SF_SIM_PAGE_BYTES) != NULL) {
        write_part(image, offset, NULL, bytes);
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

uint64_t
sf_sim_image_memory(const struct sf_sim_image *image)
{
    uint64_t bytes = image->slot_count * sizeof(*image->slots);

    for (size_t i = 0; i < image->slot_count; i++) {
        const struct sf_sim_chunk *chunk = image->slots[i].chunk;
        size_t count = count_bits(chunk->present);

        bytes += sizeof(*chunk) + count * sizeof(chunk->pages[0]);
        for (size_t k = 0; k < count; k++) {
            bytes += sizeof(*chunk->pages[k]) + chunk->pages[k]->bytes;
        }
    }
    return bytes;
}

uint64_t
sf_sim_image_zeros(const struct sf_sim_image *image)
{
    uint64_t bytes = image->bytes;

    /* Every slot has a page, and every page a byte that is not zero, or it would not be there. */
    if (image->slot_count > 0) {
        size_t first = (size_t)__builtin_ctzll(image->slots[0].chunk->present);

        bytes = image->slots[0].number * SF_SIM_CHUNK_BYTES + first * SF_SIM_PAGE_BYTES +
                image->slots[0].chunk->pages[0]->from;
    }
    return bytes < image->bytes ? bytes : image->bytes;
}

bool
sf_sim_image_has(const struct sf_sim_image *image, const uint8_t *needle, size_t bytes)
{
    uint8_t window[2 * SF_SIM_PAGE_BYTES];

    sf_assert(bytes > 0 && bytes <= SF_SIM_PAGE_BYTES);
    for (size_t i = 0; i < image->slot_count; i++) {
        for (size_t k = 0; k < SF_SIM_CHUNK_PAGES; k++) {
            const struct sf_sim_page *page = chunk_page(image->slots[i].chunk, k);
            uint64_t number = image->slots[i].number * SF_SIM_CHUNK_PAGES + k;

            if (page == NULL) {
                continue;
            }
            /* The page with its neighbours' edges: a match may begin in the one before. */
            page_read(page, 0, window, SF_SIM_PAGE_BYTES);
            page_read(page_at(image, number + 1), 0, window + SF_SIM_PAGE_BYTES, SF_SIM_PAGE_BYTES);
            if (memmem(window, SF_SIM_PAGE_BYTES + bytes - 1, needle, bytes) != NULL) {
                return true;
            }
            if (number == 0 || page_at(image, number - 1) != NULL) {
                continue;
            }
            memset(window, 0, SF_SIM_PAGE_BYTES);
            page_read(page, 0, window + SF_SIM_PAGE_BYTES, SF_SIM_PAGE_BYTES);
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
    uint8_t whole[SF_SIM_PAGE_BYTES];

    hash = sf_sim_hash(hash, &image->bytes, sizeof(image->bytes));
    for (size_t i = 0; i < image->slot_count; i++) {
        for (size_t k = 0; k < SF_SIM_CHUNK_PAGES; k++) {
            const struct sf_sim_page *page = chunk_page(image->slots[i].chunk, k);
            uint64_t number = image->slots[i].number * SF_SIM_CHUNK_PAGES + k;

            if (page != NULL) {
                page_read(page, 0, whole, sizeof(whole));
                hash = sf_sim_hash(hash, &number, sizeof(number));
                hash = sf_sim_hash(hash, whole, sizeof(whole));
            }
        }
    }
    return hash;
}
