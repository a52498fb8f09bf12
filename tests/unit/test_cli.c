/*
 * test_cli.c - the parts of the command line that are text and arithmetic:
 * options, names and amounts, tables, progress.
 */
#include "tests/unit/check.h"

#include "app/args.h"
#include "app/progress.h"
#include "app/table.h"
#include "app/text.h"
#include "app/when.h"

#include <locale.h>

/* --- Options --------------------------------------------------------------- */

enum { OPTIONS = 5 };
static const struct sf_arg_option options[OPTIONS] = {
    {"to", 't', "NAME", ""},
    {"wait", 'w', NULL, ""},
    {"priority", 'p', "N", ""},
    {"all", 'a', NULL, ""},
    {"at", 0, "PLACE...", ""},
};

static struct sf_args args;

/* Parse a NULL-terminated list of words. */
static int
parse(const char *const *words)
{
    static char copies[16][64];
    static char *argv[16];
    int argc = 0;

    for (; words[argc] != NULL; argc++) {
        (void)snprintf(copies[argc], sizeof(copies[argc]), "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    return sf_args_parse(&args, options, OPTIONS, argc, argv);
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static const char *
value(const char *name)
{
    return sf_args_value(&args, options, OPTIONS, name);
}

static void
test_options_anywhere(void)
{
    REQUIRE_EQ(PARSE("a", "--to", "sat-7", "b", "--wait", "c"), SF_OK);
    REQUIRE_EQ(args.operand_count, 3);
    CHECK_TEXT(args.operands[0], "a");
    CHECK_TEXT(args.operands[1], "b");
    CHECK_TEXT(args.operands[2], "c");
    CHECK_TEXT(value("to"), "sat-7");
    CHECK(value("wait") != NULL);
    CHECK(value("priority") == NULL);
}

static void
test_option_forms(void)
{
    REQUIRE_EQ(PARSE("--to=x=y"), SF_OK);
    CHECK_TEXT(value("to"), "x=y");
    REQUIRE_EQ(PARSE("--to="), SF_OK);
    CHECK_TEXT(value("to"), "");
    REQUIRE_EQ(PARSE("-tx"), SF_OK);
    CHECK_TEXT(value("to"), "x");
    REQUIRE_EQ(PARSE("-wat", "x"), SF_OK);
    CHECK_TEXT(value("to"), "x");
    CHECK(value("wait") != NULL && value("all") != NULL);
    /* A value is whatever stands there, also if it looks like an option. */
    REQUIRE_EQ(PARSE("--to", "--wait"), SF_OK);
    CHECK_TEXT(value("to"), "--wait");
    CHECK(value("wait") == NULL);
}

static void
test_two_dashes(void)
{
    REQUIRE_EQ(PARSE("--wait", "--", "--to", "-", "--"), SF_OK);
    REQUIRE_EQ(args.operand_count, 3);
    CHECK_TEXT(args.operands[0], "--to");
    CHECK_TEXT(args.operands[1], "-");
    CHECK_TEXT(args.operands[2], "--");
    REQUIRE_EQ(PARSE("-"), SF_OK);
    CHECK_EQ(args.operand_count, 1);
}

static void
test_bad_options(void)
{
    CHECK_EQ(PARSE("--wiat"), SF_EINVAL);
    CHECK(strstr(args.error, "--wait?") != NULL);
    CHECK_EQ(PARSE("--frobnicate"), SF_EINVAL);
    CHECK(strstr(args.error, "did you mean") == NULL);
    CHECK_EQ(PARSE("--to"), SF_EINVAL);
    CHECK(strstr(args.error, "--to NAME") != NULL);
    CHECK_EQ(PARSE("-t"), SF_EINVAL);
    CHECK_EQ(PARSE("--wait=yes"), SF_EINVAL);
    CHECK_EQ(PARSE("--wait", "-w"), SF_EINVAL);
    CHECK_EQ(PARSE("--to", "a", "--to=b"), SF_EINVAL);
    CHECK_EQ(PARSE("-x"), SF_EINVAL);
    CHECK(strstr(args.error, "behind --") != NULL);
    CHECK_EQ(PARSE("--\x1b[31m"), SF_EINVAL);
    CHECK(strchr(args.error, '\x1b') == NULL);
}

static void
test_lists(void)
{
    static char most[SF_ARGS_LIST_BYTES];
    char *words[] = {(char[]){"--at"}, most, (char[]){"--at"}, (char[]){"b"}};
    char *again[] = {words[0], words[1], words[2], words[3]};

    REQUIRE_EQ(PARSE("--at", "a", "--wait", "--at=b", "--at", "c,d"), SF_OK);
    CHECK_TEXT(value("at"), "a,b,c,d");
    REQUIRE_EQ(PARSE("--at", "a"), SF_OK);
    CHECK_TEXT(value("at"), "a");
    memset(most, 'x', sizeof(most) - 3);
    REQUIRE_EQ(sf_args_parse(&args, options, OPTIONS, 4, words), SF_OK);
    CHECK_EQ(strlen(value("at")), SF_ARGS_LIST_BYTES - 1);
    most[sizeof(most) - 3] = 'x';
    CHECK_EQ(sf_args_parse(&args, options, OPTIONS, 4, again), SF_EINVAL);
}

static void
test_moments(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"2026-12-24T18:00Z", 1798135200000}, {"2026-12-24T18:00:30", 1798135230000},
        {"2026-12-24", 1798070400000}, {"1798135200", 1798135200000}, {"+6h", 1000 + 21600000},
        {"+90s", 1000 + 90000}, {"0", 0}};
    static const char *const bad[] = {"", "+", "6h", "+6", "+-6h", "2026-13-01", "2026-12-24 18:00",
        "2026-12-24T18:00ZZ", "tomorrow", "-5", "1969-12-31", "99999999999999999999", "+1y"};
    const struct sf_wall now = {1000};
    struct sf_wall when = {77};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK_EQ(sf_when_parse(good[i].text, now, &when), SF_OK);
        CHECK_EQ(when.ms, good[i].ms);
    }
    when.ms = 77;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(sf_when_parse(bad[i], now, &when), SF_EFORMAT);
        CHECK_EQ(when.ms, 77);
    }
}

