#include "app/submit_protocol.h"

#include <string.h>

enum {
    FLAG_SINGLE_FILE = 1,
    FLAG_FORGET_KEY = 2,
    FLAG_HAS_RESUME = 4,
    FLAGS_BEGIN = 7,
    FLAG_EXECUTABLE = 1,
    FLAG_HAS_BASE = 2,
    FLAGS_FILE = 3,
    FILE_HEAD_BYTES = 11, /* flags, mtime, length of the path */
    FILE_BASE_BYTES = 40, /* mtime, SHA-256 */
    COMPONENT_BYTES_MAX = 255,
    COMPONENTS_MAX = 64,
};

static const struct sf_transfer_id no_transfer;

/* --- Names -------------------------------------------------------------------- */

/* One component of a path: what can be one name in a directory. */
static bool
is_component(struct sf_view name)
{
    if (name.bytes == 0 || name.bytes > COMPONENT_BYTES_MAX) {
        return false;
    }
    if (memchr(name.data, '\0', name.bytes) != NULL || memchr(name.data, '/', name.bytes) != NULL) {
        return false;
    }
    return !(name.data[0] == '.' && (name.bytes == 1 || (name.bytes == 2 && name.data[1] == '.')));
}

static bool
is_path(struct sf_view path)
{
    size_t components = 0;

    if (path.bytes > SF_SUBMIT_PATH_BYTES_MAX) {
        return false;
    }
    while (path.bytes > 0) {
        const uint8_t *slash = memchr(path.data, '/', path.bytes);
        size_t bytes = slash == NULL ? path.bytes : (size_t)(slash - path.data);

        if (!is_component(sf_view(path.data, bytes)) || ++components > COMPONENTS_MAX) {
            return false;
        }
        if (slash == NULL) {
            return true;
        }
        if (bytes + 1 == path.bytes) {
            return false; /* ends in '/' */
        }
        path = sf_view(slash + 1, path.bytes - bytes - 1);
    }
    return true;
}

static bool
is_recipient(struct sf_view name)
{
    return name.bytes > 0 && name.bytes <= SF_SUBMIT_NAME_BYTES_MAX &&
           memchr(name.data, '\0', name.bytes) == NULL;
}

/* --- Writing ------------------------------------------------------------------ */

/* Bytes into the caller's buffer; too many only count. */
struct writer {
    uint8_t *out;
    size_t bytes_max;
    size_t bytes;
};

static void
put(struct writer *writer, const void *data, size_t bytes)
{
    if (bytes > 0 && writer->bytes <= writer->bytes_max &&
        bytes <= writer->bytes_max - writer->bytes) {
        memcpy(writer->out + writer->bytes, data, bytes);
    }
    writer->bytes += bytes;
}

static void
put_u8(struct writer *writer, size_t value)
{
    uint8_t byte = (uint8_t)value;

    put(writer, &byte, 1);
}

static struct writer
begin_message(enum sf_submit_type type, uint8_t *out, size_t bytes_max)
{
    struct writer writer = {out, bytes_max, 0};

    put_u8(&writer, (size_t)type);
    put_u8(&writer, SF_SUBMIT_VERSION);
    return writer;
}

static int
end_message(const struct writer *writer, size_t *ret_bytes)
{
    if (writer->bytes > writer->bytes_max || writer->bytes > SF_SUBMIT_MESSAGE_BYTES_MAX) {
        return SF_ELIMIT;
    }
    *ret_bytes = writer->bytes;
    return SF_OK;
}

static bool
begin_is_valid(const struct sf_submit_begin *begin)
{
    if (begin->recipient_count < 1 || begin->recipient_count > SF_SUBMIT_RECIPIENTS_MAX ||
        begin->file_count < 1 || begin->file_count > SF_SUBMIT_FILES_MAX ||
        begin->deadline_ms < 0 || (begin->single_file && begin->file_count != 1) ||
        !is_component(begin->label)) {
        return false;
    }
    for (size_t i = 0; i < begin->recipient_count; i++) {
        if (!is_recipient(begin->recipients[i])) {
            return false;
        }
    }
    return true;
}

