#include "hub/core_internal.h"

/* Whether a value helps anybody, and the most demanding threshold it meets: what the finder is
 * credited with. */
static bool meets(const struct entry *entry, uint64_t value, uint64_t *threshold)
{
    bool useful = value >= entry->target;
    uint64_t met = useful ? entry->target : 0;
    for (const struct waiter *waiter = entry->waiters; waiter != NULL; waiter = waiter->next) {
        if (waiter->request.threshold > value)
            continue;
        useful = true;
        if (waiter->request.threshold > met)
            met = waiter->request.threshold;
    }
    *threshold = met;
    return useful;
}

static void store_work(struct hub_core *core, const struct entry *entry, uint64_t nonce,
                       uint64_t value, uint64_t threshold, const struct account *account)
{
    core->stats.storing++;
    struct hub_action *action = core_act(core, HUB_STORE_WORK);
    action->store_work.root = entry->root;
    action->store_work.nonce = nonce;
    action->store_work.value = value;
    action->store_work.threshold = threshold;
    action->store_work.type = entry->type;
    action->store_work.service_id = entry->service_id;
    action->store_work.ttl_us = core->options.cache_us;
    if (account != NULL) {
        action->store_work.account = *account;
        action->store_work.has_account = true;
    }
}

/* Whoever this value satisfies gets the best work at hand: the present one, or a better one. */
static void answer_satisfied(struct hub_core *core, struct entry *entry, uint64_t value,
                             uint64_t now_us)
{
    struct waiter *next;
    for (struct waiter *waiter = entry->waiters; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (waiter->request.threshold > value)
            continue;
        waiter_detach(waiter);
        waiter_start_answer(core, waiter, entry, entry->type, now_us);
        entry->used = true;
    }
}

enum hub_verdict hub_core_result(struct hub_core *core, uint64_t now_us, const struct root *root,
                                 uint64_t nonce, const struct account *account)
{
    core_begin_event(core);
    struct entry *entry = entry_find(core, root);
    if (entry == NULL || entry->state == ENTRY_IDLE ||
        (entry->waiters == NULL && core->stats.storing >= core->options.waiters_max)) {
        core->stats.results[HUB_RESULT_UNWANTED]++;
        return HUB_RESULT_UNWANTED;
    }
    const uint64_t value = work_value(nonce, root);
    uint64_t threshold;
    if (!meets(entry, value, &threshold)) {
        core->stats.results[HUB_RESULT_WEAK]++;
        return HUB_RESULT_WEAK;
    }
    core->stats.results[HUB_RESULT_ACCEPTED]++;
    if (entry->state == ENTRY_WANTED && value >= entry->target)
        entry_cancel_workers(core, entry);
    store_work(core, entry, nonce, value, threshold, account);
    entry_forget_expired(core, entry, now_us);
    entry_keep_work(entry, nonce, value, now_us + core->options.cache_us);
    answer_satisfied(core, entry, value, now_us);
    if (entry->waiters != NULL) {
        /* The finder has stopped; whoever else searches goes on and ignores this. */
        entry_ask_workers(core, entry);
        return HUB_RESULT_ACCEPTED;
    }
    if (entry->state == ENTRY_WANTED)
        entry_unwant(core, entry);
    else if (entry->state == ENTRY_QUEUED)
        precache_unqueue(core, entry);
    entry_settle(core, entry);
    precache_fill(core, now_us);
    return HUB_RESULT_ACCEPTED;
}

void hub_core_work_stored(struct hub_core *core, const struct hub_stored_work *work)
{
    core_begin_event(core);
    core->stats.storing--;
    struct entry *entry = entry_find(core, &work->root);
    if (entry != NULL && work->durable && entry->has_work && entry->nonce == work->nonce)
        entry->durable = true;
    if (work->totals == NULL)
        return;
    core->stats.rewarded.of[work->type]++;
    struct hub_action *action = core_act(core, HUB_REWARD);
    action->reward.account = work->account;
    action->reward.root = work->root;
    action->reward.totals = *work->totals;
}