/* --- Names ----------------------------------------------------------------- */

static const char *
escaped(const char *name, size_t bytes, bool utf8)
{
    static char out[256];

    (void)sf_text_escape(sf_view(name, bytes), utf8, out, sizeof(out));
    return out;
}
#define ESCAPED(name, utf8) escaped(name, sizeof(name) - 1, utf8)

static void
test_harmless_names(void)
{
    CHECK_TEXT(ESCAPED("model v2.safetensors", true), "model v2.safetensors");
    CHECK_TEXT(ESCAPED("mod\u00e8le \u6a21\u578b \U0001f680", true),
        "mod\u00e8le \u6a21\u578b \U0001f680");
    CHECK_TEXT(ESCAPED("mod\u00e8le", false), "mod\\u{e8}le");
}

static void
test_harmful_names(void)
{
    CHECK_TEXT(ESCAPED("a\nb\tc\rd\\e", true), "a\\nb\\tc\\rd\\\\e");
    CHECK_TEXT(ESCAPED("\x1b[2J\x07\x7f", true), "\\x1b[2J\\x07\\x7f");
    /* C1 controls, direction marks, zero width, byte order mark. */
    CHECK_TEXT(ESCAPED("\xc2\x9b\u202e\u200b\ufeff", true), "\\u{9b}\\u{202e}\\u{200b}\\u{feff}");
    CHECK_TEXT(ESCAPED("a\0b", true), "a\\x00b");
}

static void
test_names_that_are_not_utf8(void)
{
    CHECK_TEXT(ESCAPED("\xff\xfe", true), "\\xff\\xfe");
    CHECK_TEXT(ESCAPED("\xc0\xaf", true), "\\xc0\\xaf");          /* too long a form of '/' */
    CHECK_TEXT(ESCAPED("\xed\xa0\x80", true), "\\xed\\xa0\\x80"); /* half of a surrogate pair */
    CHECK_TEXT(ESCAPED("\xf4\x90\x80\x80", true), "\\xf4\\x90\\x80\\x80"); /* beyond Unicode */
    CHECK_TEXT(ESCAPED("\xe2\x82", true), "\\xe2\\x82");                   /* cut */
}

static void
test_names_that_do_not_fit(void)
{
    char out[8];

    CHECK_EQ(sf_text_escape(sf_view("abc\n\n\n", 6), true, out, sizeof(out)), 7);
    CHECK_TEXT(out, "abc\\n\\n");
    CHECK_EQ(sf_text_escape(sf_view("abcdef\n", 7), true, out, sizeof(out)), 6);
    CHECK_TEXT(out, "abcdef");
    CHECK_EQ(sf_text_escape(sf_view("abc", 3), true, out, 1), 0);
    CHECK_TEXT(out, "");
}