int
sf_submit_encode_begin(
    const struct sf_submit_begin *begin, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct writer writer = begin_message(SF_SUBMIT_BEGIN, out, bytes_max);
    uint8_t deadline[8];
    uint8_t count[4];

    if (!begin_is_valid(begin)) {
        return SF_EINVAL;
    }
    put_u8(&writer, (begin->single_file ? FLAG_SINGLE_FILE : 0u) |
                        (begin->forget_key ? FLAG_FORGET_KEY : 0u) |
                        (begin->has_resume ? FLAG_HAS_RESUME : 0u));
    put_u8(&writer, begin->priority);
    sf_put_be64(deadline, (uint64_t)begin->deadline_ms);
    put(&writer, deadline, sizeof(deadline));
    put(&writer, begin->has_resume ? begin->resume.b : no_transfer.b, sizeof(no_transfer.b));
    sf_put_be32(count, begin->file_count);
    put(&writer, count, sizeof(count));
    put_u8(&writer, begin->recipient_count);
    for (size_t i = 0; i < begin->recipient_count; i++) {
        put_u8(&writer, begin->recipients[i].bytes);
        put(&writer, begin->recipients[i].data, begin->recipients[i].bytes);
    }
    put_u8(&writer, begin->label.bytes);
    put(&writer, begin->label.data, begin->label.bytes);
    return end_message(&writer, ret_bytes);
}

size_t
sf_submit_file_bytes(const struct sf_submit_file *file)
{
    return FILE_HEAD_BYTES + file->path.bytes + (file->has_base ? FILE_BASE_BYTES : 0);
}

int
sf_submit_encode_files(
    const struct sf_submit_files *files, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct writer writer = begin_message(SF_SUBMIT_FILES, out, bytes_max);

    if (files->count < 1 || files->count > SF_SUBMIT_BATCH_FILES_MAX) {
        return SF_EINVAL;
    }
    put_u8(&writer, files->count);
    for (size_t i = 0; i < files->count; i++) {
        const struct sf_submit_file *file = &files->files[i];
        uint8_t head[FILE_HEAD_BYTES];
        uint8_t base[FILE_BASE_BYTES];

        if (!is_path(file->path)) {
            return SF_EINVAL;
        }
        head[0] = (uint8_t)((file->executable ? FLAG_EXECUTABLE : 0) |
                            (file->has_base ? FLAG_HAS_BASE : 0));
        sf_put_be64(head + 1, (uint64_t)file->mtime_s);
        sf_put_be16(head + 9, (uint16_t)file->path.bytes);
        put(&writer, head, sizeof(head));
        put(&writer, file->path.data, file->path.bytes);
        if (file->has_base) {
            sf_put_be64(base, (uint64_t)file->base_mtime_s);
            memcpy(base + 8, file->base_sha256.b, sizeof(file->base_sha256.b));
            put(&writer, base, sizeof(base));
        }
    }
    return end_message(&writer, ret_bytes);
}

int
sf_submit_encode_end(uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct writer writer = begin_message(SF_SUBMIT_END, out, bytes_max);

    return end_message(&writer, ret_bytes);
}

int
sf_submit_encode_reply(
    const struct sf_submit_reply *reply, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct writer writer =
        begin_message(reply->status == SF_OK ? SF_SUBMIT_TAKEN : SF_SUBMIT_REFUSED, out, bytes_max);

    if (reply->status == SF_OK) {
        put(&writer, reply->transfer.b, sizeof(reply->transfer.b));
        return end_message(&writer, ret_bytes);
    }
    if (reply->status > 0 || reply->status < -UINT8_MAX ||
        reply->text.bytes > SF_SUBMIT_TEXT_BYTES_MAX) {
        return SF_EINVAL;
    }
    put_u8(&writer, (size_t)-reply->status);
    put(&writer, reply->text.data, reply->text.bytes);
    return end_message(&writer, ret_bytes);
}

static bool
ask_is_valid(const struct sf_submit_ask *ask)
{
    bool has_transfer = !sf_transfer_equal(&ask->transfer, &no_transfer);

    return ask->what >= SF_SUBMIT_ASK_NEWEST && ask->what <= SF_SUBMIT_ASK_RESUMED &&
           has_transfer == (ask->what != SF_SUBMIT_ASK_NEWEST) && is_recipient(ask->recipient) &&
           is_component(ask->label);
}

int
sf_submit_encode_ask(
    const struct sf_submit_ask *ask, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct writer writer = begin_message(SF_SUBMIT_ASK, out, bytes_max);

    if (!ask_is_valid(ask)) {
        return SF_EINVAL;
    }
    put_u8(&writer, (size_t)ask->what);
    put(&writer, ask->transfer.b, sizeof(ask->transfer.b));
    put_u8(&writer, ask->recipient.bytes);
    put(&writer, ask->recipient.data, ask->recipient.bytes);
    put_u8(&writer, ask->label.bytes);
    put(&writer, ask->label.data, ask->label.bytes);
    return end_message(&writer, ret_bytes);
}

