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

size_t
sf_table_rows(const struct sf_table *table)
{
    return table->cell_count / table->column_count;
}

/* The width of each column: its widest cell, less where the terminal forces it. */
static void
measure(const struct sf_table *table, unsigned width, unsigned widths[SF_TABLE_COLUMNS_MAX])
{
    unsigned total = 0;

    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = sf_text_width(table->columns[c].title);
        for (size_t r = 0; r < sf_table_rows(table); r++) {
            unsigned cell = sf_text_width(table->cells[r * table->column_count + c]);

            widths[c] = cell > widths[c] ? cell : widths[c];
        }
        total += widths[c] + (c > 0 ? GAP_COLUMNS : 0);
    }
    while (width > 0 && total > width) {
        unsigned *widest = NULL;

        for (size_t c = 0; c < table->column_count; c++) {
            if (table->columns[c].flexible && widths[c] > SF_TABLE_FLEXIBLE_MIN &&
                (widest == NULL || widths[c] > *widest)) {
                widest = &widths[c];
            }
        }
        if (widest == NULL) {
            return;
        }
        (*widest)--;
        total--;
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
    for (size_t c = 0; c < table->column_count; c++) {
        print_cell(out, table->columns[c].title, widths[c], table->columns[c].right,
            c + 1 == table->column_count);
    }
    (void)fputs(bold ? "\x1b[0m\n" : "\n", out);
    for (size_t r = 0; r < sf_table_rows(table); r++) {
        for (size_t c = 0; c < table->column_count; c++) {
            print_cell(out, table->cells[r * table->column_count + c], widths[c],
                table->columns[c].right, c + 1 == table->column_count);
        }
        (void)fputc('\n', out);
    }
    sf_assert(fclose(out) == 0);
    return text;
}
