/*
 * schema.c - records in and out of bytes, along the table in schema.h.
 *
 * Layout of every record: version (1), then the small fields in the order of
 * the struct, then the 64-bit fields. Flags are one byte, 0 or 1.
 */
#include "node/schema.h"

#include "bundle/class.h"
#include "bundle/manifest.h"

enum { VERSION = 1 };

/* A place in a record being written or read; the caller has checked the length. */
static uint8_t *
put_u8(uint8_t *at, uint8_t value)
{
    *at = value;
    return at + 1;
}

static uint8_t *
put_u32(uint8_t *at, uint32_t value)
{
    sf_put_be32(at, value);
    return at + 4;
}

static uint8_t *
put_u64(uint8_t *at, uint64_t value)
{
    sf_put_be64(at, value);
    return at + 8;
}

static uint8_t *
put_id(uint8_t *at, const struct sf_transfer_id *id)
{
    memcpy(at, id->b, sizeof(id->b));
    return at + sizeof(id->b);
}

static uint8_t
take_u8(const uint8_t **at)
{
    return *(*at)++;
}

static uint32_t
take_u32(const uint8_t **at)
{
    uint32_t value = sf_get_be32(*at);

    *at += 4;
    return value;
}

static uint64_t
take_u64(const uint8_t **at)
{
    uint64_t value = sf_get_be64(*at);

    *at += 8;
    return value;
}

static struct sf_transfer_id
take_id(const uint8_t **at)
{
    struct sf_transfer_id id;

    memcpy(id.b, *at, sizeof(id.b));
    *at += sizeof(id.b);
    return id;
}

/* A flag is 0 or 1; anything else is not of this version. */
static bool
take_flag(const uint8_t **at, bool *is_good)
{
    uint8_t value = take_u8(at);

    *is_good = *is_good && value <= 1;
    return value == 1;
}

/* What a transfer of this version can be: nothing later needs to look again. */
static bool
is_shape(uint32_t class_bytes, uint64_t slots, uint64_t count)
{
    return sf_class_is_data(class_bytes) && slots > 0 && slots <= SF_BUNDLES_MAX && count <= slots;
}

static bool
is_record(struct sf_view value, size_t bytes)
{
    return value.data != NULL && value.bytes == bytes && value.data[0] == VERSION;
}

size_t
sf_record_peer_encode(const struct sf_record_peer *record, uint8_t out[SF_RECORD_BYTES_MAX])
{
    uint8_t *at = put_u8(out, VERSION);

    at = put_u64(at, record->epoch_in);
    at = put_u64(at, record->life_in);
    at = put_u64(at, record->number_next);
    at = put_u64(at, record->rung_opened);
    at = put_u64(at, record->found_bps);
    return (size_t)(at - out);
}

int
sf_record_peer_decode(struct sf_view value, struct sf_record_peer *ret_record)
{
    const uint8_t *at;

    if (!is_record(value, SF_RECORD_PEER_BYTES)) {
        return SF_EFORMAT;
    }
    at = value.data + 1;
    ret_record->epoch_in = take_u64(&at);
    ret_record->life_in = take_u64(&at);
    ret_record->number_next = take_u64(&at);
    ret_record->rung_opened = take_u64(&at);
    ret_record->found_bps = take_u64(&at);
    return SF_OK;
}

size_t
sf_record_cover_encode(const struct sf_record_cover *record, uint8_t out[SF_RECORD_BYTES_MAX])
{
    uint8_t *at = put_u8(out, VERSION);

    at = put_u64(at, record->owed_bytes);
    at = put_u64(at, (uint64_t)record->day);
    at = put_u64(at, record->day_bytes);
    return (size_t)(at - out);
}

int
sf_record_cover_decode(struct sf_view value, struct sf_record_cover *ret_record)
{
    const uint8_t *at;

    if (!is_record(value, SF_RECORD_COVER_BYTES)) {
        return SF_EFORMAT;
    }
    at = value.data + 1;
    ret_record->owed_bytes = take_u64(&at);
    ret_record->day = (int64_t)take_u64(&at);
    ret_record->day_bytes = take_u64(&at);
    return SF_OK;
}

size_t
sf_record_out_encode(const struct sf_record_out *record, uint8_t out[SF_RECORD_BYTES_MAX])
{
    uint8_t *at = put_u8(out, VERSION);

    at = put_u8(at, record->phase);
    at = put_u8(at, record->role);
    at = put_u8(at, record->priority);
    at = put_u8(at, record->single_file);
    at = put_u8(at, record->forget_key);
    at = put_u8(at, record->reason);
    at = put_u32(at, record->class_bytes);
    at = put_u32(at, record->recipient_count);
    at = put_u64(at, record->slots);
    at = put_u64(at, record->count);
    at = put_u64(at, record->plain_bytes);
    at = put_u64(at, record->file_count);
    at = put_u64(at, (uint64_t)record->created.ms);
    at = put_u64(at, (uint64_t)record->ended.ms);
    at = put_u64(at, (uint64_t)record->deadline.ms);
    at = put_id(at, &record->pair);
    at = put_id(at, &record->base);
    return (size_t)(at - out);
}

