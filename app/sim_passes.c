/* skyferry-sim passes: when satellites stand over ground stations, as a table or a contact plan. */
#include <config.h>

#include "app/sim.h"
#include "app/units.h"
#include "link/contact_hdtn.h"
#include "link/contact_ion.h"
#include "link/contact_orbit.h"
#include "link/passes.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATIONS_MAX = 64, DAY_MS = 86400000, TEXT_BYTES = 256 };

#define STATION_FORM                                                                               \
    "NAME:LATITUDE,LONGITUDE[,METRES[,MASK]] in degrees north and east, such as "                  \
    "svalbard:78.23,15.39,450,5"
#define RATE_FORM                                                                                  \
    SF_UNITS_RATE_FORM ", and for higher elevations ,DEGREES:RATE, such as 20Mbit,30:100Mbit"

enum format { FORMAT_TABLE, FORMAT_ION, FORMAT_HDTN };

/* Rates of one direction, by elevation. */
struct rates {
    double elevation_deg[SF_PASS_RATES_MAX];
    uint64_t bps[SF_PASS_RATES_MAX];
    size_t count;
};

struct place {
    char name[SF_CONTACT_NAME_BYTES];
    struct sf_pass_station station;
};

struct row {
    const struct place *place;
    const char *satellite;
    struct sf_pass pass;
    double up_bytes, down_bytes;
};

struct work {
    const char *file;
    const char *satellite;
    struct place *places;
    size_t place_count;
    struct rates up, down;
    struct sf_wall from, to;
    enum format format;
    struct sf_orbits orbits;
    struct row *rows; /* of the table */
    size_t row_count;
    struct sf_contact_plan plan;
};

/* --- Options --- */

/* A number that ends at one of `ends`; what follows the number, or NULL. */
static const char *
read_real(const char *text, const char *ends, double *ret_value)
{
    char *end;

    errno = 0;
    *ret_value = strtod(text, &end);
    return end != text && errno == 0 && strchr(ends, *end) != NULL ? end : NULL;
}

static int
read_station(struct work *work, const char *text)
{
    struct place *place = &work->places[work->place_count];
    struct sf_pass_station *station = &place->station;
    double *values[] = {
        &station->latitude_deg, &station->longitude_deg, &station->altitude_m, &station->mask_deg};
    const char *at = strchr(text, ':');
    size_t name_bytes = at == NULL ? 0 : (size_t)(at - text);
    size_t count = 0;

    if (work->place_count == STATIONS_MAX) {
        return sf_sim_say(
            SF_SIM_EXIT_USAGE, "--station: at most %d of them are accepted", STATIONS_MAX);
    }
    memset(place, 0, sizeof(*place));
    station->mask_deg = 10;
    while (at != NULL && *at != '\0' && count < 4) {
        at = read_real(at + 1, ",", values[count++]);
    }
    if (at == NULL || *at != '\0' || count < 2 || name_bytes == 0 ||
        name_bytes >= sizeof(place->name) ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
            name_bytes) {
        return sf_sim_say(
            SF_SIM_EXIT_USAGE, "--station: \"%s\" is not accepted: give " STATION_FORM, text);
    }
    if (!(station->latitude_deg >= -90 && station->latitude_deg <= 90 &&
            station->longitude_deg >= -180 && station->longitude_deg <= 360 &&
            station->altitude_m >= -1000 && station->altitude_m <= 100000 &&
            station->mask_deg >= -5 && station->mask_deg <= 90)) {
        return sf_sim_say(SF_SIM_EXIT_USAGE,
            "--station: \"%s\" is not accepted: give a latitude of -90 to 90, a longitude of -180 "
            "to 360, -1000 to 100000 metres and a mask of -5 to 90 degrees",
            text);
    }
    memcpy(place->name, text, name_bytes);
    for (size_t i = 0; i < work->place_count; i++) {
        if (strcmp(work->places[i].name, place->name) == 0) {
            return sf_sim_say(
                SF_SIM_EXIT_USAGE, "--station: there are two called \"%s\"", place->name);
        }
    }
    work->place_count++;
    return SF_SIM_EXIT_DONE;
}

