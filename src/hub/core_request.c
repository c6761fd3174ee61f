#include "hub/core_internal.h"

struct waiter *waiter_find(const struct hub_core *core, waiter_id id)
{
    const size_t slot = (size_t)(id & UINT32_MAX);
    if (slot == 0 || slot > core->options.waiters_max)
        return NULL;
    struct waiter *waiter = &core->waiters[slot - 1];
    return waiter->id == id && waiter->state != WAITER_FREE ? waiter : NULL;
}

static struct waiter *waiter_obtain(struct hub_core *core, const struct hub_request *request)
{
    struct waiter *waiter = core->free_waiters;
    if (waiter == NULL)
        return NULL;
    core->free_waiters = waiter->next;
    core->stats.waiters++;
    *waiter = (struct waiter){.id = waiter->id, .request = *request, .timer = waiter->timer};
    return waiter;
}

void waiter_release(struct hub_core *core, struct waiter *waiter)
{
    assert(waiter->entry == NULL);
    core_disarm(core->waiter_timers, &waiter->timer);
    waiter->state = WAITER_FREE;
    waiter->id += (waiter_id)1 << 32;
    waiter->next = core->free_waiters;
    core->free_waiters = waiter;
    core->stats.waiters--;
}

static void waiter_attach(struct waiter *waiter, struct entry *entry)
{
    waiter->entry = entry;
    waiter->previous = NULL;
    waiter->next = entry->waiters;
    if (entry->waiters != NULL)
        entry->waiters->previous = waiter;
    entry->waiters = waiter;
    entry->waiter_count++;
}

void waiter_detach(struct waiter *waiter)
{
    struct entry *entry = waiter->entry;
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        entry->waiters = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    entry->waiter_count--;
    waiter->entry = NULL;
}

static void reply(struct hub_core *core, const struct hub_request *request, enum hub_answer answer)
{
    struct hub_action *action = core_act(core, HUB_REPLY);
    action->reply.token = request->token;
    action->reply.service_id = request->service_id;
    action->reply.answer = answer;
    action->reply.root = request->root;
    core->stats.answers[answer]++;
}

void waiter_finish(struct hub_core *core, struct waiter *waiter, enum hub_answer answer)
{
    reply(core, &waiter->request, answer);
    struct hub_action *action = &core->actions[core->action_count - 1];
    action->reply.type = waiter->type;
    action->reply.nonce = waiter->nonce;
    waiter_release(core, waiter);
}

static struct hub_action *act_on_answer(struct hub_core *core, enum hub_action_kind kind,
                                        const struct waiter *waiter)
{
    struct hub_action *action = core_act(core, kind);
    action->store_answer.waiter = waiter->id;
    action->store_answer.service_id = waiter->request.service_id;
    action->store_answer.type = waiter->type;
    action->store_answer.root = waiter->request.root;
    action->store_answer.charged = waiter->charged;
    return action;
}

void waiter_start_answer(struct hub_core *core, struct waiter *waiter, const struct entry *entry,
                         enum work_type type, uint64_t now_us)
{
    waiter->state = WAITER_ANSWERING;
    waiter->nonce = entry->nonce;
    waiter->type = type;
    core_arm(core, core->waiter_timers, &waiter->timer,
             waiter->request.deadline_us + core->options.grace_us);
    act_on_answer(core, HUB_STORE_ANSWER, waiter)->store_answer.ttl_us =
        entry->expires_us > now_us ? entry->expires_us - now_us : 0;
}

/* Joins the search for a root, or starts it. */
static void wait_for_work(struct hub_core *core, struct waiter *waiter, struct entry *entry,
                          uint64_t now_us)
{
    const uint64_t threshold = waiter->request.threshold;
    waiter->state = WAITER_WAITING;
    waiter_attach(waiter, entry);
    core_arm(core, core->waiter_timers, &waiter->timer, waiter->request.deadline_us);
    if (entry->state != ENTRY_WANTED)
        entry_want(core, entry, WORK_ONDEMAND, threshold, now_us);
    else
        entry_join(core, entry, threshold, now_us);
}

