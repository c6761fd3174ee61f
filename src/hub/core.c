#include "hub/core_internal.h"

#include <stdlib.h>
#include <string.h>

struct hub_core_options hub_core_options_default(void)
{
    return (struct hub_core_options){
        .entries_max = 1048576,
        .waiters_max = 16384,
        .waiters_per_entry_max = 1024,
        .cache_us = 86400ULL * 1000000, /* block_expiry of the original (dpow.md 6) */
        .reask_us = 2ULL * 1000000,
        .linger_us = 5ULL * 1000000,
        .grace_us = 5ULL * 1000000,
        .chains_max = 262144,
        .chain_us = 2592000ULL * 1000000, /* account_expiry */
        .send_threshold = 0xfffffff800000000,
        .receive_threshold = 0xfffffe0000000000,
        .precache_parallel = 64,
        .precache_us = 120ULL * 1000000,
        .chain_works_per_hour = 120,
    };
}

static bool options_check(const struct hub_core_options *options, struct error *error)
{
    if (options->entries_max == 0 || options->entries_max > UINT32_MAX / 4)
        return error_set(error, ERROR_INVALID, "entries_max must be in 1 to %u", UINT32_MAX / 4);
    if (options->waiters_max == 0 || options->waiters_max > UINT32_MAX / 4)
        return error_set(error, ERROR_INVALID, "waiters_max must be in 1 to %u", UINT32_MAX / 4);
    if (options->waiters_per_entry_max == 0)
        return error_set(error, ERROR_INVALID, "waiters_per_entry_max must be at least 1");
    if (options->cache_us == 0 || options->reask_us == 0 || options->linger_us == 0 ||
        options->grace_us == 0)
        return error_set(error, ERROR_INVALID, "cache, reask, linger and grace must be positive");
    if (options->chains_max == 0 || options->chains_max > UINT32_MAX / 4)
        return error_set(error, ERROR_INVALID, "chains_max must be in 1 to %u", UINT32_MAX / 4);
    if (options->chain_us == 0 || options->precache_us == 0 || options->precache_parallel == 0 ||
        options->precache_parallel > options->entries_max)
        return error_set(error, ERROR_INVALID,
                         "chain, precache and precache_parallel must be positive, the last at most "
                         "entries_max");
    return true;
}

static bool allocate(struct hub_core *core)
{
    const struct hub_core_options *options = &core->options;
    /* An event acts at most twice for a waiter (answer, record) and five times for a wanted entry
     * (cancel and ask under two types, ask again); but for precache_parallel, no entry is wanted
     * without a waiter of its own. */
    core->action_capacity =
        7 * options->waiters_max + 5 * options->precache_parallel + HUB_FRONTIERS_STORING + 8;
    core->entries = calloc(options->entries_max, sizeof *core->entries);
    core->waiters = calloc(options->waiters_max, sizeof *core->waiters);
    core->actions = calloc(core->action_capacity, sizeof *core->actions);
    core->by_root = table_create(options->entries_max, options->seed);
    core->entry_timers = heap_create(options->entries_max);
    core->waiter_timers = heap_create(options->waiters_max);
    core->chains = calloc(options->chains_max, sizeof *core->chains);
    core->by_account = table_create(options->chains_max, options->seed);
    core->chain_timers = heap_create(options->chains_max);
    core->sponsors = table_create(SPONSORS_MAX, options->seed);
    return core->chains != NULL && core->by_account != NULL && core->chain_timers != NULL &&
           core->sponsors != NULL && core->entries != NULL && core->waiters != NULL &&
           core->actions != NULL && core->by_root != NULL && core->entry_timers != NULL &&
           core->waiter_timers != NULL;
}

static void link_free_waiters(struct hub_core *core)
{
    for (size_t i = core->options.waiters_max; i-- > 0;) {
        core->waiters[i].id = (waiter_id)1 << 32 | (i + 1);
        core->waiters[i].next = core->free_waiters;
        core->free_waiters = &core->waiters[i];
    }
}

struct hub_core *hub_core_create(const struct hub_core_options *options, struct error *error)
{
    if (!options_check(options, error))
        return NULL;
    struct hub_core *core = calloc(1, sizeof *core);
    if (core == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the hub's core");
        return NULL;
    }
    core->options = *options;
    core->store_healthy = true;
    if (!allocate(core)) {
        hub_core_destroy(core);
        (void)error_set(error, ERROR_MEMORY, "no memory for %zu entries and %zu waiters",
                        options->entries_max, options->waiters_max);
        return NULL;
    }
    link_free_waiters(core);
    return core;
}