static void
test_width(void)
{
    char text[32];

    CHECK_EQ(sf_text_width("abc"), 3);
    CHECK_EQ(sf_text_width("\u2588\u2588"), 2);
    (void)snprintf(text, sizeof(text), "abcdefghij");
    sf_text_cut(text, 10);
    CHECK_TEXT(text, "abcdefghij");
    sf_text_cut(text, 7);
    CHECK_TEXT(text, "abcd...");
    sf_text_cut(text, 3);
    CHECK_TEXT(text, "abc");
    (void)snprintf(text, sizeof(text), "\u00e8\u00e8\u00e8\u00e8\u00e8\u00e8");
    sf_text_cut(text, 5);
    CHECK_TEXT(text, "\u00e8\u00e8...");
}

static void
test_wide_characters(void)
{
    char text[32];

    if (setlocale(LC_ALL, "C.UTF-8") == NULL) {
        SKIP("there is no UTF-8 locale here");
    }
    CHECK_EQ(sf_text_width("\u6a21\u578b"), 4);
    (void)snprintf(text, sizeof(text), "\u6a21\u578b\u6a21\u578b");
    sf_text_cut(text, 6);
    CHECK_TEXT(text, "\u6a21...");
    (void)setlocale(LC_ALL, "C");
}

/* --- Amounts --------------------------------------------------------------- */

static void
test_sizes(void)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.00 KiB"}, {1536, "1.50 KiB"},
        {10 * 1024 + 512, "10.5 KiB"}, {(1 << 20) - 1, "1023 KiB"}, {1 << 20, "1.00 MiB"},
        {UINT64_C(751619276800), "700 GiB"}, {UINT64_MAX, "15.9 EiB"}};
    char text[SF_TEXT_AMOUNT_BYTES];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sf_text_size(rows[i].bytes, text);
        CHECK_TEXT(text, rows[i].text);
    }
}

static void
test_rates_and_times(void)
{
    char text[SF_TEXT_AMOUNT_BYTES];

    sf_text_rate(0, text);
    CHECK_TEXT(text, "0 bit/s");
    sf_text_rate(18400000, text);
    CHECK_TEXT(text, "18.4 Mbit/s");
    sf_text_rate(100000000, text);
    CHECK_TEXT(text, "100 Mbit/s");
    sf_text_duration(59, text);
    CHECK_TEXT(text, "59 s");
    sf_text_duration(200, text);
    CHECK_TEXT(text, "3 min 20 s");
    sf_text_duration(7500, text);
    CHECK_TEXT(text, "2 h 05 min");
    sf_text_duration(273600, text);
    CHECK_TEXT(text, "3 d 4 h");
    sf_text_duration(UINT64_MAX, text);
    sf_text_time((struct sf_wall){0}, text);
    CHECK_TEXT(text, "-");
    sf_text_time((struct sf_wall){INT64_MAX}, text);
    sf_text_time((struct sf_wall){1795446000000}, text);
    CHECK_EQ(strlen(text), 19);
}

static void
test_slips(void)
{
    static const char *const words[] = {"send", "status", "inbox", "peer add", "cancel"};

    CHECK_TEXT(sf_text_nearest("sned", words, 5), "send");
    CHECK_TEXT(sf_text_nearest("stauts", words, 5), "status");
    CHECK_TEXT(sf_text_nearest("status", words, 5), "status");
    CHECK_TEXT(sf_text_nearest("cancl", words, 5), "cancel");
    CHECK_TEXT(sf_text_nearest("per add", words, 5), "peer add");
    CHECK(sf_text_nearest("launch", words, 5) == NULL);
    CHECK(sf_text_nearest("", words, 5) == NULL);
    CHECK(sf_text_nearest("an-endless-word-that-nobody-typed-by-slip", words, 5) == NULL);
}

/* --- Tables ---------------------------------------------------------------- */

static const struct sf_table_column peer_columns[] = {
    {"PEER", false, false, false}, {"RATE", true, false, false}, {"NAME", false, true, false}};

static void
test_table(void)
{
    struct sf_table table;
    char *text;

    sf_table_init(&table, peer_columns, 3);
    sf_table_add(&table, "sat-7");
    sf_table_add(&table, "9");
    sf_table_add(&table, "a");
    sf_table_add(&table, "x");
    sf_table_add(&table, "12345");
    sf_table_add(&table, "b");
    CHECK_EQ(sf_table_rows(&table), 2);
    text = sf_table_text(&table, 0, false);
    CHECK_TEXT(text, "PEER    RATE  NAME\n"
                     "sat-7      9  a\n"
                     "x      12345  b\n");
    free(text);
    sf_table_fini(&table);
}