/* RATE[,DEGREES:RATE]... */
static int
read_rates(const char *option, const char *text, struct rates *ret_rates)
{
    struct rates rates = {.count = 0};
    const char *at = text;
    bool good = true;

    while (good && rates.count < SF_PASS_RATES_MAX) {
        char rate[64] = "";
        size_t bytes;

        rates.elevation_deg[rates.count] = -90;
        if (rates.count > 0) {
            at = read_real(at, ":", &rates.elevation_deg[rates.count]);
            good = at != NULL && rates.elevation_deg[rates.count] <= 90 &&
                   rates.elevation_deg[rates.count] > rates.elevation_deg[rates.count - 1];
            if (!good) {
                break;
            }
            at++;
        }
        bytes = strcspn(at, ",");
        if (bytes < sizeof(rate)) {
            memcpy(rate, at, bytes);
        }
        good = sf_units_rate_parse(rate, &rates.bps[rates.count]) == SF_OK &&
               rates.bps[rates.count] <= SF_CONTACT_RATE_MAX;
        rates.count++;
        at += bytes;
        if (*at == '\0') {
            break;
        }
        at++;
    }
    if (!good || *at != '\0') {
        return sf_sim_say(SF_SIM_EXIT_USAGE,
            "--%s: \"%s\" is not accepted: give at most %d rates: " RATE_FORM, option, text,
            SF_PASS_RATES_MAX);
    }
    *ret_rates = rates;
    return SF_SIM_EXIT_DONE;
}

static int
read_from(const char *text, struct sf_wall *ret_time)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts = {0};
        const char *end = strptime(text, forms[i], &parts);

        if (end != NULL && *end == 'Z') {
            end++;
        }
        if (end != NULL && *end == '\0' && parts.tm_year >= 70 && parts.tm_year < 8100) {
            ret_time->ms = (int64_t)timegm(&parts) * 1000;
            return SF_SIM_EXIT_DONE;
        }
    }
    return sf_sim_say(SF_SIM_EXIT_USAGE,
        "--from: \"%s\" is not accepted: give UTC such as 2026-11-23 or 2026-11-23T06:30:00Z",
        text);
}

static int
read_format(const char *text, enum format *ret_format)
{
    static const char *const names[] = {"table", "ion", "hdtn"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            *ret_format = (enum format)i;
            return SF_SIM_EXIT_DONE;
        }
    }
    return sf_sim_say(
        SF_SIM_EXIT_USAGE, "--format: \"%s\" is not accepted: give table, ion or hdtn", text);
}

static int
read_option(struct work *work, int letter, double *days)
{
    const char *end;
    int status;

    switch (letter) {
    case 't':
        work->file = optarg;
        return SF_SIM_EXIT_DONE;
    case 'n':
        work->satellite = optarg;
        return SF_SIM_EXIT_DONE;
    case 's':
        return read_station(work, optarg);
    case 'f':
        return read_from(optarg, &work->from);
    case 'd':
        end = read_real(optarg, "", days);
        if (end == NULL || *end != '\0' || !(*days > 0 && *days <= SF_PASS_DAYS_MAX)) {
            return sf_sim_say(SF_SIM_EXIT_USAGE,
                "--days: \"%s\" is not accepted: give a number above 0 and up to %d", optarg,
                SF_PASS_DAYS_MAX);
        }
        return SF_SIM_EXIT_DONE;
    case 'r':
        status = read_rates("rate", optarg, &work->up);
        work->down = work->up;
        return status;
    case 'u':
        return read_rates("up", optarg, &work->up);
    case 'w':
        return read_rates("down", optarg, &work->down);
    case 'o':
        return read_format(optarg, &work->format);
    default:
        return SF_SIM_EXIT_USAGE; /* getopt said it */
    }
}