/* The work is durable and costs nothing: there is nothing to wait for. */
static void answer_at_once(struct hub_core *core, struct waiter *waiter, const struct entry *entry)
{
    struct hub_action *action = core_act(core, HUB_COUNT_ANSWER);
    action->count_answer.service_id = waiter->request.service_id;
    action->count_answer.type = WORK_PRECACHE;
    waiter->type = WORK_PRECACHE;
    waiter->nonce = entry->nonce;
    waiter_finish(core, waiter, HUB_ANSWER_WORK);
}

/* The next work may be made ahead, by the account or by this root as the next block's previous.
 * Nothing follows zeros, which stand before every account's first block. The account that makes
 * room for another may have had this very root made ahead, and takes an entry that nobody waits for
 * along: the caller is done with it. */
static void note_sponsor(struct hub_core *core, const struct hub_request *request,
                         struct entry *entry, uint64_t now_us)
{
    if ((entry->service_id != 0 && !request->has_account) || root_is_zero(&request->root) ||
        !sponsor_may_precache(core, request->service_id))
        return;
    if (entry->service_id == 0)
        entry->service_id = request->service_id;
    chain_note_request(core, request, now_us);
}

static void begin(struct hub_core *core, struct waiter *waiter, uint64_t now_us)
{
    const struct hub_request request = waiter->request;
    if (request.deadline_us <= now_us) {
        waiter_finish(core, waiter, HUB_ANSWER_TIMEOUT);
        return;
    }
    struct entry *entry = entry_obtain(core, &request.root);
    if (entry == NULL || entry->waiter_count >= core->options.waiters_per_entry_max) {
        waiter_finish(core, waiter, HUB_ANSWER_BUSY);
        return;
    }
    entry_forget_expired(core, entry, now_us);
    if (entry->has_work && entry->value >= request.threshold) {
        entry->used = true;
        if (request.free && entry->durable)
            answer_at_once(core, waiter, entry);
        else
            waiter_start_answer(core, waiter, entry, WORK_PRECACHE, now_us);
    } else {
        wait_for_work(core, waiter, entry, now_us);
    }
    note_sponsor(core, &request, entry, now_us);
}

waiter_id hub_core_request(struct hub_core *core, uint64_t now_us,
                           const struct hub_request *request)
{
    core_begin_event(core);
    core->stats.requests++;
    if (core->draining) {
        reply(core, request, HUB_ANSWER_STOPPED);
        return 0;
    }
    const bool storable = core->store_healthy && core->stats.storing < core->options.waiters_max;
    struct waiter *waiter = storable ? waiter_obtain(core, request) : NULL;
    if (waiter == NULL) {
        reply(core, request, HUB_ANSWER_BUSY);
        return 0;
    }
    const waiter_id id = waiter->id;
    if (request->start_us > now_us) {
        waiter->state = WAITER_HELD;
        core_arm(core, core->waiter_timers, &waiter->timer, request->start_us);
    } else {
        begin(core, waiter, now_us);
        precache_fill(core, now_us);
    }
    return waiter_find(core, id) != NULL ? id : 0;
}

/* After a waiter went: the workers need not do more than the most demanding one left asks. */
static void relax(struct hub_core *core, struct entry *entry, uint64_t gone_threshold,
                  uint64_t now_us)
{
    if (entry->waiters == NULL) {
        entry_linger(core, entry, now_us);
        return;
    }
    if (gone_threshold < entry->target)
        return;
    uint64_t target = 0;
    for (const struct waiter *waiter = entry->waiters; waiter != NULL; waiter = waiter->next)
        if (waiter->request.threshold > target)
            target = waiter->request.threshold;
    entry_retarget(core, entry, target);
}

