#include <config.h>

#include "app/progress.h"

#include "app/text.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum {
    BAR_COLUMNS_MIN = 8,
    BAR_COLUMNS_MAX = 30,
    EIGHTHS = 8, /* a UTF-8 bar moves in eighths of a column */
};

/* --- The meter ------------------------------------------------------------- */

void
sf_meter_update(struct sf_meter *meter, uint64_t bytes, sf_mono now)
{
    size_t last = (meter->next + SF_METER_SAMPLES - 1) % SF_METER_SAMPLES;

    if (meter->count > 0 && bytes < meter->samples[last].bytes) {
        *meter = (struct sf_meter){0};
    } else if (meter->count > 0 && now - meter->samples[last].time < SF_METER_STEP_NS) {
        return;
    }
    meter->samples[meter->next].time = now;
    meter->samples[meter->next].bytes = bytes;
    meter->next = (meter->next + 1) % SF_METER_SAMPLES;
    meter->count += meter->count < SF_METER_SAMPLES;
}

uint64_t
sf_meter_rate(const struct sf_meter *meter)
{
    size_t last = (meter->next + SF_METER_SAMPLES - 1) % SF_METER_SAMPLES;
    size_t first = (meter->next + SF_METER_SAMPLES - meter->count) % SF_METER_SAMPLES;
    uint64_t bytes;
    uint64_t ms;

    if (meter->count < 2) {
        return 0;
    }
    bytes = meter->samples[last].bytes - meter->samples[first].bytes;
    ms = (meter->samples[last].time - meter->samples[first].time) / SF_MS;
    /* Milliseconds keep the product in range for 16 petabytes between two samples. */
    return ms == 0 || bytes > UINT64_MAX / 1000 ? 0 : bytes * 1000 / ms;
}

/* --- A line ---------------------------------------------------------------- */

/* done * parts / total without overflow, for done < total: less than `parts`, also when rounded. */
static uint64_t
share(uint64_t done, uint64_t total, uint64_t parts)
{
    uint64_t result;

    while (done > UINT64_MAX / parts) {
        done >>= 1;
        total >>= 1;
    }
    result = total == 0 ? 0 : done * parts / total;
    return result < parts ? result : parts - 1;
}

unsigned
sf_progress_percent(uint64_t done, uint64_t total)
{
    if (total == 0) {
        return 0;
    }
    return done >= total ? 100 : (unsigned)share(done, total, 100);
}

uint64_t
sf_progress_eta(uint64_t done, uint64_t total, uint64_t rate)
{
    uint64_t seconds;

    if (total == 0 || (rate == 0 && done < total)) {
        return SF_PROGRESS_UNKNOWN;
    }
    if (done >= total) {
        return 0;
    }
    seconds = (total - done) / rate + ((total - done) % rate != 0);
    return seconds > SF_PROGRESS_ETA_MAX_S ? SF_PROGRESS_UNKNOWN : seconds;
}

