/* What is made ahead: which roots, how many, and in what order they are asked for. */
#include "hub/core_internal.h"

#define HOUR_US ((uint64_t)3600 * 1000000)

/* A part of the entries is left to what services wait for. */
enum { QUEUED_PARTS = 4 };

/* A rested account or service may start half an hour's worth at once. */
static bool may_start(uint64_t next_us, uint64_t per_hour, uint64_t now_us)
{
    return per_hour > 0 && next_us <= now_us + HOUR_US / 2;
}

static void start(uint64_t *next_us, uint64_t per_hour, uint64_t now_us)
{
    const uint64_t from_us = *next_us > now_us ? *next_us : now_us;
    *next_us = from_us + HOUR_US / per_hour;
}

static bool within_limits(struct hub_core *core, struct chain *chain, uint64_t now_us)
{
    struct sponsor *sponsor = chain->sponsor;
    const uint64_t chain_rate = core->options.chain_works_per_hour;
    const uint64_t sponsor_rate = sponsor->policy.works_per_hour;
    if (!may_start(chain->next_us, chain_rate, now_us) ||
        !may_start(sponsor->next_us, sponsor_rate, now_us) ||
        core->stats.queued >= core->options.entries_max / QUEUED_PARTS)
        return false;
    start(&chain->next_us, chain_rate, now_us);
    start(&sponsor->next_us, sponsor_rate, now_us);
    return true;
}

/* Whether the service wants the next work of this account now. */
static bool is_due(const struct chain *chain, uint64_t now_us)
{
    const struct precache_policy *policy = &chain->sponsor->policy;
    if (policy->mode == PRECACHE_USED)
        return now_us - chain->used_us <= (uint64_t)policy->period_s * 1000000;
    return policy->mode == PRECACHE_ALWAYS;
}

/* What is solved or wanted already is left as it is (dpow.md 11, defect 4). */
void precache_frontier(struct hub_core *core, struct chain *chain, uint64_t now_us)
{
    if (root_is_zero(&chain->frontier) || !is_due(chain, now_us))
        return;
    struct entry *entry = entry_find(core, &chain->frontier);
    if (entry == NULL) {
        if (!core->store_healthy || !within_limits(core, chain, now_us) ||
            (entry = entry_obtain(core, &chain->frontier)) == NULL) {
            core->stats.precache_refused++;
            return;
        }
        core->stats.precache_started++;
        entry->state = ENTRY_LINGERING;
    }
    entry->ahead = true;
    entry->service_id = chain->sponsor->service_id;
    if (entry->state == ENTRY_LINGERING && !precache_queue(core, entry) && !entry->has_work)
        entry_free(core, entry);
}

/* Ends a search that nobody waits for. */
static void stop(struct hub_core *core, struct entry *entry)
{
    entry->ahead = false;
    if (entry->waiters != NULL)
        return;
    if (entry->state == ENTRY_WANTED) {
        entry_cancel_workers(core, entry);
        entry_unwant(core, entry);
    } else if (entry->state == ENTRY_QUEUED) {
        precache_unqueue(core, entry);
    } else {
        return;
    }
    entry_settle(core, entry);
}

/* The chain is about to go on: nobody will ask for its frontier any more, except who waits for it
 * now. What another service was the first to ask for stays: this one's word does not make it a head
 * of its chain. */
void precache_drop(struct hub_core *core, const struct chain *chain)
{
    struct entry *entry = entry_find(core, &chain->frontier);
    if (entry == NULL || entry->service_id != chain->sponsor->service_id)
        return;
    if (entry->ahead && entry->has_work) {
        core->stats.precache_used += entry->used ? 1 : 0;
        core->stats.precache_unused += entry->used ? 0 : 1;
    }
    if (entry->state != ENTRY_IDLE) {
        stop(core, entry);
        return;
    }
    entry_list_remove(&core->idle, entry);
    entry_free(core, entry);
}

/* Nobody follows this chain any more; what has been found stays for whoever asks. */
void precache_stop(struct hub_core *core, const struct root *root)
{
    struct entry *entry = entry_find(core, root);
    if (entry != NULL)
        stop(core, entry);
}

/* Lets an entry wait for its turn, if it is a frontier that holds no work that is good enough, and
 * none that has been used: the block is being made then. */
bool precache_queue(struct hub_core *core, struct entry *entry)
{
    const struct sponsor *sponsor = entry->ahead ? sponsor_find(core, entry->service_id) : NULL;
    if (sponsor == NULL || sponsor->policy.mode == PRECACHE_OFF || entry->used)
        return false;
    const uint64_t target =
        sponsor->policy.receive ? core->options.receive_threshold : core->options.send_threshold;
    if (entry->has_work && entry->value >= target)
        return false;
    core_disarm(core->entry_timers, &entry->timer);
    entry->state = ENTRY_QUEUED;
    entry->type = WORK_PRECACHE;
    entry->target = target;
    entry_list_append(&core->queued, entry);
    core->stats.queued++;
    return true;
}

void precache_unqueue(struct hub_core *core, struct entry *entry)
{
    entry_list_remove(&core->queued, entry);
    core->stats.queued--;
    entry->state = ENTRY_LINGERING;
}

/* What workers have not found for long makes room for others that wait; what may not be made ahead
 * any more is given up. */
bool precache_next_turn(struct hub_core *core, struct entry *entry, uint64_t now_us)
{
    if (entry->type != WORK_PRECACHE)
        return false;
    if (!sponsor_may_precache(core, entry->service_id)) {
        stop(core, entry);
        return true;
    }
    if (core->queued.oldest == NULL || now_us - entry->since_us < core->options.precache_us)
        return false;
    entry_cancel_workers(core, entry);
    entry_unwant(core, entry);
    entry_settle(core, entry);
    return true;
}

void precache_fill(struct hub_core *core, uint64_t now_us)
{
    while (core->queued.oldest != NULL && !core->draining && core->store_healthy &&
           core->stats.precaching < core->options.precache_parallel) {
        struct entry *entry = core->queued.oldest;
        if (sponsor_may_precache(core, entry->service_id)) {
            entry_want(core, entry, WORK_PRECACHE, entry->target, now_us);
            continue;
        }
        precache_unqueue(core, entry);
        entry->ahead = false;
        entry_settle(core, entry);
    }
}
