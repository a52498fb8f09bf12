/* Tests of link/contact_orbit: elements as TLE and OMM, and what is said of those that are none. */
#include "link/contact_orbit.h"
#include "tests/unit/check.h"

#include <math.h>

#define RADIANS (acos(-1) / 180)

#define LINE1 "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753"
#define LINE2 "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667"

static struct sf_orbits orbits;
static struct sf_contact_error error;

static int
decode(const char *text)
{
    return sf_orbits_decode(&orbits, "orbits.txt", sf_view(text, strlen(text)), &error);
}

static bool
is_near(double a, double b)
{
    return fabs(a - b) <= 1e-14 * fabs(b);
}

static void
test_tle(void)
{
    const struct sf_sgp4_elements *el;

    REQUIRE_EQ(
        decode("# comment\n\nVANGUARD 1  \r\n" LINE1 "\r\n" LINE2 "\r\n" LINE1 "\n" LINE2), SF_OK);
    REQUIRE_EQ(orbits.count, 2);
    CHECK_TEXT(orbits.orbits[0].name, "VANGUARD 1");
    CHECK_TEXT(orbits.orbits[1].name, "");
    CHECK_EQ(orbits.orbits[0].number, 5);
    CHECK_EQ(orbits.orbits[0].line, 4);
    CHECK_EQ(orbits.orbits[1].line, 6);
    el = &orbits.orbits[0].elements;
    /* 27 June 2000, 18:50:19.733568. */
    CHECK(fabs(el->epoch_days - (11135 + 0.78495062)) < 1e-11);
    CHECK(is_near(el->inclination, 34.2682 * RADIANS));
    CHECK(is_near(el->node, 348.7242 * RADIANS));
    CHECK(is_near(el->eccentricity, 0.1859667));
    CHECK(is_near(el->perigee, 331.7664 * RADIANS));
    CHECK(is_near(el->mean_anomaly, 19.3264 * RADIANS));
    CHECK(is_near(el->mean_motion, 10.82419157 * 2 * acos(-1) / 1440));
    CHECK(is_near(el->drag, 0.28098e-4));
    REQUIRE_EQ(decode("0 VANGUARD 1\n" LINE1 "\n" LINE2), SF_OK);
    CHECK_TEXT(orbits.orbits[0].name, "VANGUARD 1");
    sf_orbits_fini(&orbits);
}

/* A card with `with` at column `column`, and a right checksum. */
static void
card(char out[70], const char *line, size_t column, const char *with)
{
    unsigned int sum = 0;

    memcpy(out, line, 70);
    memcpy(out + column - 1, with, strlen(with));
    for (size_t i = 0; i < 68; i++) {
        sum += out[i] == '-' ? 1 : out[i] >= '0' && out[i] <= '9' ? (unsigned int)out[i] - '0' : 0;
    }
    out[68] = (char)('0' + sum % 10);
}

static int
decode_with(size_t column1, const char *with1, size_t column2, const char *with2)
{
    char text[160];
    char first[70], second[70];

    card(first, LINE1, column1, with1);
    card(second, LINE2, column2, with2);
    snprintf(text, sizeof(text), "%s\n%s\n", first, second);
    return decode(text);
}

static void
test_alpha5(void)
{
    /* From space-track.org's description of Alpha-5. */
    static const struct {
        const char *text;
        uint64_t number;
    } cases[] = {{"A0000", 100000}, {"E8493", 148493}, {"J2931", 182931}, {"P4018", 234018},
        {"W1928", 301928}, {"Z9999", 339999}, {"99999", 99999}, {" 4859", 4859}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        REQUIRE_EQ(decode_with(3, cases[i].text, 3, cases[i].text), SF_OK);
        CHECK_EQ(orbits.orbits[0].number, cases[i].number);
    }
    CHECK_EQ(decode_with(3, "I0001", 3, "I0001"), SF_EFORMAT);
    CHECK(strstr(error.text, "orbits.txt:1: columns 3 to 7, the catalogue number: \"I0001\"") !=
          NULL);
    CHECK_EQ(decode_with(3, "A0001", 3, "A0002"), SF_EFORMAT);
    CHECK(strstr(error.text, "orbits.txt:2:") != NULL &&
          strstr(error.text, "the same as on line 1") != NULL);
    sf_orbits_fini(&orbits);
}