void hub_core_destroy(struct hub_core *core)
{
    if (core == NULL)
        return;
    if (core->sponsors != NULL)
        table_each(core->sponsors, sponsor_destroy, NULL);
    table_destroy(core->sponsors);
    heap_destroy(core->chain_timers);
    table_destroy(core->by_account);
    free(core->chains);
    heap_destroy(core->waiter_timers);
    heap_destroy(core->entry_timers);
    table_destroy(core->by_root);
    free(core->actions);
    free(core->waiters);
    free(core->entries);
    free(core);
}

void core_begin_event(struct hub_core *core)
{
    core->action_count = 0;
}

struct hub_action *core_act(struct hub_core *core, enum hub_action_kind kind)
{
    assert(core->action_count < core->action_capacity);
    struct hub_action *action = &core->actions[core->action_count++];
    memset(action, 0, sizeof *action);
    action->kind = kind;
    return action;
}

struct hub_actions hub_core_actions(const struct hub_core *core)
{
    return (struct hub_actions){core->actions, core->action_count};
}

void core_arm(struct hub_core *core, struct heap *heap, struct heap_item *timer, uint64_t when_us)
{
    core_disarm(heap, timer);
    timer->key = when_us;
    timer->sequence = core->timer_sequence++;
    const bool inserted = heap_insert(heap, timer);
    assert(inserted && "a heap has room for every item of its pool");
    (void)inserted;
}

void core_disarm(struct heap *heap, struct heap_item *timer)
{
    if (heap_contains(heap, timer))
        heap_remove(heap, timer);
}

uint64_t hub_core_next_timer(const struct hub_core *core)
{
    const struct heap *const heaps[] = {core->entry_timers, core->waiter_timers,
                                        core->chain_timers};
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < sizeof heaps / sizeof heaps[0]; i++) {
        const struct heap_item *first = heap_min(heaps[i]);
        if (first != NULL && first->key < next)
            next = first->key;
    }
    return next;
}

void hub_core_timer(struct hub_core *core, uint64_t now_us)
{
    core_begin_event(core);
    struct heap_item *due;
    while ((due = heap_min(core->waiter_timers)) != NULL && due->key <= now_us) {
        heap_remove(core->waiter_timers, due);
        waiter_timer(core, CONTAINER_OF(due, struct waiter, timer), now_us);
    }
    while ((due = heap_min(core->entry_timers)) != NULL && due->key <= now_us) {
        heap_remove(core->entry_timers, due);
        entry_timer(core, CONTAINER_OF(due, struct entry, timer), now_us);
    }
    while ((due = heap_min(core->chain_timers)) != NULL && due->key <= now_us) {
        heap_remove(core->chain_timers, due);
        chain_timer(core, CONTAINER_OF(due, struct chain, timer), now_us);
    }
    precache_fill(core, now_us);
}

void hub_core_stats(const struct hub_core *core, struct hub_core_stats *stats)
{
    *stats = core->stats;
}

void hub_core_restore_rewarded(struct hub_core *core, const struct work_counts *rewarded)
{
    core->stats.rewarded = *rewarded;
}

void hub_core_broker_back(struct hub_core *core)
{
    core_begin_event(core);
    for (struct entry *entry = core->wanted; entry != NULL; entry = entry->wanted_next)
        entry_ask_workers(core, entry);
}

void hub_core_store_health(struct hub_core *core, bool healthy)
{
    core_begin_event(core);
    core->store_healthy = healthy;
}

void hub_core_drain(struct hub_core *core)
{
    core_begin_event(core);
    core->draining = true;
}

bool hub_core_drained(const struct hub_core *core)
{
    return core->stats.waiters == 0;
}

bool hub_core_has_work(const struct hub_core *core, uint64_t now_us, const struct root *root,
                       uint64_t threshold)
{
    const struct entry *entry = entry_find(core, root);
    return entry != NULL && entry->has_work && entry->value >= threshold &&
           entry->expires_us > now_us;
}

void hub_core_abort(struct hub_core *core)
{
    core_begin_event(core);
    core->draining = true;
    while (core->wanted != NULL) {
        struct entry *entry = core->wanted;
        while (entry->waiters != NULL) {
            struct waiter *waiter = entry->waiters;
            waiter_detach(waiter);
            waiter_finish(core, waiter, HUB_ANSWER_STOPPED);
        }
        entry_cancel_workers(core, entry);
        entry_unwant(core, entry);
        entry_settle(core, entry);
    }
    for (size_t i = 0; i < core->options.waiters_max; i++)
        if (core->waiters[i].state == WAITER_HELD)
            waiter_finish(core, &core->waiters[i], HUB_ANSWER_STOPPED);
}
