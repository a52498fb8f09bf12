/*
 * stage.h - the world a scenario is played in: a sender on the ground, its
 * receivers, and the paths between them.
 *
 * Without a contact plan each receiver has a path of its own, and the nodes find
 * out by themselves when it is up. With one (schedule.h) each way leads through
 * the gateways of ground stations, one after the other, and sender and
 * receivers follow the plan.
 */
#ifndef SF_SIM_STAGE_H
#define SF_SIM_STAGE_H

#include "sim/scenario.h"
#include "sim/world.h"

enum { SF_STAGE_GROUND = 0 }; /* number of the sending node; receivers follow */

struct sf_stage;

/* Make it and start its nodes, at the time of the order. Aborts without memory. */
struct sf_stage *sf_stage_open(const struct sf_scenario *scenario);
void sf_stage_close(struct sf_stage *stage);

struct sf_world *sf_stage_world(struct sf_stage *stage);

/* What went towards a receiver, and what came back from it, over all of its paths. */
struct sf_sim_path_stats sf_stage_sent(const struct sf_stage *stage, unsigned receiver);
struct sf_sim_path_stats sf_stage_returned(const struct sf_stage *stage, unsigned receiver);

#endif
