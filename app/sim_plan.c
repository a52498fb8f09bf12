/* skyferry-sim run --plan: a contact plan, read and put under a scenario. */
#include <config.h>

#include "app/sim.h"
#include "app/sim_run.h"
#include "link/contact_hdtn.h"
#include "link/contact_ion.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* JSON begins with a brace, and nothing ION knows does. */
static bool
is_json(struct sf_view text)
{
    size_t at = 0;

    while (at < text.bytes && memchr(" \t\r\n", text.data[at], 4) != NULL) {
        at++;
    }
    return at < text.bytes && (text.data[at] == '{' || text.data[at] == '[');
}

static int
decode(const char *path, struct sf_view text, struct sf_contact_plan *plan,
    struct sf_contact_error *ret_error)
{
    const struct sf_contact_ion ion = {.name = path};
    const struct sf_contact_hdtn hdtn = {.name = path};

    return is_json(text) ? sf_contact_hdtn_decode(&hdtn, text, plan, ret_error)
                         : sf_contact_ion_decode(&ion, text, plan, ret_error);
}

/*
 * Plans know nodes by number; `skyferry-sim passes` writes their names as
 * "# node 1 is berlin". So called is what has that number.
 */
static void
take_name(const char *line, char (*names)[SF_CONTACT_NAME_BYTES], size_t count)
{
    char number[SF_CONTACT_NAME_BYTES];
    char name[SF_CONTACT_NAME_BYTES];

    if (sscanf(line, "# node %20[0-9] is %63[A-Za-z0-9._-]", number, name) != 2) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], number) == 0) {
            memcpy(names[i], name, sizeof(name));
        }
    }
}

static void
take_names(struct sf_view text, struct sf_scenario *scenario, struct sf_schedule *schedule)
{
    while (text.bytes > 0) {
        const uint8_t *newline = memchr(text.data, '\n', text.bytes);
        size_t bytes = newline == NULL ? text.bytes : (size_t)(newline - text.data) + 1;
        char line[160];

        snprintf(line, sizeof(line), "%.*s", (int)(bytes < sizeof(line) ? bytes : 0),
            (const char *)text.data);
        take_name(line, schedule->stations, schedule->station_count);
        for (size_t i = 0; i < scenario->receiver_count; i++) {
            take_name(line, &scenario->receivers[i].name, 1);
        }
        text = sf_view(text.data + bytes, text.bytes - bytes);
    }
}

int
sf_sim_plan(struct sf_scenario *scenario, struct sf_schedule *ret_schedule)
{
    struct sf_contact_plan plan;
    struct sf_contact_error error;
    struct sf_scenario_error mistake;
    int status = SF_SIM_EXIT_DONE;
    uint8_t *text;
    size_t bytes;

    if (!sf_sim_read_file(scenario->plan, SF_CONTACT_HDTN_BYTES_MAX, &text, &bytes)) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "plan: \"%s\": %s", scenario->plan, strerror(errno));
    }
    sf_contact_plan_init(&plan);
    if (decode(scenario->plan, sf_view(text, bytes), &plan, &error) != SF_OK) {
        status = sf_sim_say(SF_SIM_EXIT_USAGE, "%s", error.text);
    } else if (sf_schedule_make(&plan, scenario, ret_schedule, &mistake) != SF_OK) {
        status = mistake.line == 0
                     ? sf_sim_say(SF_SIM_EXIT_USAGE, "%s: %s", scenario->plan, mistake.text)
                     : sf_sim_say(SF_SIM_EXIT_USAGE, "%s:%u: %s", scenario->plan, mistake.line,
                           mistake.text);
    } else {
        take_names(sf_view(text, bytes), scenario, ret_schedule);
    }
    sf_contact_plan_fini(&plan);
    free(text);
    return status;
}