void
sf_progress_bar(
    uint64_t done, uint64_t total, unsigned columns, bool utf8, char out[SF_PROGRESS_LINE_BYTES])
{
    static const char *const partial[EIGHTHS] = {
        " ", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"};
    unsigned steps = utf8 ? EIGHTHS : 1;
    unsigned inner = columns - 2;
    uint64_t filled;
    char *at = out;

    sf_assert(columns > 2 && columns < SF_PROGRESS_LINE_BYTES / 4);
    filled = done >= total && total > 0 ? (uint64_t)inner * steps
                                        : share(done, total, (uint64_t)inner * steps);
    at = stpcpy(at, utf8 ? "\u2595" : "[");
    for (unsigned i = 0; i < inner; i++) {
        if (filled >= steps) {
            at = stpcpy(at, utf8 ? "\u2588" : "#");
            filled -= steps;
        } else {
            at = stpcpy(at, utf8 ? partial[filled] : ".");
            filled = 0;
        }
    }
    (void)stpcpy(at, utf8 ? "\u258f" : "]");
}

/* Append `part` behind two blanks if it fits; returns the columns left. */
static unsigned
append(char *out, const char *part, unsigned left)
{
    unsigned width = sf_text_width(part) + 2;
    size_t used = strlen(out);

    if (width > left || strlen(part) + 3 > SF_PROGRESS_LINE_BYTES - used) {
        return 0;
    }
    (void)snprintf(out + used, SF_PROGRESS_LINE_BYTES - used, "  %s", part);
    return left - width;
}

/* The parts behind the bar, most important first; returns how many. */
static size_t
describe(const struct sf_progress *progress, char parts[4][2 * SF_TEXT_AMOUNT_BYTES + 8])
{
    char done[SF_TEXT_AMOUNT_BYTES];
    char total[SF_TEXT_AMOUNT_BYTES];
    size_t count = 0;

    if (progress->total > 0) {
        (void)snprintf(parts[count++], sizeof(parts[0]), "%3u %%",
            sf_progress_percent(progress->done, progress->total));
    }
    if (progress->note != NULL) {
        return count;
    }
    sf_text_size(progress->done, done);
    sf_text_size(progress->total, total);
    if (progress->total > 0) {
        (void)snprintf(parts[count++], sizeof(parts[0]), "%s of %s", done, total);
    } else {
        (void)snprintf(parts[count++], sizeof(parts[0]), "%s", done);
    }
    if (progress->rate > 0 && progress->rate < UINT64_MAX / 8) {
        sf_text_rate(progress->rate * 8, parts[count++]);
        if (progress->eta_s != SF_PROGRESS_UNKNOWN && progress->done < progress->total) {
            sf_text_duration(progress->eta_s, done);
            (void)snprintf(parts[count++], sizeof(parts[0]), "%s left", done);
        }
    }
    return count;
}

void
sf_progress_draw(const struct sf_progress *progress, unsigned columns, bool utf8,
    char out[SF_PROGRESS_LINE_BYTES])
{
    char parts[4][2 * SF_TEXT_AMOUNT_BYTES + 8];
    char bar[SF_PROGRESS_LINE_BYTES];
    size_t count = describe(progress, parts);
    unsigned title_columns = sf_text_width(progress->title);
    unsigned needed;
    unsigned left;

    (void)snprintf(out, SF_PROGRESS_LINE_BYTES / 2, "%s", progress->title);
    if (progress->title_columns > title_columns && progress->title_columns < columns) {
        size_t used = strlen(out);

        (void)snprintf(out + used, SF_PROGRESS_LINE_BYTES / 2, "%*s",
            (int)(progress->title_columns - title_columns), "");
        title_columns = progress->title_columns;
    }
    if (title_columns >= columns) {
        sf_text_cut(out, columns);
        return;
    }
    left = columns - title_columns;
    needed = progress->note != NULL ? sf_text_width(progress->note) + 2 : 0;
    for (size_t i = 0; i < count; i++) {
        needed += sf_text_width(parts[i]) + 2;
    }
    /* The bar takes what the figures leave, but never all of what they need. */
    if (progress->total > 0 && left >= BAR_COLUMNS_MIN + 2 + 7) {
        unsigned room = left > needed + 2 ? left - needed - 2 : 0;

        room = room > BAR_COLUMNS_MAX ? BAR_COLUMNS_MAX : room;
        room = room < BAR_COLUMNS_MIN ? BAR_COLUMNS_MIN : room;
        sf_progress_bar(progress->done, progress->total, room, utf8, bar);
        left = append(out, bar, left);
    }
    for (size_t i = 0; i < count && left > 0; i++) {
        left = append(out, parts[i], left);
    }
    if (progress->note != NULL && left > 2) {
        (void)snprintf(bar, sizeof(bar), "%s", progress->note);
        sf_text_cut(bar, left - 2);
        (void)append(out, bar, left);
    }
}

/* --- The screen ------------------------------------------------------------ */

unsigned
sf_screen_columns(FILE *out)
{
    struct winsize size;
    const char *columns;
    unsigned long count;

    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    columns = getenv("COLUMNS");
    count = columns == NULL ? 0 : strtoul(columns, NULL, 10);
    return count > 0 && count < 1000 ? (unsigned)count : 80;
}

void
sf_screen_draw(struct sf_screen *screen, const char *text)
{
    char *whole = NULL;
    size_t bytes;
    FILE *out = open_memstream(&whole, &bytes);
    unsigned lines = 0;

    sf_assert(out != NULL);
    if (screen->lines > 0) {
        (void)fprintf(out, "\x1b[%uA", screen->lines);
    }
    (void)fputc('\r', out);
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, "\n");

        (void)fwrite(at, 1, length, out);
        (void)fputs("\x1b[K\n", out);
        lines++;
        at += length + (at[length] == '\n');
    }
    (void)fputs("\x1b[J", out);
    sf_assert(fclose(out) == 0);
    /* One write for the whole picture: the terminal never shows half of it. */
    (void)fwrite(whole, 1, bytes, screen->out);
    (void)fflush(screen->out);
    free(whole);
    screen->lines = lines;
}

void
sf_screen_clear(struct sf_screen *screen)
{
    if (screen->lines > 0) {
        (void)fprintf(screen->out, "\x1b[%uA\r\x1b[J", screen->lines);
        (void)fflush(screen->out);
    }
    screen->lines = 0;
}

void
sf_screen_keep(struct sf_screen *screen)
{
    screen->lines = 0;
}
