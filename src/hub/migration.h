/**
 * migration: what the original hub kept (redis_source.h) becomes this hub's, in one transaction.
 *
 * Either all of it is durable at the end or nothing is. What the store has already, the same
 * service's name, the same client's account, any totals imported before, is left as it is; so a
 * migration can be repeated, for instance with other names for services that were left out.
 *
 * The hub of the store must not run; one thread.
 */
#ifndef DPOW_HUB_MIGRATION_H
#define DPOW_HUB_MIGRATION_H

#include "store/redis_source.h"
#include "store/store.h"

/** Another login name for a service of the original. */
struct migration_rename {
    struct slice from; /**< Any bytes; borrowed. */
    const char *to;    /**< A valid name; borrowed. */
    bool used;         /**< Out: there was such a service. */
};

/** What to do. Everything is borrowed. */
struct migration_options {
    struct store *store; /**< Not started. */
    struct log log;      /**< Gets warnings: what was left out or changed, the first 100. */
    /** Reads the source. */
    bool (*read)(void *context, const struct legacy_visitor *visitor, struct error *error);
    void *context;
    struct migration_rename *renames;
    size_t rename_count;
    double rate_per_s;                /**< Of each imported service. */
    uint64_t threshold;               /**< What a cached work must reach. */
    const char *accounts_to;          /**< The service that gets the accounts, or NULL. */
    const struct audit_record *audit; /**< Written if anything is; NULL for none. */
    int64_t now_ms;                   /**< By the wall clock. */
};

/** How the records of one kind fared. */
struct migration_tally {
    uint64_t imported;
    uint64_t existing; /**< In the store already, left as they are. */
    uint64_t left_out;
};

/** What happened. */
struct migration_report {
    struct migration_tally services;
    struct migration_tally clients;
    struct migration_tally totals; /**< One record, unless both numbers are 0. */
    struct migration_tally works;
    struct migration_tally accounts;
    struct work_counts rewarded; /**< The totals as the source has them. */
    uint64_t names_refused;      /**< Of services left out: for their names. */
    uint64_t warnings;
};

/**
 * Migrates.
 * @param report complete on success
 * @return false with the error filled: nothing was written
 */
bool migration_run(const struct migration_options *options, struct migration_report *report,
                   struct error *error);

#endif