/* Returns an exit status; DONE: go on. */
static int
read_options(int argc, char **argv, struct work *work)
{
    static const struct option known[] = {{"tle", required_argument, NULL, 't'},
        {"satellite", required_argument, NULL, 'n'}, {"station", required_argument, NULL, 's'},
        {"from", required_argument, NULL, 'f'}, {"days", required_argument, NULL, 'd'},
        {"rate", required_argument, NULL, 'r'}, {"up", required_argument, NULL, 'u'},
        {"down", required_argument, NULL, 'w'}, {"format", required_argument, NULL, 'o'},
        {NULL, 0, NULL, 0}};
    double days = 1;
    int status = SF_SIM_EXIT_DONE;
    int letter;

    work->from.ms = (int64_t)time(NULL) * 1000;
    while (
        status == SF_SIM_EXIT_DONE && (letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        status = read_option(work, letter, &days);
    }
    if (status != SF_SIM_EXIT_DONE) {
        return status;
    }
    if (optind < argc) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "passes takes no argument \"%s\"", argv[optind]);
    }
    if (work->file == NULL || work->place_count == 0) {
        return sf_sim_say(SF_SIM_EXIT_USAGE, "passes needs --tle FILE and --station " STATION_FORM);
    }
    if (work->format != FORMAT_TABLE && work->up.count == 0 && work->down.count == 0) {
        return sf_sim_say(
            SF_SIM_EXIT_USAGE, "a contact plan needs rates: give --rate, --up or --down");
    }
    work->to.ms = work->from.ms + (int64_t)(days * DAY_MS) / 1000 * 1000;
    return SF_SIM_EXIT_DONE;
}

/* --- Rates of both directions, in one table per station --- */

static uint64_t
rate_at(const struct rates *rates, double elevation_deg)
{
    uint64_t bps = 0;

    for (size_t i = 0; i < rates->count && rates->elevation_deg[i] <= elevation_deg; i++) {
        bps = rates->bps[i];
    }
    return bps;
}

static bool
join_rates(struct work *work, struct sf_pass_station *station)
{
    size_t up = 0, down = 0;

    station->rate_count = 0;
    do {
        double elevation = -90;

        if (station->rate_count > 0) {
            double next_up = up < work->up.count ? work->up.elevation_deg[up] : 91;
            double next_down = down < work->down.count ? work->down.elevation_deg[down] : 91;

            elevation = next_up < next_down ? next_up : next_down;
        }
        if (station->rate_count == SF_PASS_RATES_MAX) {
            return false;
        }
        station->rates[station->rate_count++] = (struct sf_pass_rate){
            elevation, rate_at(&work->up, elevation), rate_at(&work->down, elevation)};
        while (up < work->up.count && work->up.elevation_deg[up] <= elevation) {
            up++;
        }
        while (down < work->down.count && work->down.elevation_deg[down] <= elevation) {
            down++;
        }
    } while (up < work->up.count || down < work->down.count);
    return true;
}

/* --- The elements --- */

static int
read_orbits(struct work *work)
{
    struct sf_contact_error error;
    FILE *file = fopen(work->file, "rbe");
    uint8_t *text = file == NULL ? NULL : malloc(SF_ORBIT_BYTES_MAX + 1);
    size_t bytes = text == NULL ? 0 : fread(text, 1, SF_ORBIT_BYTES_MAX + 1, file);
    int status = SF_SIM_EXIT_DONE;

    if (text == NULL || ferror(file)) {
        status = sf_sim_say(
            SF_SIM_EXIT_FAILED, "--tle: \"%s\" cannot be read: %s", work->file, strerror(errno));
    } else if (sf_orbits_decode(&work->orbits, work->file, sf_view(text, bytes), &error) != SF_OK) {
        status = sf_sim_say(SF_SIM_EXIT_FAILED, "%s", error.text);
    }
    free(text);
    if (file != NULL) {
        fclose(file);
    }
    return status;
}

