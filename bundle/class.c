/*
 * class.c - size classes and the choice between them.
 */
#include "bundle/class.h"

#include "bundle/envelope.h"
#include "bundle/layout.h"
#include "bundle/manifest.h"

enum {
    /* A frame piece without its bytes, at most; a frame is cut at most once, so twice that. */
    FRAME_PIECE_BYTES_MAX = 40,

    /* What a bundle may leave free at its end because a part would be too small (piece.c). */
    BUNDLE_SLACK_BYTES = 256,

    WASTE_PARTS = 200, /* 0.5 % */

    /* A bundle of a delta in parts of its plaintext; smaller ones, with their shorter frames,
       would make references and patches cost more than they save. */
    DELTA_PARTS = 400,
};

bool
sf_class_is_data(uint64_t bytes)
{
    return bytes <= SF_CLASS_DATA_MAX && sf_envelope_class_is_valid((size_t)bytes);
}

bool
sf_class_is_control(uint64_t bytes)
{
    return bytes > 0 && bytes <= SF_CLASS_CONTROL_MAX &&
           sf_class_control_for((size_t)bytes) == bytes;
}

size_t
sf_class_control_for(size_t bytes)
{
    for (size_t size = SF_CLASS_CONTROL_MIN; size <= SF_CLASS_CONTROL_MAX; size *= 4) {
        if (bytes <= size) {
            return size;
        }
    }
    return 0;
}

static uint64_t
divide_up(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

/* What a transfer would take in one class if nothing can be compressed. */
static void
measure(const struct sf_class_input *input, uint32_t class_bytes,
    struct sf_class_choice *ret_choice, bool *ret_fits)
{
    uint64_t frame_bytes = sf_outline_frame_bytes_for(class_bytes);
    uint64_t capacity = sf_envelope_capacity(class_bytes);
    uint64_t manifest = input->outline_bytes + sf_digests_bytes_max(input->file_count);
    /* Every file may end in a short frame. */
    uint64_t frames = input->total_bytes / frame_bytes + input->file_count;
    /* Tensors make more of them. */
    uint64_t frames_max =
        sf_layout_frames_max(input->total_bytes, input->file_count, (uint32_t)frame_bytes);
    uint64_t payload = input->total_bytes + manifest;
    uint64_t bundles = divide_up(payload + frames * FRAME_PIECE_BYTES_MAX, capacity);
    uint64_t sealed = bundles * class_bytes;
    /* A frame is not begun in a bundle if its rest would not fit in the next. */
    uint64_t unused = BUNDLE_SLACK_BYTES + (frame_bytes > capacity ? frame_bytes - capacity : 0);

    *ret_choice = (struct sf_class_choice){
        .class_bytes = class_bytes,
        .frame_bytes = (uint32_t)frame_bytes,
        .bundle_count_max =
            divide_up(payload + 2 * frames_max * FRAME_PIECE_BYTES_MAX, capacity - unused) +
            frames_max / SF_CONTENT_PIECES_MAX + 1,
    };
    *ret_fits = (bundles * capacity - input->total_bytes) <= sealed / WASTE_PARTS;
}

/* No class above this may be chosen. */
static uint64_t
largest_of(const struct sf_class_input *input)
{
    uint64_t largest = input->largest == 0 ? SF_CLASS_DATA_MAX : input->largest;

    if (input->is_delta && input->total_bytes / DELTA_PARTS < largest) {
        largest = input->total_bytes / DELTA_PARTS;
    }
    return largest;
}

int
sf_class_choose(const struct sf_class_input *input, struct sf_class_choice *ret_choice)
{
    struct sf_class_choice choice;
    bool found = false;
    bool fits = false;

    if (input->fixed != 0 && !sf_class_is_data(input->fixed)) {
        return SF_EINVAL;
    }
    if (input->total_bytes > SF_TRANSFER_BYTES_MAX || input->outline_bytes > SF_OUTLINE_BYTES_MAX ||
        input->file_count > SF_OUTLINE_FILES_MAX) {
        return SF_ELIMIT;
    }
    if (input->fixed != 0) {
        measure(input, input->fixed, &choice, &fits);
        if (choice.bundle_count_max > SF_BUNDLES_MAX) {
            return SF_ELIMIT;
        }
        *ret_choice = choice;
        return SF_OK;
    }
    /* From the largest down; a class that needs too many bundles ends the search. */
    for (unsigned i = SF_ENVELOPE_CLASSES; i > 0 && !fits; i--) {
        uint32_t class_bytes = (uint32_t)sf_envelope_class(i - 1);

        if (class_bytes > largest_of(input) && i > 1) {
            continue;
        }
        measure(input, class_bytes, &choice, &fits);
        if (choice.bundle_count_max > SF_BUNDLES_MAX) {
            break;
        }
        *ret_choice = choice;
        found = true;
    }
    return found ? SF_OK : SF_ELIMIT;
}

static unsigned
log2_of(uint64_t value)
{
    unsigned bits = 0;

    while (value >>= 1) {
        bits++;
    }
    return bits;
}

uint64_t
sf_class_padme(uint64_t bytes)
{
    unsigned exponent;
    unsigned kept;
    uint64_t mask;

    if (bytes < 2) {
        return bytes;
    }
    exponent = log2_of(bytes);
    kept = log2_of(exponent) + 1;
    mask = exponent > kept ? (UINT64_C(1) << (exponent - kept)) - 1 : 0;
    return bytes > UINT64_MAX - mask ? UINT64_MAX : (bytes + mask) & ~mask;
}

uint64_t
sf_class_padded_count(uint64_t count, uint32_t class_bytes)
{
    uint64_t padded = sf_class_padme(count * class_bytes);

    return padded / class_bytes + (padded % class_bytes != 0);
}
