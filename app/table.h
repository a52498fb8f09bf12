/*
 * table.h - text in aligned columns.
 *
 * Cells are shown text (app/text.h escapes what comes from outside). A table
 * is as wide as its contents; when the terminal is narrower, the columns
 * marked flexible are cut, the widest first, and then those marked optional
 * are left out, from the right.
 */
#ifndef SF_APP_TABLE_H
#define SF_APP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SF_TABLE_COLUMNS_MAX = 12,
    SF_TABLE_FLEXIBLE_MIN = 8, /* a flexible column is never cut below this */
};

struct sf_table_column {
    const char *title;
    bool right;    /* aligned to the right, for numbers */
    bool flexible; /* may be cut */
    bool optional; /* is left out where even that does not make the table narrow enough */
};

/* A line below a row. */
struct sf_table_note {
    size_t row;
    char *text;
};

/* Fields are the table's own. */
struct sf_table {
    const struct sf_table_column *columns;
    size_t column_count;
    char **cells;
    size_t cell_count;
    size_t cell_room;
    struct sf_table_note *notes;
    size_t note_count;
};

/* An empty table; `columns` must outlive it. sf_table_fini() frees what is added. */
void sf_table_init(struct sf_table *table, const struct sf_table_column *columns, size_t count);
void sf_table_fini(struct sf_table *table);

/* Add the next cell, row by row from the left. The text is copied; NULL is "". */
void sf_table_add(struct sf_table *table, const char *text);

/* Put a line of its own below the last complete row. The text is copied. */
void sf_table_note(struct sf_table *table, const char *text);

/* Rows that are complete. */
size_t sf_table_rows(const struct sf_table *table);

/*
 * The table with its titles, a line each, as fresh memory that the caller
 * frees. No line is wider than `width` columns as far as flexible and optional
 * columns allow; 0 means any width. With `bold` the titles are set off for a terminal.
 */
char *sf_table_text(const struct sf_table *table, unsigned width, bool bold);

#endif