/* Whether --satellite, if given, means this one: by its name or by its number. */
static bool
is_wanted(const struct work *work, const struct sf_orbit *orbit)
{
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, orbit->number);
    return work->satellite == NULL || strcmp(work->satellite, orbit->name) == 0 ||
           strcmp(work->satellite, number) == 0;
}

/* "ISS (ZARYA)" is called ISS-ZARYA where only letters, digits, '.', '_' and '-' will do. */
static void
name_satellite(const struct sf_orbit *orbit, char ret_name[SF_CONTACT_NAME_BYTES])
{
    size_t used = 0;

    for (const char *c = orbit->name; *c != '\0'; c++) {
        bool plain = (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= 'a' && *c <= 'z') || *c == '.' || *c == '_';

        if (plain) {
            ret_name[used++] = *c;
        } else if (used > 0 && ret_name[used - 1] != '-') {
            ret_name[used++] = '-';
        }
    }
    while (used > 0 && ret_name[used - 1] == '-') {
        used--;
    }
    ret_name[used] = '\0';
    if (used == 0) {
        snprintf(ret_name, SF_CONTACT_NAME_BYTES, "sat-%" PRIu64, orbit->number);
    }
}

/* --- The passes --- */

/*
 * The plan's node called `name`; if it is new, it gets the number that its name says, else
 * `number`, else the next one that is free.
 */
static int
add_node(struct work *work, const char *name, uint64_t number, uint32_t *ret_node)
{
    char *end;
    uint64_t own = strtoull(name, &end, 10);

    *ret_node = sf_contact_plan_named(&work->plan, name);
    if (*ret_node != SF_CONTACT_NONE) {
        return SF_OK;
    }
    if (*end == '\0' && own > 0) {
        number = own;
    }
    while (sf_contact_plan_numbered(&work->plan, number) != SF_CONTACT_NONE) {
        number++;
    }
    return sf_contact_plan_node(&work->plan, name, number, ret_node);
}

/* Keep passes for the table: the pieces of one are one row. */
static bool
keep_rows(struct work *work, const struct place *place, const char *satellite,
    const struct sf_passes *passes)
{
    struct row *rows =
        realloc(work->rows, (work->row_count + passes->count + 1) * sizeof(*work->rows));
    struct row *row = NULL;

    if (rows == NULL) {
        return false;
    }
    work->rows = rows;
    for (size_t i = 0; i < passes->count; i++) {
        const struct sf_pass *pass = &passes->passes[i];
        const struct sf_pass_rate *rate = &place->station.rates[pass->rate];
        double seconds = (double)(pass->end.ms - pass->start.ms) / 1000;

        if (row == NULL || row->pass.pass != pass->pass) {
            row = &rows[work->row_count++];
            *row = (struct row){.place = place, .satellite = satellite, .pass = *pass};
        }
        row->pass.end = pass->end;
        if (pass->peak_deg > row->pass.peak_deg) {
            row->pass.peak_deg = pass->peak_deg;
        }
        if (pass->light_us > row->pass.light_us) {
            row->pass.light_us = pass->light_us;
        }
        row->up_bytes += (double)rate->up_bps / 8 * seconds;
        row->down_bytes += (double)rate->down_bps / 8 * seconds;
    }
    return true;
}