int
sf_record_out_decode(struct sf_view value, struct sf_record_out *ret_record)
{
    struct sf_record_out record = {0};
    const uint8_t *at;
    bool is_good = true;

    if (!is_record(value, SF_RECORD_OUT_BYTES)) {
        return SF_EFORMAT;
    }
    at = value.data + 1;
    record.phase = take_u8(&at);
    record.role = take_u8(&at);
    record.priority = take_u8(&at);
    record.single_file = take_flag(&at, &is_good);
    record.forget_key = take_flag(&at, &is_good);
    record.reason = take_u8(&at);
    record.class_bytes = take_u32(&at);
    record.recipient_count = take_u32(&at);
    record.slots = take_u64(&at);
    record.count = take_u64(&at);
    record.plain_bytes = take_u64(&at);
    record.file_count = take_u64(&at);
    record.created.ms = (int64_t)take_u64(&at);
    record.ended.ms = (int64_t)take_u64(&at);
    record.deadline.ms = (int64_t)take_u64(&at);
    record.pair = take_id(&at);
    record.base = take_id(&at);
    if (!is_good || !is_shape(record.class_bytes, record.slots, record.count) ||
        record.phase < SF_OUT_SEALING || record.phase > SF_OUT_CANCELLED ||
        record.role > SF_OUT_WHOLE) {
        return SF_EFORMAT;
    }
    *ret_record = record;
    return SF_OK;
}

size_t
sf_record_to_encode(const struct sf_record_to *record, uint8_t out[SF_RECORD_BYTES_MAX])
{
    uint8_t *at = put_u8(out, VERSION);

    at = put_u8(at, record->phase);
    at = put_u8(at, record->order);
    at = put_u8(at, (uint8_t)(record->reason << 1 | (record->opened ? 1 : 0)));
    at = put_u64(at, record->number);
    at = put_u64(at, record->rung);
    at = put_u64(at, record->generation);
    at = put_u64(at, record->counter);
    return (size_t)(at - out);
}

int
sf_record_to_decode(struct sf_view value, struct sf_record_to *ret_record)
{
    struct sf_record_to record = {0};
    const uint8_t *at;
    uint8_t packed;

    if (!is_record(value, SF_RECORD_TO_BYTES)) {
        return SF_EFORMAT;
    }
    at = value.data + 1;
    record.phase = take_u8(&at);
    record.order = take_u8(&at);
    packed = take_u8(&at);
    record.reason = packed >> 1;
    record.opened = (packed & 1) != 0;
    record.number = take_u64(&at);
    record.rung = take_u64(&at);
    record.generation = take_u64(&at);
    record.counter = take_u64(&at);
    if (record.phase < SF_TO_OPEN || record.phase > SF_TO_SPARED) {
        return SF_EFORMAT;
    }
    *ret_record = record;
    return SF_OK;
}

size_t
sf_record_in_encode(const struct sf_record_in *record, uint8_t out[SF_RECORD_BYTES_MAX])
{
    uint8_t *at = put_u8(out, VERSION);

    at = put_u8(at, record->phase);
    at = put_u8(at, record->reason);
    at = put_u8(at, (uint8_t)(record->apart >> 8));
    at = put_u8(at, (uint8_t)record->apart);
    at = put_u32(at, record->class_bytes);
    at = put_u64(at, record->slots);
    at = put_u64(at, record->count);
    at = put_u64(at, record->number);
    at = put_u64(at, record->generation);
    at = put_u64(at, record->verified);
    at = put_u64(at, record->punched);
    at = put_u64(at, record->inode);
    at = put_u64(at, (uint64_t)record->created.ms);
    at = put_u64(at, (uint64_t)record->ended.ms);
    return (size_t)(at - out);
}

int
sf_record_in_decode(struct sf_view value, struct sf_record_in *ret_record)
{
    struct sf_record_in record = {0};
    const uint8_t *at;

    if (!is_record(value, SF_RECORD_IN_BYTES)) {
        return SF_EFORMAT;
    }
    at = value.data + 1;
    record.phase = take_u8(&at);
    record.reason = take_u8(&at);
    record.apart = (uint16_t)(take_u8(&at) << 8);
    record.apart = (uint16_t)(record.apart | take_u8(&at));
    record.class_bytes = take_u32(&at);
    record.slots = take_u64(&at);
    record.count = take_u64(&at);
    record.number = take_u64(&at);
    record.generation = take_u64(&at);
    record.verified = take_u64(&at);
    record.punched = take_u64(&at);
    record.inode = take_u64(&at);
    record.created.ms = (int64_t)take_u64(&at);
    record.ended.ms = (int64_t)take_u64(&at);
    if (!is_shape(record.class_bytes, record.slots, record.count) ||
        record.phase < SF_IN_ORPHANED || record.phase > SF_IN_REFUSED) {
        return SF_EFORMAT;
    }
    *ret_record = record;
    return SF_OK;
}

void
sf_pair_key(const struct sf_transfer_id *transfer, const struct sf_fingerprint *fingerprint,
    uint8_t ret_key[SF_PAIR_KEY_BYTES])
{
    memcpy(ret_key, transfer->b, sizeof(transfer->b));
    memcpy(ret_key + sizeof(transfer->b), fingerprint->b, sizeof(fingerprint->b));
}
