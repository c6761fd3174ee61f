/**
 * ledger: carries the core's store actions to the store's thread and their ends back.
 *
 * The operations are taken from a pool of as many as the core ever has outstanding (core.h). All
 * functions belong to the loop's thread.
 */
#ifndef DPOW_HUB_LEDGER_H
#define DPOW_HUB_LEDGER_H

#include "base/log.h"
#include "hub/clients.h"
#include "hub/core.h"
#include "hub/services.h"
#include "store/store.h"

#include <uv.h>

struct ledger;

/** What the ledger works with; all borrowed for its life. */
struct ledger_options {
    struct hub_core *core;
    struct store *store;       /**< Opened, not started: ledger_create() starts it. */
    struct services *services; /**< Their counters follow what is durable. */
    struct clients *clients;   /**< Loaded here; they follow what is durable. */
    size_t waiters_max;
    size_t works_max; /**< So many works are restored at the start. */
    bool precache;    /**< false: no service may have work made ahead, whatever its record says. */
    uv_loop_t *loop;
    const struct log *log;
    /** Carries out the core's actions; called after every event the ledger puts into the core. */
    void (*act)(void *context);
    /** Commits began to fail, with the reason, or work again (NULL). */
    void (*on_health)(void *context, const char *reason);
    /** A reward is durable. @param hashes expected to be tried for it */
    void (*on_reward)(void *context, enum work_type type, uint64_t hashes);
    void *context;
};

/** Counters since the start: of the core's operations. */
struct ledger_counters {
    uint64_t operations; /**< Durable by now. */
    uint64_t waited_us;  /**< From handing them to the store until they were; the sum. */
};

/** Loads services, works, chains and totals into the core, accounts into clients, and starts the
 * store's thread. */
struct ledger *ledger_create(const struct ledger_options *options, struct error *error);

/** Tells the core of a service, and what may be made ahead for it in this hub. @return false when
 * out of memory */
bool ledger_tell_service(struct ledger *ledger, const struct service_record *record);

/** Carries out the core's actions HUB_STORE_…. */
void ledger_submit(struct ledger *ledger, const struct hub_action *action);

/** Counts an invalid result of an account, if the store knows the account: soon, some may be left
 *  out when many accounts have some at once. */
void ledger_invalid(struct ledger *ledger, const struct account *account);

/** Carries out HUB_COUNT_ANSWER: counted in the store within a moment, many together. */
void ledger_count(struct ledger *ledger, int64_t service_id, enum work_type type);

/**
 * Hands an operation of another owner to the store: done is called on the loop's thread with
 * op->status set. The op stays the caller's.
 * @return false, and done is not called, when out of memory
 */
bool ledger_submit_other(struct ledger *ledger, struct store_op *op,
                         void (*done)(void *context, struct store_op *op), void *context);

/** Whether commits work. */
bool ledger_healthy(const struct ledger *ledger);

void ledger_counters(const struct ledger *ledger, struct ledger_counters *counters);

/** Stops the store (waiting at most patience_ms for failing commits), delivers every end. */
void ledger_stop(struct ledger *ledger, uint64_t patience_ms);

/** Closes its handle on the loop; freed after the loop has run once more. Call ledger_stop() first.
 */
void ledger_destroy(struct ledger *ledger);

#endif
