/**
 * statistics: what the pool has done, as the JSON of topic `statistics` and `GET /api/statistics`
 * (dpow.md 7).
 */
#ifndef DPOW_HUB_STATISTICS_H
#define DPOW_HUB_STATISTICS_H

#include "hub/core.h"
#include "hub/services.h"

/**
 * Writes the JSON.
 * @param length set to its length
 * @return memory for the caller to free(); NULL when out of memory
 */
char *statistics_write(const struct services *services, const struct work_counts *rewarded,
                       size_t *length);

#endif