int
sf_submit_encode_offer(
    const struct sf_submit_offer *offer, uint8_t *out, size_t bytes_max, size_t *ret_bytes)
{
    struct writer writer = begin_message(SF_SUBMIT_OFFER, out, bytes_max);

    if (offer->count > SF_SUBMIT_BASES_MAX ||
        (offer->count == 0) != sf_transfer_equal(&offer->by, &no_transfer)) {
        return SF_EINVAL;
    }
    put(&writer, offer->by.b, sizeof(offer->by.b));
    put_u8(&writer, offer->count);
    for (size_t i = 0; i < offer->count; i++) {
        put(&writer, offer->files[i].path.b, sizeof(offer->files[i].path.b));
        put(&writer, offer->files[i].sha256.b, sizeof(offer->files[i].sha256.b));
    }
    return end_message(&writer, ret_bytes);
}

/* --- Reading ------------------------------------------------------------------ */

/* Bytes out of a message; `is_short` sticks when it ends too early, and zeros come out. */
struct reader {
    struct sf_view rest;
    bool is_short;
};

static struct sf_view
take(struct reader *reader, size_t bytes)
{
    static const uint8_t zeros[FILE_BASE_BYTES];
    struct sf_view taken = {reader->rest.data, bytes};

    if (reader->is_short || bytes > reader->rest.bytes) {
        reader->is_short = true;
        return sf_view(zeros, bytes < sizeof(zeros) ? bytes : 0);
    }
    reader->rest.data += bytes;
    reader->rest.bytes -= bytes;
    return taken;
}

static uint8_t
take_u8(struct reader *reader)
{
    return take(reader, 1).data[0];
}

int
sf_submit_type(struct sf_view message, enum sf_submit_type *ret_type)
{
    if (message.bytes < 2 || message.bytes > SF_SUBMIT_MESSAGE_BYTES_MAX ||
        message.data[0] < SF_SUBMIT_BEGIN || message.data[0] > SF_SUBMIT_OFFER ||
        message.data[1] != SF_SUBMIT_VERSION) {
        return SF_EFORMAT;
    }
    *ret_type = (enum sf_submit_type)message.data[0];
    return SF_OK;
}

/* A reader behind the head of a message that must be of `type`. */
static int
open_message(struct sf_view message, enum sf_submit_type type, struct reader *ret_reader)
{
    enum sf_submit_type found;

    if (sf_submit_type(message, &found) != SF_OK || found != type) {
        return SF_EFORMAT;
    }
    ret_reader->rest = sf_view(message.data + 2, message.bytes - 2);
    ret_reader->is_short = false;
    return SF_OK;
}

int
sf_submit_decode_begin(struct sf_view message, struct sf_submit_begin *ret_begin)
{
    struct sf_submit_begin begin = {.recipient_count = 0};
    struct reader reader;
    uint8_t flags;

    if (open_message(message, SF_SUBMIT_BEGIN, &reader) != SF_OK) {
        return SF_EFORMAT;
    }
    flags = take_u8(&reader);
    begin.single_file = (flags & FLAG_SINGLE_FILE) != 0;
    begin.forget_key = (flags & FLAG_FORGET_KEY) != 0;
    begin.has_resume = (flags & FLAG_HAS_RESUME) != 0;
    begin.priority = take_u8(&reader);
    begin.deadline_ms = (int64_t)sf_get_be64(take(&reader, 8).data);
    memcpy(begin.resume.b, take(&reader, sizeof(begin.resume.b)).data, sizeof(begin.resume.b));
    begin.file_count = sf_get_be32(take(&reader, 4).data);
    begin.recipient_count = take_u8(&reader);
    if (begin.recipient_count > SF_SUBMIT_RECIPIENTS_MAX || (flags & ~FLAGS_BEGIN) != 0) {
        return SF_EFORMAT;
    }
    for (size_t i = 0; i < begin.recipient_count; i++) {
        begin.recipients[i] = take(&reader, take_u8(&reader));
    }
    begin.label = take(&reader, take_u8(&reader));
    if (reader.is_short || reader.rest.bytes > 0 || !begin_is_valid(&begin) ||
        (!begin.has_resume && !sf_transfer_equal(&begin.resume, &no_transfer))) {
        return SF_EFORMAT;
    }
    *ret_begin = begin;
    return SF_OK;
}