static void
test_narrow_table(void)
{
    struct sf_table table;
    char *text;

    sf_table_init(&table, peer_columns, 3);
    sf_table_add(&table, "sat-7");
    sf_table_add(&table, "9");
    sf_table_add(&table, "a-name-that-is-too-long");
    text = sf_table_text(&table, 26, false);
    CHECK_TEXT(text, "PEER   RATE  NAME\n"
                     "sat-7     9  a-name-tha...\n");
    free(text);
    /* Narrower than it can be: the flexible column keeps its least width. */
    text = sf_table_text(&table, 3, false);
    CHECK_TEXT(text, "PEER   RATE  NAME\n"
                     "sat-7     9  a-nam...\n");
    free(text);
    sf_table_fini(&table);
}

static void
test_optional_columns(void)
{
    static const struct sf_table_column some[] = {
        {"PEER", false, false, false}, {"OUT", true, false, true}, {"IN", true, false, true}};
    struct sf_table table;
    char *text;

    sf_table_init(&table, some, 3);
    sf_table_add(&table, "sat-7");
    sf_table_add(&table, "111");
    sf_table_add(&table, "22");
    text = sf_table_text(&table, 10, false);
    CHECK_TEXT(text, "PEER   OUT\nsat-7  111\n");
    free(text);
    text = sf_table_text(&table, 9, false);
    CHECK_TEXT(text, "PEER\nsat-7\n");
    free(text);
    sf_table_fini(&table);
}

static void
test_notes(void)
{
    struct sf_table table;
    char *text;

    sf_table_init(&table, peer_columns, 1);
    sf_table_add(&table, "sat-7");
    sf_table_note(&table, "its disk is full");
    sf_table_note(&table, "b");
    sf_table_add(&table, "sat-8");
    text = sf_table_text(&table, 16, false);
    CHECK_TEXT(text, "PEER\nsat-7\n       its di...\n       b\nsat-8\n");
    free(text);
    sf_table_fini(&table);
}

/* --- Progress -------------------------------------------------------------- */

static void
test_percent(void)
{
    CHECK_EQ(sf_progress_percent(0, 0), 0);
    CHECK_EQ(sf_progress_percent(5, 0), 0);
    CHECK_EQ(sf_progress_percent(999, 1000), 99);
    CHECK_EQ(sf_progress_percent(1000, 1000), 100);
    CHECK_EQ(sf_progress_percent(2000, 1000), 100);
    CHECK_EQ(sf_progress_percent(UINT64_MAX - 1, UINT64_MAX), 99);
}

static void
test_eta(void)
{
    CHECK_EQ(sf_progress_eta(0, 100, 10), 10);
    CHECK_EQ(sf_progress_eta(0, 101, 10), 11);
    CHECK_EQ(sf_progress_eta(100, 100, 0), 0);
    CHECK(sf_progress_eta(0, 100, 0) == SF_PROGRESS_UNKNOWN);
    CHECK(sf_progress_eta(0, 0, 10) == SF_PROGRESS_UNKNOWN);
    CHECK(sf_progress_eta(0, UINT64_MAX, 1) == SF_PROGRESS_UNKNOWN);
}

static void
test_meter(void)
{
    struct sf_meter meter = {0};

    CHECK_EQ(sf_meter_rate(&meter), 0);
    for (uint64_t i = 0; i <= 100; i++) {
        sf_meter_update(&meter, i * 100000, i * 100 * SF_MS);
    }
    CHECK_EQ(sf_meter_rate(&meter), 1000000);
    /* A standstill shows within the meter's memory. */
    for (uint64_t i = 1; i <= SF_METER_SAMPLES; i++) {
        sf_meter_update(&meter, 10000000, 10 * SF_SEC + i * SF_SEC);
    }
    CHECK_EQ(sf_meter_rate(&meter), 0);
    /* A count that went back begins anew. */
    sf_meter_update(&meter, 5, 100 * SF_SEC);
    CHECK_EQ(sf_meter_rate(&meter), 0);
    CHECK_EQ(meter.count, 1);
}