static int
find_passes(struct work *work, const struct place *place, const struct sf_orbit *orbit,
    const char *satellite, uint32_t ground)
{
    struct sf_passes passes;
    struct sf_sgp4 sat;
    uint32_t space;
    int status = sf_sgp4_init(&sat, &orbit->elements);

    sf_passes_init(&passes);
    if (status == SF_OK) {
        status = sf_passes_find(&passes, &sat, &place->station, work->from, work->to);
    }
    if (status == SF_EINVAL) {
        return sf_sim_say(SF_SIM_EXIT_FAILED,
            "%s:%u: these elements are too far away from --from and --days: give times from a "
            "year before to ten years after their epoch",
            work->file, (unsigned int)orbit->line);
    }
    if (status == SF_OK && passes.lost_from.ms != SF_CONTACT_NEVER.ms) {
        (void)sf_sim_say(0,
            "%s:%u: %s: from %" PRId64 " s after --from on these elements give no place",
            work->file, (unsigned int)orbit->line, satellite,
            (passes.lost_from.ms - work->from.ms) / 1000);
    }
    if (status == SF_OK && work->format == FORMAT_TABLE) {
        status = keep_rows(work, place, satellite, &passes) ? SF_OK : SF_ENOMEM;
    } else if (status == SF_OK) {
        status = add_node(work, satellite, orbit->number == 0 ? 1 : orbit->number, &space);
        if (status == SF_OK) {
            status = sf_passes_plan(&passes, &place->station, &work->plan, ground, space);
        }
    }
    sf_passes_fini(&passes);
    return status == SF_OK ? SF_SIM_EXIT_DONE
                           : sf_sim_say(SF_SIM_EXIT_FAILED, "the passes of %s over %s: %s",
                                 satellite, place->name, sf_status_text(status));
}

/* --- What is shown --- */

static int
compare_rows(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    int order = (a->pass.start.ms > b->pass.start.ms) - (a->pass.start.ms < b->pass.start.ms);

    order = order != 0 ? order : strcmp(a->place->name, b->place->name);
    return order != 0 ? order : strcmp(a->satellite, b->satellite);
}

static void
print_table(struct work *work)
{
    if (work->row_count > 0) {
        qsort(work->rows, work->row_count, sizeof(*work->rows), compare_rows);
    }
    printf("%-20s %-8s %6s %5s %8s %9s %9s  %-16s %s\n", "rise (UTC)", "set", "length", "peak",
        "light", "up", "down", "station", "satellite");
    for (size_t i = 0; i < work->row_count; i++) {
        const struct row *row = &work->rows[i];
        int64_t seconds = (row->pass.end.ms - row->pass.start.ms) / 1000;
        time_t rise = (time_t)(row->pass.start.ms / 1000);
        time_t set = (time_t)(row->pass.end.ms / 1000);
        struct tm parts;
        char rise_text[32], set_text[32];

        strftime(rise_text, sizeof(rise_text), "%Y-%m-%d %H:%M:%S", gmtime_r(&rise, &parts));
        strftime(set_text, sizeof(set_text), "%H:%M:%S", gmtime_r(&set, &parts));
        printf("%-20s %-8s %3" PRId64 ":%02" PRId64 " %4.1f° %6.2fms %7.2fGB %7.2fGB  %-16s %s\n",
            rise_text, set_text, seconds / 60, seconds % 60, row->pass.peak_deg,
            (double)row->pass.light_us / 1000, row->up_bytes / 1e9, row->down_bytes / 1e9,
            row->place->name, row->satellite);
    }
}

static int
encode(const struct work *work, char *out, size_t bytes_max, size_t *ret_bytes,
    struct sf_contact_error *error)
{
    const struct sf_contact_hdtn hdtn = {.name = "the plan"};

    if (work->format == FORMAT_ION) {
        return sf_contact_ion_encode(&work->plan, out, bytes_max, ret_bytes, error);
    }
    return sf_contact_hdtn_encode(&hdtn, &work->plan, out, bytes_max, ret_bytes, error);
}

