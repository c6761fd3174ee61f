#include "hub/core_internal.h"

/* What is made ahead is asked for again less often: there may be much of it, and no hurry. */
enum { PRECACHE_REASK_PAUSES = 15 };

struct entry *entry_find(const struct hub_core *core, const struct root *root)
{
    return table_find(core->by_root, root->bytes);
}

void entry_list_append(struct entry_list *list, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = list->newest;
    if (list->newest != NULL)
        list->newest->newer = entry;
    else
        list->oldest = entry;
    list->newest = entry;
}

void entry_list_remove(struct entry_list *list, struct entry *entry)
{
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        list->oldest = entry->newer;
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        list->newest = entry->older;
    entry->older = NULL;
    entry->newer = NULL;
}

/* An entry is in the idle list exactly while it is IDLE and holds a work. */
void entry_free(struct hub_core *core, struct entry *entry)
{
    assert(entry->waiters == NULL && entry->state != ENTRY_WANTED && entry->state != ENTRY_QUEUED);
    core_disarm(core->entry_timers, &entry->timer);
    table_remove(core->by_root, entry->root.bytes);
    entry->older = core->free_entries;
    core->free_entries = entry;
    core->stats.entries--;
}

static struct entry *take_slot(struct hub_core *core)
{
    struct entry *entry = core->free_entries;
    if (entry != NULL)
        core->free_entries = entry->older;
    else if (core->entries_begun < core->options.entries_max)
        entry = &core->entries[core->entries_begun++];
    return entry;
}

static struct entry *take_any_slot(struct hub_core *core)
{
    struct entry *entry = take_slot(core);
    struct entry *oldest = core->idle.oldest;
    if (entry != NULL || oldest == NULL)
        return entry;
    entry_list_remove(&core->idle, oldest);
    entry_free(core, oldest);
    return take_slot(core);
}

struct entry *entry_obtain(struct hub_core *core, const struct root *root)
{
    struct entry *entry = entry_find(core, root);
    if (entry != NULL)
        return entry;
    entry = take_any_slot(core);
    if (entry == NULL)
        return NULL;
    const bool inserted = table_insert(core->by_root, root->bytes, entry);
    assert(inserted && "the table has room for every entry");
    (void)inserted;
    *entry = (struct entry){.root = *root, .timer = entry->timer};
    core->stats.entries++;
    return entry;
}

void entry_ask_workers(struct hub_core *core, struct entry *entry)
{
    struct hub_action *action = core_act(core, HUB_WORK);
    action->work.root = entry->root;
    action->work.threshold = entry->target;
    action->work.type = entry->type;
    entry->asked |= 1U << entry->type;
}

/* Under each type under which workers were asked: some listen to one only. */
void entry_cancel_workers(struct hub_core *core, struct entry *entry)
{
    for (int type = 0; type < WORK_TYPES; type++) {
        if ((entry->asked & 1U << type) == 0)
            continue;
        struct hub_action *action = core_act(core, HUB_CANCEL);
        action->work.root = entry->root;
        action->work.type = (enum work_type)type;
    }
    entry->asked = 0;
}

static void ask_again_later(struct hub_core *core, struct entry *entry, uint64_t now_us)
{
    const unsigned pauses = entry->type == WORK_PRECACHE ? PRECACHE_REASK_PAUSES : 1;
    core_arm(core, core->entry_timers, &entry->timer, now_us + pauses * core->options.reask_us);
}

void entry_want(struct hub_core *core, struct entry *entry, enum work_type type, uint64_t target,
                uint64_t now_us)
{
    assert(entry->state != ENTRY_WANTED);
    if (entry->state == ENTRY_IDLE && entry->has_work)
        entry_list_remove(&core->idle, entry);
    if (entry->state == ENTRY_QUEUED)
        precache_unqueue(core, entry);
    entry->state = ENTRY_WANTED;
    entry->type = type;
    entry->target = target;
    entry->since_us = now_us;
    core->stats.precaching += type == WORK_PRECACHE ? 1 : 0;
    ask_again_later(core, entry, now_us);
    entry->wanted_previous = NULL;
    entry->wanted_next = core->wanted;
    if (core->wanted != NULL)
        core->wanted->wanted_previous = entry;
    core->wanted = entry;
    core->stats.wanted++;
    entry_ask_workers(core, entry);
}

/* Workers ignore a root that they hold already, so a new threshold takes a cancel first
 * (dpow.md 4). */
