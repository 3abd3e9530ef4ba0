/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_group.h - what the scenarios of groups share: members of the group
 * "g", each run by the fiber of its number + 1.
 */
#ifndef EVBUS_SCENARIO_GROUP_H
#define EVBUS_SCENARIO_GROUP_H

#include "scenario.h"

void scenario_members(const struct evbus_options *, unsigned members);
/* Each accepted event was handled once; the counters say so. */
void scenario_check_group(void);
/* All members read what is left; that check; the end. */
void scenario_finish_group(void);

#endif /* EVBUS_SCENARIO_GROUP_H */
