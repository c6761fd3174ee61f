#include "hub/core_internal.h"

struct entry *entry_find(const struct hub_core *core, const struct root *root)
{
    return table_find(core->by_root, root->bytes);
}

static void idle_link(struct hub_core *core, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = core->newest_idle;
    if (core->newest_idle != NULL)
        core->newest_idle->newer = entry;
    else
        core->oldest_idle = entry;
    core->newest_idle = entry;
}

static void idle_unlink(struct hub_core *core, struct entry *entry)
{
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        core->oldest_idle = entry->newer;
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        core->newest_idle = entry->older;
    entry->older = NULL;
    entry->newer = NULL;
}

/* An entry is in the idle list exactly while it is IDLE and holds a work. */
static void entry_free(struct hub_core *core, struct entry *entry)
{
    assert(entry->waiters == NULL && entry->state != ENTRY_WANTED);
    core_disarm(core->entry_timers, &entry->timer);
    table_remove(core->by_root, entry->root.bytes);
    entry->older = core->free_entries;
    core->free_entries = entry;
    core->stats.entries--;
}

static bool make_room(struct hub_core *core)
{
    if (core->free_entries != NULL)
        return true;
    struct entry *oldest = core->oldest_idle;
    if (oldest == NULL)
        return false;
    idle_unlink(core, oldest);
    entry_free(core, oldest);
    return true;
}

struct entry *entry_obtain(struct hub_core *core, const struct root *root)
{
    struct entry *entry = entry_find(core, root);
    if (entry != NULL)
        return entry;
    if (!make_room(core))
        return NULL;
    entry = core->free_entries;
    if (!table_insert(core->by_root, root->bytes, entry))
        return NULL;
    core->free_entries = entry->older;
    *entry = (struct entry){.root = *root, .timer = entry->timer};
    core->stats.entries++;
    return entry;
}

void entry_ask_workers(struct hub_core *core, const struct entry *entry)
{
    struct hub_action *action = core_act(core, HUB_WORK);
    action->work.root = entry->root;
    action->work.threshold = entry->target;
    action->work.type = entry->type;
}

void entry_cancel_workers(struct hub_core *core, const struct entry *entry)
{
    struct hub_action *action = core_act(core, HUB_CANCEL);
    action->work.root = entry->root;
    action->work.type = entry->type;
}

static void ask_again_later(struct hub_core *core, struct entry *entry, uint64_t now_us)
{
    core_arm(core, core->entry_timers, &entry->timer, now_us + core->options.reask_us);
}

void entry_want(struct hub_core *core, struct entry *entry, enum work_type type, uint64_t target,
                uint64_t now_us)
{
    assert(entry->state != ENTRY_WANTED);
    ask_again_later(core, entry, now_us);
    if (entry->state == ENTRY_IDLE && entry->has_work)
        idle_unlink(core, entry);
    entry->state = ENTRY_WANTED;
    entry->type = type;
    entry->target = target;
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
    core->stats.wanted--;
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
        idle_unlink(core, entry);
    entry->has_work = false;
}

/* Ends LINGERING: an entry with a work stays as a cache, one without is forgotten. */
void entry_settle(struct hub_core *core, struct entry *entry)
{
    assert(entry->state == ENTRY_LINGERING && entry->waiters == NULL);
    if (!entry->has_work) {
        entry_free(core, entry);
        return;
    }
    entry->state = ENTRY_IDLE;
    idle_link(core, entry);
    core_arm(core, core->entry_timers, &entry->timer, entry->expires_us);
}

void entry_timer(struct hub_core *core, struct entry *entry, uint64_t now_us)
{
    if (entry->state == ENTRY_WANTED) {
        entry_ask_workers(core, entry);
        ask_again_later(core, entry, now_us);
        return;
    }
    if (entry->has_work && entry->expires_us <= now_us) {
        if (entry->state == ENTRY_IDLE)
            idle_unlink(core, entry);
        entry_free(core, entry);
        return;
    }
    entry_settle(core, entry);
}

void hub_core_restore_work(struct hub_core *core, uint64_t now_us, const struct root *root,
                           uint64_t nonce, enum work_type type, uint64_t ttl_us)
{
    core_begin_event(core);
    if (core->free_entries == NULL || entry_find(core, root) != NULL)
        return;
    struct entry *entry = entry_obtain(core, root);
    if (entry == NULL)
        return;
    entry->type = type;
    entry->state = ENTRY_LINGERING;
    entry_keep_work(entry, nonce, work_value(nonce, root), now_us + ttl_us);
    entry_settle(core, entry);
}