static void
test_columns(void)
{
    static const struct {
        size_t column1;
        const char *with1;
        size_t column2;
        const char *with2;
        const char *says;
    } cases[] = {
        {19, "x0", 1, "2", "columns 19 to 20, the year: \"x0\""},
        {21, "000.99999999", 1, "2", "the day of the year: \"000.99999999\""},
        {21, "367.00000000", 1, "2", "the day of the year"},
        {54, " 28098 4", 1, "2", "columns 54 to 61, B*: \" 28098 4\""},
        {54, " 2.098-4", 1, "2", "B*"},
        {54, "        ", 1, "2", "B*"},
        {63, "4", 1, "2", "the kind of theory: \"4\""},
        {1, "1", 9, "180.0001", "the inclination: \"180.0001\""},
        {1, "1", 9, " -1.0000", "degrees from 0 to 180"},
        {1, "1", 18, "360.0001", "the node"},
        {1, "1", 27, "185966 ", "the eccentricity: \"185966 \""},
        {1, "1", 27, "18.9667", "seven digits"},
        {1, "1", 35, "abc.defg", "the perigee"},
        {1, "1", 44, "        ", "the mean anomaly"},
        {1, "1", 53, " 0.00000000", "columns 53 to 63, the mean motion"},
        {1, "1", 53, "10.82419 57", "the mean motion"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(decode_with(cases[i].column1, cases[i].with1, cases[i].column2, cases[i].with2),
            SF_EFORMAT);
        if (strstr(error.text, cases[i].says) == NULL) {
            printf("\n    %s\n", error.text);
            CHECK(false);
        }
    }
    CHECK_EQ(decode_with(54, "-28098+1", 1, "2"), SF_OK);
    CHECK(is_near(orbits.orbits[0].elements.drag, -2.8098));
    CHECK_EQ(decode_with(19, "57", 1, "2"), SF_OK);
    CHECK(orbits.orbits[0].elements.epoch_days < 0);
    sf_orbits_fini(&orbits);
}

static void
check_says(const char *text, int status, unsigned int line, const char *says)
{
    CHECK_EQ(decode(text), status);
    CHECK_EQ(error.line, line);
    if (strncmp(error.text, "orbits.txt:", 11) != 0 || strstr(error.text, says) == NULL) {
        printf("\n    %s\n", error.text);
        CHECK(false);
    }
}

static void
test_forms(void)
{
    check_says("", SF_EFORMAT, 0, "there is no orbit");
    check_says("# only this\n\n", SF_EFORMAT, 0, "give TLE, or OMM as JSON or KVN");
    check_says("hello\nworld\n", SF_EFORMAT, 2, "\"world\" is not accepted");
    check_says("hello\n", SF_EFORMAT, 1, "ends in the middle");
    check_says(LINE1 "\n", SF_EFORMAT, 1, "ends in the middle");
    check_says(LINE2 "\n", SF_EFORMAT, 1, "line 1 of elements, or a name,");
    check_says(LINE1 "\n" LINE1 "\n", SF_EFORMAT, 2, "line 2 of the elements before");
    check_says(LINE1 " 0\n" LINE2 "\n", SF_EFORMAT, 1, "71 columns: a line of elements has 69");
    check_says("1 5\n" LINE2 "\n", SF_EFORMAT, 1, "3 columns");
    check_says("A\n1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4754\n" LINE2,
        SF_EFORMAT, 2, "the checksum \"4\" is wrong: the line sums up to 3");
    check_says("<?xml version=\"1.0\"?>\n", SF_EFORMAT, 1, "not XML or CSV");
    check_says("OBJECT_NAME,OBJECT_ID\n", SF_EFORMAT, 1, "not XML or CSV");
}

#define JSON_ELEMENTS                                                                              \
    "\"MEAN_MOTION\": 10.84869164, \"ECCENTRICITY\": \"0.1845686\",\n\"INCLINATION\": 34.2443, "   \
    "\"RA_OF_ASC_NODE\": 225.5254, \"ARG_OF_PERICENTER\": 162.2516, \"MEAN_ANOMALY\": 205.2356, "  \
    "\"BSTAR\": -2.2483e-5"
#define JSON_EPOCH "\"EPOCH\": \"2020-10-13T04:52:48.472320\", "

static void
test_json(void)
{
    const struct sf_sgp4_elements *el;

    REQUIRE_EQ(decode("[{\"OBJECT_NAME\": \"VANGUARD 1\", \"NORAD_CAT_ID\": 270288, "
                      "\"COMMENT\": null, \"REF_FRAME\": null, \"x\": [{}, \"]\"], " JSON_EPOCH
                      "\n" JSON_ELEMENTS "},\n {" JSON_EPOCH JSON_ELEMENTS "}]\n"),
        SF_OK);
    REQUIRE_EQ(orbits.count, 2);
    CHECK_TEXT(orbits.orbits[0].name, "VANGUARD 1");
    CHECK_EQ(orbits.orbits[0].number, 270288);
    CHECK_EQ(orbits.orbits[1].number, 0);
    CHECK_EQ(orbits.orbits[1].line, 4);
    el = &orbits.orbits[0].elements;
    CHECK(fabs(el->epoch_days - (18548 + 17568.472320 / 86400)) < 1e-11);
    CHECK(is_near(el->eccentricity, 0.1845686));
    CHECK(is_near(el->drag, -2.2483e-5));
    CHECK(is_near(el->mean_anomaly, 205.2356 * RADIANS));
    REQUIRE_EQ(decode("{" JSON_EPOCH JSON_ELEMENTS "}"), SF_OK);
    CHECK_EQ(orbits.count, 1);
    sf_orbits_fini(&orbits);

    check_says("{" JSON_ELEMENTS "}", SF_EFORMAT, 1, "EPOCH is missing");
    check_says("[\n{" JSON_EPOCH "\"MEAN_MOTION\": 15}]", SF_EFORMAT, 2, "ECCENTRICITY is missing");
    check_says("{" JSON_EPOCH JSON_EPOCH JSON_ELEMENTS "}", SF_EFORMAT, 1, "EPOCH is given twice");
    check_says("{\n\"MEAN_MOTION\": 0}", SF_EFORMAT, 2, "\"0\" is not accepted");
    check_says("{\"MEAN_MOTION\": \"15 rev\"}", SF_EFORMAT, 1, "\"15 rev\"");
    check_says("{\"MEAN_MOTION\": [15]}", SF_EFORMAT, 1, "\"[15]\"");
    check_says("{\"ECCENTRICITY\": 1}", SF_EFORMAT, 1, "from 0 to 1");
    check_says("{\"INCLINATION\": -1}", SF_EFORMAT, 1, "from 0 to 180 deg");
    check_says("{\"EPOCH\": \"2020-13-13T04:52:48\"}", SF_EFORMAT, 1, "such as 2020-10-13T");
    check_says("{\"EPOCH\": \"2020-10-13 04:52:48\"}", SF_EFORMAT, 1, "UTC such as");
    check_says("{\"EPOCH\": \"2020-10-13T04:52:48.\"}", SF_EFORMAT, 1, "UTC such as");
    check_says("{\"TIME_SYSTEM\": \"TAI\"}", SF_EFORMAT, 1, "TIME_SYSTEM: \"TAI\"");
    check_says("{\"MEAN_ELEMENT_THEORY\": \"DSST\"}", SF_EFORMAT, 1, "give SGP4");
    check_says("{\"CENTER_NAME\": \"MARS\"}", SF_EFORMAT, 1, "give EARTH");
    check_says("{\"REF_FRAME\": \"EME2000\"}", SF_EFORMAT, 1, "give TEME");
    check_says("{\"EPHEMERIS_TYPE\": 4}", SF_EFORMAT, 1, "EPHEMERIS_TYPE: \"4\"");
    check_says("{\"NORAD_CAT_ID\": \"T0001\"}", SF_EFORMAT, 1, "up to nine digits");
    check_says("[]", SF_EFORMAT, 0, "there is no orbit");
    check_says("[{" JSON_EPOCH JSON_ELEMENTS "}", SF_EFORMAT, 2, "ends too early");
    check_says("[{" JSON_EPOCH "\"MEAN_MOTION\":10.84869164,\"ECCENTRICITY\":.1845686}]",
        SF_EFORMAT, 1, "no JSON");
}

#define KVN(epoch, motion)                                                                         \
    "CCSDS_OMM_VERS = 2.0\nCOMMENT any = thing\nOBJECT_NAME = GOES 9\nTIME_SYSTEM = UTC\n"         \
    "EPOCH = " epoch "\nMEAN_MOTION = " motion "\nECCENTRICITY = 0.0005013\n"                      \
    "INCLINATION = 3.0539 [deg]\nRA_OF_ASC_NODE=81.7939\nARG_OF_PERICENTER = 249.2363  [deg]\n"    \
    "MEAN_ANOMALY = 150.1602\nBSTAR = 0.0001 [1/ER]\nNORAD_CAT_ID = 23581\n"

static void
test_kvn(void)
{
    REQUIRE_EQ(decode(KVN("2007-03-05T10:34:41.4264Z", "1.00273272 [rev/day]") "\n" KVN(
                   "2007-03-05T10:34:41", "1.00273272")),
        SF_OK);
    REQUIRE_EQ(orbits.count, 2);
    CHECK_TEXT(orbits.orbits[1].name, "GOES 9");
    CHECK_EQ(orbits.orbits[1].number, 23581);
    CHECK_EQ(orbits.orbits[1].line, 15);
    CHECK(is_near(orbits.orbits[0].elements.perigee, 249.2363 * RADIANS));
    CHECK(fabs(orbits.orbits[0].elements.epoch_days - orbits.orbits[1].elements.epoch_days -
               0.4264 / 86400) < 1e-11);
    sf_orbits_fini(&orbits);
    check_says(KVN("2007-03-05T10:34:41", "1.0 [deg]"), SF_EFORMAT, 6, "\"1.0 [deg]\"");
    check_says(KVN("noon", "1.0"), SF_EFORMAT, 5, "EPOCH: \"noon\"");
    check_says(KVN("2007-03-05T10:34:41", "1.0") "what\n", SF_EFORMAT, 14,
        "\"what\" is not accepted: give KEY = VALUE");
    check_says(KVN("2007-03-05T10:34:41", "1.0") "MEAN_MOTION = 2\n", SF_EFORMAT, 14, "twice");
    check_says("CCSDS_OMM_VERS = 2.0\n", SF_EFORMAT, 1, "EPOCH is missing");
}

static void
test_untouched(void)
{
    struct sf_orbits before;

    REQUIRE_EQ(decode(LINE1 "\n" LINE2), SF_OK);
    before = orbits;
    CHECK_EQ(decode(LINE1 "\n" LINE2 "\n" LINE1 "\n"), SF_EFORMAT);
    CHECK_BYTES(&orbits, &before, sizeof(before));
    sf_orbits_fini(&orbits);
}

CHECK_MAIN("orbit", {"two lines are read, with names, comments and both line ends", test_tle},
    {"numbers beyond 99999 are read as Alpha-5", test_alpha5},
    {"every column of the two lines is checked", test_columns},
    {"what is no orbit is told with its line", test_forms},
    {"OMM as JSON is read, and its mistakes told", test_json},
    {"OMM as KEY = VALUE is read, and its mistakes told", test_kvn},
    {"an error leaves the orbits as they were", test_untouched})