void entry_retarget(struct hub_core *core, struct entry *entry, uint64_t target)
{
    assert(entry->state == ENTRY_WANTED);
    if (target == entry->target)
        return;
    entry_cancel_workers(core, entry);
    entry->target = target;
    entry_ask_workers(core, entry);
}

/* A waiter has come to a search. One that was made ahead becomes urgent, and is for no more than
 * the waiter needs. */
void entry_join(struct hub_core *core, struct entry *entry, uint64_t threshold, uint64_t now_us)
{
    if (entry->type == WORK_ONDEMAND) {
        if (threshold > entry->target)
            entry_retarget(core, entry, threshold);
        return;
    }
    core->stats.precaching--;
    entry->type = WORK_ONDEMAND;
    if (threshold != entry->target)
        entry_cancel_workers(core, entry);
    entry->target = threshold;
    entry_ask_workers(core, entry);
    ask_again_later(core, entry, now_us);
}

void entry_unwant(struct hub_core *core, struct entry *entry)
{
    assert(entry->state == ENTRY_WANTED && entry->waiters == NULL);
    if (entry->wanted_previous != NULL)
        entry->wanted_previous->wanted_next = entry->wanted_next;
    else
        core->wanted = entry->wanted_next;
    if (entry->wanted_next != NULL)
        entry->wanted_next->wanted_previous = entry->wanted_previous;
    core_disarm(core->entry_timers, &entry->timer);
    entry->state = ENTRY_LINGERING;
    entry->asked = 0;
    core->stats.wanted--;
    core->stats.precaching -= entry->type == WORK_PRECACHE ? 1 : 0;
}

void entry_linger(struct hub_core *core, struct entry *entry, uint64_t now_us)
{
    entry_cancel_workers(core, entry);
    entry_unwant(core, entry);
    core_arm(core, core->entry_timers, &entry->timer, now_us + core->options.linger_us);
}

void entry_keep_work(struct entry *entry, uint64_t nonce, uint64_t value, uint64_t expires_us)
{
    if (entry->has_work && entry->value >= value)
        return;
    entry->has_work = true;
    entry->durable = false;
    entry->nonce = nonce;
    entry->value = value;
    entry->expires_us = expires_us;
}

/* The caller goes on to want the entry, or to give it another work: IDLE without one does not
 * last.*/
void entry_forget_expired(struct hub_core *core, struct entry *entry, uint64_t now_us)
{
    if (!entry->has_work || entry->expires_us > now_us)
        return;
    if (entry->state == ENTRY_IDLE)
        entry_list_remove(&core->idle, entry);
    entry->has_work = false;
}

/* Ends LINGERING: work that was to be made ahead waits for its turn again, an entry with a work
 * stays as a cache, one without is forgotten. */
void entry_settle(struct hub_core *core, struct entry *entry)
{
    assert(entry->state == ENTRY_LINGERING && entry->waiters == NULL);
    if (precache_queue(core, entry))
        return;
    if (!entry->has_work) {
        entry_free(core, entry);
        return;
    }
    entry->state = ENTRY_IDLE;
    entry_list_append(&core->idle, entry);
    core_arm(core, core->entry_timers, &entry->timer, entry->expires_us);
}

void entry_timer(struct hub_core *core, struct entry *entry, uint64_t now_us)
{
    if (entry->state == ENTRY_WANTED) {
        if (precache_next_turn(core, entry, now_us))
            return;
        entry_ask_workers(core, entry);
        ask_again_later(core, entry, now_us);
        return;
    }
    if (entry->has_work && entry->expires_us <= now_us) {
        if (entry->state == ENTRY_IDLE)
            entry_list_remove(&core->idle, entry);
        entry_free(core, entry);
        return;
    }
    entry_settle(core, entry);
}

void hub_core_restore_work(struct hub_core *core, uint64_t now_us, const struct root *root,
                           uint64_t nonce, enum work_type type, int64_t service_id, uint64_t ttl_us)
{
    core_begin_event(core);
    if (core->stats.entries >= core->options.entries_max || entry_find(core, root) != NULL)
        return;
    struct entry *entry = entry_obtain(core, root);
    if (entry == NULL)
        return;
    entry->type = type;
    entry->service_id = service_id;
    entry->state = ENTRY_LINGERING;
    entry_keep_work(entry, nonce, work_value(nonce, root), now_us + ttl_us);
    entry->durable = true;
    entry_settle(core, entry);
}
