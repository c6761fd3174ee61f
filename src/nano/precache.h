/**
 * precache: how much work may be made ahead for a service's accounts, as the store keeps it and the
 * hub's core follows it (dpow.md 5.3).
 */
#ifndef DPOW_NANO_PRECACHE_H
#define DPOW_NANO_PRECACHE_H

#include <stdbool.h>
#include <stdint.h>

/** When the next work of a service's accounts is made ahead. */
enum precache_mode {
    PRECACHE_OFF,
    PRECACHE_ALWAYS, /**< As soon as a block is confirmed. */
    PRECACHE_USED,   /**< Only for an account that was asked for within the period. */
    PRECACHE_MODES,
};

/** How much precache a service may cause. */
struct precache_policy {
    enum precache_mode mode;
    bool receive;            /**< Work for the receive class is made, 64 times cheaper than send. */
    uint32_t accounts_max;   /**< Accounts remembered for it. */
    uint32_t works_per_hour; /**< Works made ahead for all its accounts. */
    uint32_t period_s; /**< PRECACHE_USED: how recently an account must have been asked for. */
};

#endif
