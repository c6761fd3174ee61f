/**
 * power: how much energy the processor has used, where Linux tells it (powercap, RAPL: Intel and
 * AMD processors; readable by root only on most systems).
 */
#ifndef DPOW_ENGINE_POWER_H
#define DPOW_ENGINE_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Where the system keeps its zones. */
#define POWER_ZONES "/sys/class/powercap"

enum { POWER_PACKAGES_MAX = 16 };

/** The counters of all processor packages at one moment. */
struct power_reading {
    uint64_t microjoules[POWER_PACKAGES_MAX];
    uint64_t range[POWER_PACKAGES_MAX]; /**< A counter goes back to 0 above this value. */
    size_t packages;
};

/**
 * Reads the counters.
 * @param zones POWER_ZONES
 * @return false where the system tells nothing, or not to this user
 */
bool power_read(const char *zones, struct power_reading *reading);

/** Joules used between two readings, each counter gone back to 0 once at most. */
double power_joules(const struct power_reading *before, const struct power_reading *after);

#endif