static void
test_bar(void)
{
    char out[SF_PROGRESS_LINE_BYTES];

    sf_progress_bar(0, 100, 12, false, out);
    CHECK_TEXT(out, "[..........]");
    sf_progress_bar(50, 100, 12, false, out);
    CHECK_TEXT(out, "[#####.....]");
    sf_progress_bar(99, 100, 12, false, out);
    CHECK_TEXT(out, "[#########.]");
    sf_progress_bar(100, 100, 12, false, out);
    CHECK_TEXT(out, "[##########]");
    sf_progress_bar(0, 0, 12, false, out);
    CHECK_TEXT(out, "[..........]");
    sf_progress_bar(1, 16, 4, true, out);
    CHECK_TEXT(out, "\u2595\u258f \u258f");
    sf_progress_bar(1, 1, 4, true, out);
    CHECK_TEXT(out, "\u2595\u2588\u2588\u258f");
}

static void
test_line(void)
{
    struct sf_progress progress = {
        .title = "sealing", .done = 50 << 20, .total = 100 << 20, .rate = 1250000, .eta_s = 42};
    char out[SF_PROGRESS_LINE_BYTES];

    sf_progress_draw(&progress, 100, false, out);
    CHECK_TEXT(out,
        "sealing  [##############..............]   50 %  50.0 MiB of 100 MiB  10.0 Mbit/s"
        "  42 s left");
    progress.note = "paused: the disk is full";
    sf_progress_draw(&progress, 80, false, out);
    CHECK_TEXT(out, "sealing  [##############..............]   50 %  paused: the disk is full");
    progress = (struct sf_progress){.title = "reading", .done = 2048, .title_columns = 10};
    sf_progress_draw(&progress, 80, false, out);
    CHECK_TEXT(out, "reading     2.00 KiB");
}

static void
test_line_fits(void)
{
    struct sf_progress progress = {.title = "a-recipient-with-quite-a-long-name",
        .title_columns = 34,
        .done = 1,
        .total = UINT64_MAX,
        .rate = 123456789,
        .eta_s = 1000000};
    char out[SF_PROGRESS_LINE_BYTES];

    for (unsigned columns = 1; columns <= 200; columns++) {
        progress.note = columns % 2 == 0 ? "paused: the peer has no room for this transfer" : NULL;
        sf_progress_draw(&progress, columns, columns % 3 == 0, out);
        CHECK(sf_text_width(out) <= columns);
        CHECK(strchr(out, '\n') == NULL);
    }
}

static void
test_screen(void)
{
    char *text = NULL;
    size_t bytes;
    struct sf_screen screen = {.out = open_memstream(&text, &bytes)};

    REQUIRE(screen.out != NULL);
    sf_screen_draw(&screen, "one\ntwo\n");
    CHECK_TEXT(text, "\rone\x1b[K\ntwo\x1b[K\n\x1b[J");
    CHECK_EQ(screen.lines, 2);
    sf_screen_draw(&screen, "three\n");
    CHECK_TEXT(text, "\rone\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[2A\rthree\x1b[K\n\x1b[J");
    CHECK_EQ(screen.lines, 1);
    sf_screen_clear(&screen);
    CHECK_EQ(screen.lines, 0);
    CHECK(strcmp(text + bytes - 8, "\x1b[1A\r\x1b[J") == 0);
    (void)fclose(screen.out);
    free(text);
}

CHECK_MAIN("the command line's text",
    {"options stand before, between and after operands", test_options_anywhere},
    {"an option takes its value in every form", test_option_forms},
    {"two dashes end the options", test_two_dashes},
    {"a wrong option is named, with the one that was meant", test_bad_options},
    {"an option may be given several times if it is a list", test_lists},
    {"moments are dates in UTC, or spans from now", test_moments},
    {"a harmless name is shown as it is", test_harmless_names},
    {"a name cannot move the cursor or turn the text", test_harmful_names},
    {"bytes that are not UTF-8 are shown as bytes", test_names_that_are_not_utf8},
    {"a name that does not fit is cut between characters", test_names_that_do_not_fit},
    {"text is measured and cut in columns", test_width},
    {"wide characters take two columns", test_wide_characters},
    {"sizes have three digits and a binary unit", test_sizes},
    {"rates and times carry their units", test_rates_and_times},
    {"a slip of the hand finds the word that was meant", test_slips},
    {"a table aligns its columns", test_table},
    {"a table is cut where it may be", test_narrow_table},
    {"a table leaves out what it can do without", test_optional_columns},
    {"a note stands below its row", test_notes},
    {"a hundred percent means all of it", test_percent},
    {"what cannot be foretold is unknown", test_eta},
    {"the meter follows the rate and notices a standstill", test_meter},
    {"a bar is full only at the end", test_bar},
    {"a progress line shows what there is room for", test_line},
    {"a progress line never passes its columns", test_line_fits},
    {"the screen replaces what it drew", test_screen})
