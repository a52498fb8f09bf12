#include <config.h>

#include "app/table.h"

#include "app/text.h"
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP_COLUMNS = 2, /* between two columns */
};

void
sf_table_init(struct sf_table *table, const struct sf_table_column *columns, size_t count)
{
    sf_assert(count > 0 && count <= SF_TABLE_COLUMNS_MAX);
    *table = (struct sf_table){.columns = columns, .column_count = count};
}

void
sf_table_fini(struct sf_table *table)
{
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    for (size_t i = 0; i < table->note_count; i++) {
        free(table->notes[i].text);
    }
    free(table->notes);
    *table = (struct sf_table){0};
}

void
sf_table_add(struct sf_table *table, const char *text)
{
    if (table->cell_count == table->cell_room) {
        table->cell_room = table->cell_room == 0 ? 64 : table->cell_room * 2;
        table->cells = realloc(table->cells, table->cell_room * sizeof(*table->cells));
        sf_assert(table->cells != NULL);
    }
    table->cells[table->cell_count] = strdup(text == NULL ? "" : text);
    sf_assert(table->cells[table->cell_count] != NULL);
    table->cell_count++;
}

void
sf_table_note(struct sf_table *table, const char *text)
{
    sf_assert(sf_table_rows(table) > 0);
    table->notes = realloc(table->notes, (table->note_count + 1) * sizeof(*table->notes));
    sf_assert(table->notes != NULL);
    table->notes[table->note_count].row = sf_table_rows(table) - 1;
    table->notes[table->note_count].text = strdup(text);
    sf_assert(table->notes[table->note_count].text != NULL);
    table->note_count++;
}

size_t
sf_table_rows(const struct sf_table *table)
{
    return table->cell_count / table->column_count;
}

/* Columns taken by all that are shown, with the gaps between them. */
static unsigned
total_width(const struct sf_table *table, const unsigned *widths)
{
    unsigned total = 0;

    for (size_t c = 0; c < table->column_count; c++) {
        if (widths[c] > 0) {
            total += widths[c] + (total > 0 ? GAP_COLUMNS : 0);
        }
    }
    return total;
}

/* The flexible column that is widest and may still be cut. */
static unsigned *
widest_flexible(const struct sf_table *table, unsigned *widths)
{
    unsigned *widest = NULL;

    for (size_t c = 0; c < table->column_count; c++) {
        if (table->columns[c].flexible && widths[c] > SF_TABLE_FLEXIBLE_MIN &&
            (widest == NULL || widths[c] > *widest)) {
            widest = &widths[c];
        }
    }
    return widest;
}

/* The width of each column: its widest cell, less where the terminal forces it; 0 if left out. */
static void
measure(const struct sf_table *table, unsigned width, unsigned widths[SF_TABLE_COLUMNS_MAX])
{
    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = sf_text_width(table->columns[c].title);
        for (size_t r = 0; r < sf_table_rows(table); r++) {
            unsigned cell = sf_text_width(table->cells[r * table->column_count + c]);

            widths[c] = cell > widths[c] ? cell : widths[c];
        }
    }
    while (width > 0 && total_width(table, widths) > width) {
        unsigned *widest = widest_flexible(table, widths);

        if (widest == NULL) {
            break;
        }
        (*widest)--;
    }
    for (size_t c = table->column_count; c-- > 0 && width > 0;) {
        if (table->columns[c].optional && total_width(table, widths) > width) {
            widths[c] = 0;
        }
    }
}

static void
print_cell(FILE *out, const char *text, unsigned width, bool right, bool last)
{
    char *cut = strdup(text);
    unsigned used;

    sf_assert(cut != NULL);
    sf_text_cut(cut, width);
    used = sf_text_width(cut);
    if (right) {
        (void)fprintf(out, "%*s", (int)(width - used), "");
    }
    (void)fputs(cut, out);
    if (!last) {
        (void)fprintf(out, "%*s", (int)((right ? 0 : width - used) + GAP_COLUMNS), "");
    }
    free(cut);
}

/* One line: the cells `texts[0 .. column_count-1]`. */
static void
print_row(FILE *out, const struct sf_table *table, const unsigned *widths, char *const *texts)
{
    size_t last;

    sf_assert(table->column_count > 0);
    last = table->column_count - 1;
    while (last > 0 && (widths[last] == 0 || (texts != NULL && texts[last][0] == '\0'))) {
        last--;
    }
    for (size_t c = 0; c <= last; c++) {
        if (widths[c] > 0) {
            print_cell(out, texts == NULL ? table->columns[c].title : texts[c], widths[c],
                table->columns[c].right, c == last);
        }
    }
}

static void
print_notes(FILE *out, const struct sf_table *table, size_t row, unsigned indent, unsigned width)
{
    for (size_t i = 0; i < table->note_count; i++) {
        if (table->notes[i].row == row) {
            (void)fprintf(out, "%*s", (int)indent, "");
            print_cell(out, table->notes[i].text,
                width > indent ? width - indent : sf_text_width(table->notes[i].text), false, true);
            (void)fputc('\n', out);
        }
    }
}

char *
sf_table_text(const struct sf_table *table, unsigned width, bool bold)
{
    unsigned widths[SF_TABLE_COLUMNS_MAX];
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    sf_assert(out != NULL);
    measure(table, width, widths);
    (void)fputs(bold ? "\x1b[1m" : "", out);
    print_row(out, table, widths, NULL);
    (void)fputs(bold ? "\x1b[0m\n" : "\n", out);
    for (size_t r = 0; r < sf_table_rows(table); r++) {
        print_row(out, table, widths, &table->cells[r * table->column_count]);
        (void)fputc('\n', out);
        print_notes(out, table, r, widths[0] + GAP_COLUMNS, width);
    }
    sf_assert(fclose(out) == 0);
    return text;
}