static void withdraw(struct hub_core *core, struct waiter *waiter, uint64_t now_us)
{
    struct entry *entry = waiter->entry;
    waiter_detach(waiter);
    relax(core, entry, waiter->request.threshold, now_us);
}

bool hub_core_leave(struct hub_core *core, uint64_t now_us, waiter_id id)
{
    core_begin_event(core);
    struct waiter *waiter = waiter_find(core, id);
    if (waiter == NULL || waiter->left || waiter->state >= WAITER_FORSAKEN)
        return false;
    core->stats.left++;
    if (waiter->state == WAITER_ANSWERING) {
        waiter->left = true;
        return true;
    }
    if (waiter->state == WAITER_WAITING)
        withdraw(core, waiter, now_us);
    waiter_release(core, waiter);
    precache_fill(core, now_us);
    return true;
}

void hub_core_revoke(struct hub_core *core, uint64_t now_us, int64_t service_id,
                     enum hub_answer answer)
{
    core_begin_event(core);
    for (size_t i = 0; i < core->options.waiters_max; i++) {
        struct waiter *waiter = &core->waiters[i];
        if ((waiter->state != WAITER_HELD && waiter->state != WAITER_WAITING) ||
            waiter->request.service_id != service_id)
            continue;
        if (waiter->state == WAITER_WAITING)
            withdraw(core, waiter, now_us);
        waiter_finish(core, waiter, answer);
    }
}

/* The answer is on its way into the store, which does not commit: whoever waits is told that it
 * failed, and the count is taken back once it is made. Nobody is told when the service has left. */
static void forsake(struct hub_core *core, struct waiter *waiter)
{
    if (waiter->left)
        return;
    reply(core, &waiter->request, HUB_ANSWER_FAILED);
    waiter->state = WAITER_FORSAKEN;
}

void waiter_timer(struct hub_core *core, struct waiter *waiter, uint64_t now_us)
{
    switch (waiter->state) {
    case WAITER_HELD:
        begin(core, waiter, now_us);
        return;
    case WAITER_WAITING:
        withdraw(core, waiter, now_us);
        waiter_finish(core, waiter, HUB_ANSWER_TIMEOUT);
        return;
    case WAITER_ANSWERING:
        forsake(core, waiter);
        return;
    case WAITER_FORSAKEN:
    case WAITER_TAKING_BACK:
    case WAITER_FREE:
        assert(!"a waiter in this state has no timer");
    }
}

/* What the store says of a request that has been told "failed" already. */
static void take_back(struct hub_core *core, struct waiter *waiter, enum hub_stored stored)
{
    if (waiter->state == WAITER_TAKING_BACK || stored != HUB_STORED) {
        waiter_release(core, waiter);
        return;
    }
    waiter->state = WAITER_TAKING_BACK;
    (void)act_on_answer(core, HUB_STORE_UNANSWER, waiter);
}

void hub_core_answer_stored(struct hub_core *core, waiter_id id, enum hub_stored stored,
                            bool charged)
{
    static const enum hub_answer answers[] = {
        [HUB_STORED] = HUB_ANSWER_WORK,
        [HUB_STORED_NO_SERVICE] = HUB_ANSWER_REVOKED,
        [HUB_STORED_NO_CREDIT] = HUB_ANSWER_NO_CREDIT,
        [HUB_NOT_STORED] = HUB_ANSWER_FAILED,
    };
    core_begin_event(core);
    struct waiter *waiter = waiter_find(core, id);
    if (waiter == NULL)
        return;
    assert(waiter->state >= WAITER_ANSWERING);
    if (waiter->state != WAITER_TAKING_BACK)
        waiter->charged = charged;
    if (waiter->state != WAITER_ANSWERING)
        take_back(core, waiter, stored);
    else if (waiter->left)
        waiter_release(core, waiter);
    else
        waiter_finish(core, waiter, answers[stored]);
}