int
sf_submit_decode_files(struct sf_view message, struct sf_submit_files *ret_files)
{
    struct sf_submit_files files = {.count = 0};
    struct reader reader;

    if (open_message(message, SF_SUBMIT_FILES, &reader) != SF_OK) {
        return SF_EFORMAT;
    }
    files.count = take_u8(&reader);
    if (files.count < 1 || files.count > SF_SUBMIT_BATCH_FILES_MAX) {
        return SF_EFORMAT;
    }
    for (size_t i = 0; i < files.count; i++) {
        const uint8_t *head = take(&reader, FILE_HEAD_BYTES).data;
        uint8_t flags = head[0];

        files.files[i].executable = (flags & FLAG_EXECUTABLE) != 0;
        files.files[i].mtime_s = (int64_t)sf_get_be64(head + 1);
        files.files[i].path = take(&reader, sf_get_be16(head + 9));
        files.files[i].has_base = (flags & FLAG_HAS_BASE) != 0;
        if (files.files[i].has_base) {
            const uint8_t *base = take(&reader, FILE_BASE_BYTES).data;

            files.files[i].base_mtime_s = (int64_t)sf_get_be64(base);
            memcpy(files.files[i].base_sha256.b, base + 8, sizeof(files.files[i].base_sha256.b));
        }
        if (reader.is_short || (flags & ~FLAGS_FILE) != 0 || !is_path(files.files[i].path)) {
            return SF_EFORMAT;
        }
    }
    if (reader.rest.bytes > 0) {
        return SF_EFORMAT;
    }
    *ret_files = files;
    return SF_OK;
}

int
sf_submit_decode_end(struct sf_view message)
{
    struct reader reader;

    if (open_message(message, SF_SUBMIT_END, &reader) != SF_OK || reader.rest.bytes > 0) {
        return SF_EFORMAT;
    }
    return SF_OK;
}

int
sf_submit_decode_reply(struct sf_view message, struct sf_submit_reply *ret_reply)
{
    struct sf_submit_reply reply = {.status = SF_OK};
    struct reader reader;

    if (open_message(message, SF_SUBMIT_TAKEN, &reader) == SF_OK) {
        memcpy(reply.transfer.b, take(&reader, sizeof(reply.transfer.b)).data,
            sizeof(reply.transfer.b));
        if (reader.is_short || reader.rest.bytes > 0) {
            return SF_EFORMAT;
        }
    } else if (open_message(message, SF_SUBMIT_REFUSED, &reader) == SF_OK) {
        reply.status = -(int)take_u8(&reader);
        reply.text = reader.rest;
        if (reader.is_short || reply.status == SF_OK ||
            reply.text.bytes > SF_SUBMIT_TEXT_BYTES_MAX) {
            return SF_EFORMAT;
        }
    } else {
        return SF_EFORMAT;
    }
    *ret_reply = reply;
    return SF_OK;
}

int
sf_submit_decode_ask(struct sf_view message, struct sf_submit_ask *ret_ask)
{
    struct sf_submit_ask ask;
    struct reader reader;

    if (open_message(message, SF_SUBMIT_ASK, &reader) != SF_OK) {
        return SF_EFORMAT;
    }
    ask.what = (enum sf_submit_ask_what)take_u8(&reader);
    memcpy(ask.transfer.b, take(&reader, sizeof(ask.transfer.b)).data, sizeof(ask.transfer.b));
    ask.recipient = take(&reader, take_u8(&reader));
    ask.label = take(&reader, take_u8(&reader));
    if (reader.is_short || reader.rest.bytes > 0 || !ask_is_valid(&ask)) {
        return SF_EFORMAT;
    }
    *ret_ask = ask;
    return SF_OK;
}

int
sf_submit_decode_offer(struct sf_view message, struct sf_submit_offer *ret_offer)
{
    struct sf_submit_offer offer = {.count = 0};
    struct reader reader;

    if (open_message(message, SF_SUBMIT_OFFER, &reader) != SF_OK) {
        return SF_EFORMAT;
    }
    memcpy(offer.by.b, take(&reader, sizeof(offer.by.b)).data, sizeof(offer.by.b));
    offer.count = take_u8(&reader);
    if (offer.count > SF_SUBMIT_BASES_MAX) {
        return SF_EFORMAT;
    }
    for (size_t i = 0; i < offer.count; i++) {
        memcpy(offer.files[i].path.b, take(&reader, SF_KEPT_TAG_BYTES).data, SF_KEPT_TAG_BYTES);
        memcpy(offer.files[i].sha256.b, take(&reader, sizeof(offer.files[i].sha256.b)).data,
            sizeof(offer.files[i].sha256.b));
    }
    if (reader.is_short || reader.rest.bytes > 0 ||
        (offer.count == 0) != sf_transfer_equal(&offer.by, &no_transfer)) {
        return SF_EFORMAT;
    }
    *ret_offer = offer;
    return SF_OK;
}
