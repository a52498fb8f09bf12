/*
 * message.h - what stands inside a datagram, once decrypted.
 *
 * A datagram's plaintext is a sequence of messages. Each starts with one type
 * byte; its fields follow, as varints, fixed big endian numbers, or bytes:
 *
 *   varint      LEB128: 7 bits a byte, lowest first, at most 9 bytes (63 bits),
 *               shortest form only
 *   u64, token  8 bytes; transfer: 16 bytes
 *
 *   0x00 PADDING    zeros to the end of the datagram
 *   0x01 DATA       varint handle, varint address / 16, bytes to the end
 *   0x02 DATA_SIZED varint handle, varint address / 16, varint bytes, bytes
 *   0x03 OBJECT     see objects.h
 *   0x04 REPORT     see objects.h
 *   0x05 WITHDRAWN  see objects.h
 *   0x06 ASK        see objects.h
 *   0x07 REPAIR     see objects.h
 *   0x08 FILLER     see objects.h
 *   0x10 HELLO      varint flags, varint number, u64 epoch heard (0 = none),
 *                   varint capabilities; the number grows with each HELLO of a boot
 *   0x11 CHALLENGE  token
 *   0x12 ANSWER     token
 *   0x13 CARD       varint bytes, bytes
 *   0x14 STAMP      varint microseconds of the sender's clock, cut to 32 bits
 *   0x15 ECHO       varint stamp, varint microseconds it was held
 *   0x16 STALE      u64 highest epoch seen, u64 its life, u64 epoch refused, u64 its life
 *   0x17 PROBE      varint number: a datagram made large to see whether it comes through
 *   0x18 PROBED     varint number: of the probe that did
 *   0x40 - 0x7f     varint bytes, bytes: not known today, skipped
 *
 * Any other type, a field that is cut off or not in its shortest form ends the
 * reading of the datagram: what stood before counts, the rest is dropped.
 *
 * Pure functions over the caller's memory.
 */
#ifndef SF_LINK_MESSAGE_H
#define SF_LINK_MESSAGE_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sf_message_type {
    SF_MESSAGE_PADDING = 0x00,
    SF_MESSAGE_DATA = 0x01,
    SF_MESSAGE_DATA_SIZED = 0x02,
    SF_MESSAGE_OBJECT = 0x03,
    SF_MESSAGE_REPORT = 0x04,
    SF_MESSAGE_WITHDRAWN = 0x05,
    SF_MESSAGE_ASK = 0x06,
    SF_MESSAGE_REPAIR = 0x07,
    SF_MESSAGE_FILLER = 0x08,
    SF_MESSAGE_HELLO = 0x10,
    SF_MESSAGE_CHALLENGE = 0x11,
    SF_MESSAGE_ANSWER = 0x12,
    SF_MESSAGE_CARD = 0x13,
    SF_MESSAGE_STAMP = 0x14,
    SF_MESSAGE_ECHO = 0x15,
    SF_MESSAGE_STALE = 0x16,
    SF_MESSAGE_PROBE = 0x17,
    SF_MESSAGE_PROBED = 0x18,
    SF_MESSAGE_EXTENSION_FIRST = 0x40,
    SF_MESSAGE_EXTENSION_LAST = 0x7f,
};

enum {
    SF_MESSAGE_VARINT_BYTES_MAX = 9,
    SF_MESSAGE_TOKEN_BYTES = 8,
};

/* --- Writing ------------------------------------------------------------ */

/* Appends to the caller's memory. What does not fit sets `is_full` and writes nothing. */
struct sf_message_writer {
    uint8_t *data;
    size_t bytes;
    size_t bytes_max;
    bool is_full; /* sticky: something did not fit since the last mark */
};

void sf_message_writer_init(struct sf_message_writer *writer, uint8_t *data, size_t bytes_max);

static inline size_t
sf_message_room(const struct sf_message_writer *writer)
{
    return writer->bytes_max - writer->bytes;
}

/*
 * A message is written between begin and end: begin remembers the place, end
 * returns whether all of it fitted and else takes back what was written since.
 */
size_t sf_message_begin(struct sf_message_writer *writer, enum sf_message_type type);
bool sf_message_end(struct sf_message_writer *writer, size_t begin);

void sf_message_put_u8(struct sf_message_writer *writer, uint8_t value);
void sf_message_put_u64(struct sf_message_writer *writer, uint64_t value);
void sf_message_put_varint(struct sf_message_writer *writer, uint64_t value); /* < 2^63 */
void sf_message_put_bytes(struct sf_message_writer *writer, const void *data, size_t bytes);

/* How many bytes the varint of `value` takes. */
size_t sf_message_varint_bytes(uint64_t value);

/* --- Reading ------------------------------------------------------------- */

/* Takes from a view. After the first failure every read gives zero and `is_bad` stays set. */
struct sf_message_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool is_bad;
};

void sf_message_reader_init(struct sf_message_reader *reader, struct sf_view view);

static inline size_t
sf_message_left(const struct sf_message_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

uint8_t sf_message_get_u8(struct sf_message_reader *reader);
uint64_t sf_message_get_u64(struct sf_message_reader *reader);
uint64_t sf_message_get_varint(struct sf_message_reader *reader);
struct sf_view sf_message_get_bytes(struct sf_message_reader *reader, uint64_t bytes);

#endif
