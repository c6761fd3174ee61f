/**
 * counts: works counted by type, as the store keeps them, cores add them up and messages tell them.
 */
#ifndef DPOW_NANO_COUNTS_H
#define DPOW_NANO_COUNTS_H

#include "nano/message.h"

#include <stdbool.h>
#include <stdint.h>

/** Two counters, by enum work_type. */
struct work_counts {
    uint64_t of[WORK_TYPES];
};

/** The totals of a worker's account, as told on `client/<account>` (dpow.md 2.4). */
struct client_totals {
    struct work_counts rewarded; /**< Works, since ever. */
    struct work_counts hashes;   /**< Expected to be tried for these works; not told. */
    struct work_counts snapshot; /**< Works at the last payout. */
    bool has_snapshot;           /**< Whether there was one. */
};

#endif
