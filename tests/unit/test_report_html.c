/* The page of a what-if: amounts as people read them, and what the page must hold. */
#include "sim/fluid.h"
#include "sim/plot.h"
#include "sim/report_html.h"

#include "base/time.h"
#include "tests/unit/check.h"

static struct sf_scenario scenario;
static struct sf_whatif result;

static bool
no_profiles(void *context, const char *name, struct sf_sim_profile *profile, char *ret_text)
{
    (void)context;
    (void)profile;
    snprintf(ret_text, SF_SCENARIO_ERROR_BYTES, "there is no profile \"%s\"", name);
    return false;
}

/* The page of an estimate of these lines; the caller frees it. */
static char *
page_of(const char *text, const char *command)
{
    static const struct sf_scenario_loader loader = {no_profiles, NULL};
    struct sf_scenario_error error;
    char *page = NULL;
    size_t bytes;
    FILE *out = open_memstream(&page, &bytes);

    sf_scenario_init(&scenario);
    REQUIRE_EQ(sf_scenario_parse(&scenario, sf_view(text, strlen(text)), &loader, &error), SF_OK);
    sf_fluid_estimate(&scenario, &result);
    REQUIRE(out != NULL);
    CHECK_EQ(sf_report_html(out, &scenario, &result, command), SF_OK);
    REQUIRE_EQ(fclose(out), 0);
    return page;
}

static size_t
count(const char *page, const char *words)
{
    size_t found = 0;

    for (page = strstr(page, words); page != NULL; page = strstr(page + 1, words)) {
        found++;
    }
    return found;
}

static void
check_span(double seconds, const char *expected)
{
    char text[SF_PLOT_TEXT_BYTES];

    sf_plot_span(seconds, text);
    CHECK_TEXT(text, expected);
}

static void
test_spans(void)
{
    check_span(0, "0 s");
    check_span(0.25, "250 ms");
    check_span(0.9996, "1 s");
    check_span(1.5, "1.5 s");
    check_span(59.94, "59.9 s");
    check_span(59.97, "1 min");
    check_span(61.4, "1 min 1 s");
    check_span(3599.7, "1 h");
    check_span(3700, "1 h 2 min");
    check_span(86399, "1 d");
    check_span(1e6, "11 d 14 h");
}

static void
test_amounts(void)
{
    char text[SF_REPORT_AMOUNT_BYTES];

    sf_report_size(0, text);
    CHECK_TEXT(text, "0 bytes");
    sf_report_size(999.4, text);
    CHECK_TEXT(text, "999 bytes");
    sf_report_size(999.6, text);
    CHECK_TEXT(text, "1.00 kB");
    sf_report_size(140e9, text);
    CHECK_TEXT(text, "140 GB");
    sf_report_rate(18640000, text);
    CHECK_TEXT(text, "18.6 Mbit/s");
}

static void
test_page(void)
{
    char *page = page_of("title = Tea & <biscuits>\nsize = 1GB\nreceivers = 2\nlink.rate = 20Mbit\n"
                         "link.delay = 20ms\nlink.loss = 1%\nlink.period = 5min\n"
                         "link.contact = 30s+1min\n",
        "skyferry-sim run 'a \"b\" <c>'");

    CHECK_EQ(count(page, "<svg"), 6); /* three plots, each for wide and narrow screens */
    CHECK_EQ(count(page, "</svg>"), 6);
    CHECK_EQ(count(page, "<script"), 0);
    CHECK_EQ(count(page, "src="), 0);
    CHECK_EQ(count(page, "http"), 6); /* the name of SVG's language, nothing to be fetched */
    CHECK_EQ(count(page, "Tea &amp; &lt;biscuits&gt;"), 2);
    CHECK_EQ(count(page, "<biscuits>"), 0);
    CHECK_EQ(count(page, "skyferry-sim run 'a &quot;b&quot; &lt;c&gt;'"), 1);
    CHECK(count(page, "Everywhere after") == 2);
    CHECK_EQ(count(page, "An estimate."), 1);
    CHECK_EQ(count(page, "</tr>"), 1 + result.contact_count);
    CHECK(count(page, "class=\"band\"") == 9);
    CHECK(strstr(page, "prefers-color-scheme:dark") != NULL);
    CHECK(strstr(page, "@media print") != NULL);
    CHECK(strstr(page, ">Mbit/s</text>") != NULL);
    CHECK(strstr(page, "nan") == NULL && strstr(page, "inf") == NULL);
    CHECK(strstr(page, "</main></body></html>\n") != NULL);
    free(page);
}

static void
test_hopeless_page(void)
{
    char *page = page_of("size = 1GB\nlink.loss = 100%\n", NULL);

    CHECK_EQ(count(page, "<svg"), 0);
    CHECK_EQ(count(page, "Never, because the way back from sat-1 loses everything"), 2);
    CHECK(strstr(page, "nan") == NULL);
    free(page);
}

static void
test_long_table(void)
{
    char *page = page_of(
        "size = 20GB\nlink.rate = 10Mbit\nlink.period = 1min\nlink.contact = 0s+20s\n", NULL);

    CHECK(result.contact_count > SF_REPORT_ROWS_MAX);
    CHECK_EQ(count(page, "</tr>"), 1 + SF_REPORT_ROWS_MAX + 1);
    CHECK(strstr(page, " more</td>") != NULL);
    CHECK(strlen(page) < 400000);
    free(page);
}

static void
test_full_disk(void)
{
    FILE *out = fopen("/dev/full", "wb");

    if (out == NULL) {
        SKIP("there is no /dev/full");
    }
    free(page_of("size = 1MB\n", NULL));
    setvbuf(out, NULL, _IONBF, 0);
    CHECK_EQ(sf_report_html(out, &scenario, &result, NULL), SF_EIO);
    fclose(out);
}

CHECK_MAIN("report", {"spans of time read well", test_spans},
    {"sizes and rates read well", test_amounts},
    {"the page stands alone and holds plots, figures and the table", test_page},
    {"a page without plots says why never", test_hopeless_page},
    {"a long table loses its middle", test_long_table},
    {"a page that cannot be written is told", test_full_disk})