static int
print_plan(struct work *work)
{
    struct sf_contact_error error;
    size_t bytes = 0;
    char *out = NULL;
    int status = sf_contact_plan_seal(&work->plan, work->file, &error);

    if (status == SF_OK) {
        status = encode(work, NULL, 0, &bytes, &error);
    }
    if (status == SF_OK) {
        out = malloc(bytes);
        if (out == NULL) {
            return sf_sim_say(SF_SIM_EXIT_FAILED, "there is no memory for the plan");
        }
        status = encode(work, out, bytes, &bytes, &error);
    }
    if (status == SF_OK) {
        fwrite(out, 1, bytes, stdout);
    }
    free(out);
    return status == SF_OK ? SF_SIM_EXIT_DONE : sf_sim_say(SF_SIM_EXIT_FAILED, "%s", error.text);
}

/* --- All of it --- */

static int
find_all(struct work *work, char (*names)[SF_CONTACT_NAME_BYTES])
{
    size_t wanted = 0;
    int status = SF_SIM_EXIT_DONE;

    for (size_t i = 0; i < work->orbits.count; i++) {
        name_satellite(&work->orbits.orbits[i], names[i]);
        wanted += is_wanted(work, &work->orbits.orbits[i]);
        for (size_t j = 0; j < i && is_wanted(work, &work->orbits.orbits[i]); j++) {
            if (is_wanted(work, &work->orbits.orbits[j]) && strcmp(names[i], names[j]) == 0) {
                return sf_sim_say(SF_SIM_EXIT_FAILED,
                    "%s:%u: \"%s\" is there twice: give one set of elements per satellite",
                    work->file, (unsigned int)work->orbits.orbits[i].line, names[i]);
            }
        }
    }
    if (wanted == 0) {
        return sf_sim_say(SF_SIM_EXIT_FAILED,
            "--satellite: there is no \"%s\" in %s: give a name or a catalogue number from there",
            work->satellite, work->file);
    }
    for (size_t p = 0; p < work->place_count && status == SF_SIM_EXIT_DONE; p++) {
        uint32_t ground = SF_CONTACT_NONE;

        if (!join_rates(work, &work->places[p].station)) {
            return sf_sim_say(SF_SIM_EXIT_USAGE,
                "--up and --down have more than %d different elevations", SF_PASS_RATES_MAX);
        }
        if (work->format != FORMAT_TABLE &&
            add_node(work, work->places[p].name, 1, &ground) != SF_OK) {
            return sf_sim_say(SF_SIM_EXIT_FAILED, "--station: \"%s\" cannot be a node of the plan",
                work->places[p].name);
        }
        for (size_t i = 0; i < work->orbits.count && status == SF_SIM_EXIT_DONE; i++) {
            if (is_wanted(work, &work->orbits.orbits[i])) {
                status =
                    find_passes(work, &work->places[p], &work->orbits.orbits[i], names[i], ground);
            }
        }
    }
    return status;
}

int
sf_sim_passes_main(int argc, char **argv)
{
    struct work work = {.format = FORMAT_TABLE};
    char(*names)[SF_CONTACT_NAME_BYTES] = NULL;
    int status = SF_SIM_EXIT_FAILED;

    sf_orbits_init(&work.orbits);
    sf_contact_plan_init(&work.plan);
    work.places = calloc(STATIONS_MAX, sizeof(*work.places));
    if (work.places == NULL) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "there is no memory for the stations");
    }
    status = read_options(argc, argv, &work);
    if (status == SF_SIM_EXIT_DONE) {
        status = read_orbits(&work);
    }
    if (status == SF_SIM_EXIT_DONE) {
        names = calloc(work.orbits.count, sizeof(*names));
        status = names == NULL ? sf_sim_say(SF_SIM_EXIT_FAILED, "there is no memory for the names")
                               : find_all(&work, names);
    }
    if (status == SF_SIM_EXIT_DONE && work.format == FORMAT_TABLE) {
        print_table(&work);
    } else if (status == SF_SIM_EXIT_DONE) {
        status = print_plan(&work);
    }
    free(names);
    free(work.rows);
    free(work.places);
    sf_orbits_fini(&work.orbits);
    sf_contact_plan_fini(&work.plan);
    return status;
}
