/**
 * statistics: what the pool has done, as the JSON of `GET /api/statistics` and topic `statistics`
 * (docs/protocol/statistics.md, dpow.md 7). The original's members come first and are unchanged.
 */
#ifndef DPOW_HUB_STATISTICS_H
#define DPOW_HUB_STATISTICS_H

#include "hub/clients.h"
#include "hub/core.h"
#include "hub/series.h"
#include "hub/services.h"

enum {
    STATISTICS_SIZE = 200000, /**< No text is longer; the broker takes 262,144 bytes. */
};

/** What is told; borrowed. */
struct statistics_source {
    const struct services *services;
    struct clients *clients;
    struct series *series; /**< Advanced to the present by the caller. */
    const struct hub_core_stats *core;
    struct clients_moment moment;
    uint64_t uptime_s;
    bool stopping;
    bool store_works;
    bool broker_works;
};

/** How much is told. */
enum statistics_extent {
    STATISTICS_BRIEF, /**< For the topic: without clients, percentiles and series. */
    STATISTICS_FULL,
};

/**
 * Writes the JSON. Public services that would make it too long are summed under `left_out`.
 * @return its length, without the NUL
 */
size_t statistics_write(char text[STATISTICS_SIZE], const struct statistics_source *source,
                        enum statistics_extent extent);

#endif
