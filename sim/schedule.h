/*
 * schedule.h - a contact plan put under a scenario: who gets the file, and
 * through which ground station in which contact.
 *
 * The sender stands on the ground and reaches every station of the plan; each
 * is a gateway to the receivers that it has contacts with. Where stations
 * overlap, the one that rose first is used until it sets, then the next one,
 * SWITCH later. What comes back takes the way through the same station. Rates,
 * light times and contacts are the plan's; loss, queues and all else are those
 * of the receiver's profile.
 */
#ifndef SF_SIM_SCHEDULE_H
#define SF_SIM_SCHEDULE_H

#include "link/contact.h"
#include "sim/scenario.h"

enum { SF_SCHEDULE_STATIONS_MAX = 16 };

#define SF_SCHEDULE_SWITCH_NS SF_MS

/* One direction between the sender and a receiver, in order of time, none overlapping. */
struct sf_schedule_way {
    struct sf_sim_contact *contacts; /* times on the scenario's clock */
    unsigned *stations;              /* of each */
    size_t count;
    size_t capacity;
};

struct sf_schedule {
    char stations[SF_SCHEDULE_STATIONS_MAX][SF_CONTACT_NAME_BYTES];
    size_t station_count;
    struct sf_wall zero; /* of the plan: where the scenario's clock begins */
    struct sf_schedule_way up[SF_SCENARIO_RECEIVERS_MAX];
    struct sf_schedule_way down[SF_SCENARIO_RECEIVERS_MAX];
};

/*
 * Put the sealed `plan` under `scenario`, whose receivers, if they were named,
 * are nodes of the plan by name or number. If they were not, the one node that
 * takes part in every contact is the receiver; of two, the one that is sent to
 * first. The scenario's clock begins with the first contact, or with the plan's
 * own zero if its times are before 1971, and so relative.
 *
 * Returns SF_OK: the receivers' profiles have the contacts, which live as long
 * as `ret_schedule`, and the scenario points to it. SF_EFORMAT, SF_ELIMIT with
 * *ret_error, whose line is that of the plan, if it has one; SF_ENOMEM. Then
 * `scenario` is as it was.
 */
SF_MUST_USE int sf_schedule_make(const struct sf_contact_plan *plan, struct sf_scenario *scenario,
    struct sf_schedule *ret_schedule, struct sf_scenario_error *ret_error);

/* The scenario must not be used with it any more. */
void sf_schedule_fini(struct sf_schedule *schedule);

/* The station of `receiver` at `at`; NULL if there is no contact then, or no schedule. */
const char *sf_schedule_station(const struct sf_scenario *scenario, unsigned receiver, sf_mono at);

#endif
