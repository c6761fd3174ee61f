#include "worker/worker_core.h"

#include "base/random.h"
#include "base/table.h"

#include <assert.h>
#include <stdlib.h>

enum item_state { ITEM_FREE, ITEM_WAITING, ITEM_SEARCHING };

/* One root that is held. */
struct item {
    enum item_state state;
    struct root root;
    uint64_t threshold;
    enum work_type type;
    uint64_t age; /* Order of arrival. */
    size_t index; /* WAITING: in its type's list. */
    struct item *next_free;
};

/* What runs, or is being stopped, for one type. */
struct search {
    struct item *item;  /* NULL: nothing, or what runs is not wanted any more. */
    bool running;       /* Its end has not been told. */
    uint64_t threshold; /* What it searches for; the item's may have risen since. */
};

struct result {
    struct root root;
    uint64_t nonce;
    enum work_type type;
    uint64_t found_us;
    bool open; /* Not heard to be rewarded. */
};

struct worker_core {
    struct item items[WORKER_HELD_MAX];
    struct item *free;
    struct item *waiting[WORK_TYPES][WORKER_HELD_MAX];
    size_t waiting_count[WORK_TYPES];
    struct search searches[WORK_TYPES];
    struct table *by_root;
    struct random random;
    uint64_t arrivals;
    struct result results[WORKER_RESULTS_MAX]; /* A ring. */
    size_t result_next;
    bool connected;
    bool silent;           /* SAY_SILENT has been said. */
    bool dropped;          /* What waited has been dropped in this silence. */
    uint64_t heartbeat_us; /* The last one, or when the silence began to count. */
    uint64_t patience_us;  /* How long after it SAY_SILENT is due. */
    struct worker_action actions[WORKER_ACTIONS_MAX];
    size_t action_count;
    struct worker_core_stats stats;
};

struct worker_core *worker_core_create(uint64_t seed, struct error *error)
{
    uint8_t table_seed[TABLE_SEED_SIZE];
    struct worker_core *core = calloc(1, sizeof *core);
    if (core != NULL) {
        random_seed(&core->random, seed);
        for (size_t i = 0; i < sizeof table_seed; i++)
            table_seed[i] = (uint8_t)random_below(&core->random, 256);
        core->by_root = table_create(WORKER_HELD_MAX, table_seed);
    }
    if (core == NULL || core->by_root == NULL) {
        free(core);
        (void)error_set(error, ERROR_MEMORY, "no memory for the worker's queue");
        return NULL;
    }
    for (size_t i = WORKER_HELD_MAX; i-- > 0;) {
        core->items[i].next_free = core->free;
        core->free = &core->items[i];
    }
    core->patience_us = WORKER_SILENCE_US;
    return core;
}

void worker_core_destroy(struct worker_core *core)
{
    if (core == NULL)
        return;
    table_destroy(core->by_root);
    free(core);
}

static void begin_event(struct worker_core *core)
{
    core->action_count = 0;
}

static struct worker_action *act(struct worker_core *core, enum worker_action_kind kind)
{
    assert(core->action_count < WORKER_ACTIONS_MAX);
    struct worker_action *action = &core->actions[core->action_count++];
    *action = (struct worker_action){.kind = kind};
    return action;
}

struct worker_actions worker_core_actions(const struct worker_core *core)
{
    return (struct worker_actions){core->actions, core->action_count};
}

static void list_add(struct worker_core *core, struct item *item)
{
    item->state = ITEM_WAITING;
    item->index = core->waiting_count[item->type]++;
    core->waiting[item->type][item->index] = item;
}

static void list_remove(struct worker_core *core, struct item *item)
{
    struct item **list = core->waiting[item->type];
    struct item *last = list[--core->waiting_count[item->type]];
    list[item->index] = last;
    last->index = item->index;
}

static void forget(struct worker_core *core, struct item *item)
{
    if (item->state == ITEM_WAITING)
        list_remove(core, item);
    (void)table_remove(core->by_root, item->root.bytes);
    item->state = ITEM_FREE;
    item->next_free = core->free;
    core->free = item;
}

static struct item *oldest_waiting(const struct worker_core *core, enum work_type type)
{
    struct item *oldest = NULL;
    for (size_t i = 0; i < core->waiting_count[type]; i++)
        if (oldest == NULL || core->waiting[type][i]->age < oldest->age)
            oldest = core->waiting[type][i];
    return oldest;
}

static struct item *obtain(struct worker_core *core)
{
    if (core->free == NULL) {
        struct item *victim = oldest_waiting(core, WORK_PRECACHE);
        if (victim == NULL)
            victim = oldest_waiting(core, WORK_ONDEMAND);
        forget(core, victim);
    }
    struct item *item = core->free;
    core->free = item->next_free;
    return item;
}

static void start(struct worker_core *core, struct item *item)
{
    struct search *search = &core->searches[item->type];
    search->item = item;
    search->running = true;
    search->threshold = item->threshold;
    struct worker_action *action = act(core, WORKER_SEARCH);
    action->type = item->type;
    action->root = item->root;
    action->threshold = item->threshold;
}

static void start_next(struct worker_core *core, enum work_type type)
{
    const size_t count = core->waiting_count[type];
    if (core->searches[type].running || count == 0)
        return;
    struct item *item = core->waiting[type][random_below(&core->random, count)];
    list_remove(core, item);
    item->state = ITEM_SEARCHING;
    start(core, item);
}

/* Precache is begun only when no on-demand search runs; one that runs is interrupted by on-demand
 * in the engine, not here. */
static void start_what_can(struct worker_core *core)
{
    start_next(core, WORK_ONDEMAND);
    if (!core->searches[WORK_ONDEMAND].running)
        start_next(core, WORK_PRECACHE);
}

static void stop(struct worker_core *core, enum work_type type)
{
    act(core, WORKER_STOP)->type = type;
}

/* The same root at a higher threshold: what is found by the running search would be too weak. */
static void raise(struct worker_core *core, struct item *item, uint64_t threshold)
{
    if (threshold <= item->threshold)
        return;
    const struct search *search = &core->searches[item->type];
    const bool first = item->threshold == search->threshold;
    item->threshold = threshold;
    if (item->state == ITEM_SEARCHING && first)
        stop(core, item->type);
}

/* Leaves the search of an item to end without it. */
static void abandon(struct worker_core *core, const struct item *item)
{
    struct search *search = &core->searches[item->type];
    const bool stopping = search->threshold != item->threshold;
    search->item = NULL;
    if (!stopping)
        stop(core, item->type);
}

/* Somebody waits now for what was to be found ahead of need. A precache search that no on-demand
 * one interrupts is as good. */
static void promote(struct worker_core *core, struct item *item)
{
    if (item->state == ITEM_WAITING)
        list_remove(core, item);
    else if (core->searches[WORK_ONDEMAND].running)
        abandon(core, item);
    else
        return;
    item->type = WORK_ONDEMAND;
    list_add(core, item);
    start_what_can(core);
}

void worker_core_work(struct worker_core *core, uint64_t now_us, const struct root *root,
                      uint64_t threshold, enum work_type type)
{
    (void)now_us;
    begin_event(core);
    struct item *held = table_find(core->by_root, root->bytes);
    if (held != NULL) {
        raise(core, held, threshold);
        if (type == WORK_ONDEMAND && held->type == WORK_PRECACHE)
            promote(core, held);
        return;
    }
    core->stats.received++;
    struct item *item = obtain(core);
    *item =
        (struct item){.root = *root, .threshold = threshold, .type = type, .age = ++core->arrivals};
    (void)table_insert(core->by_root, root->bytes, item);
    list_add(core, item);
    start_what_can(core);
}

/* The results of a root need not be sent again. */
static void close_results(struct worker_core *core, const struct root *root)
{
    for (size_t i = 0; i < WORKER_RESULTS_MAX; i++)
        if (memcmp(&core->results[i].root, root, sizeof *root) == 0)
            core->results[i].open = false;
}

/* Nothing is remembered of a root that is not held: a hub that raises a threshold sends the work
 * right after the cancel, and the broker keeps their order, so no cancel overtakes its work. */
void worker_core_cancel(struct worker_core *core, uint64_t now_us, const struct root *root)
{
    (void)now_us;
    begin_event(core);
    close_results(core, root);
    struct item *item = table_find(core->by_root, root->bytes);
    if (item == NULL)
        return;
    core->stats.cancelled++;
    if (item->state == ITEM_SEARCHING)
        abandon(core, item);
    forget(core, item);
}

static void publish(struct worker_core *core, const struct result *result)
{
    struct worker_action *action = act(core, WORKER_PUBLISH);
    action->root = result->root;
    action->nonce = result->nonce;
    action->type = result->type;
}

static void solved(struct worker_core *core, uint64_t now_us, const struct item *item,
                   uint64_t nonce)
{
    close_results(core, &item->root);
    struct result *result = &core->results[core->result_next];
    core->result_next = (core->result_next + 1) % WORKER_RESULTS_MAX;
    *result = (struct result){item->root, nonce, item->type, now_us, true};
    core->stats.solved++;
    if (core->connected)
        publish(core, result);
}

void worker_core_ended(struct worker_core *core, uint64_t now_us, enum work_type type, bool found,
                       uint64_t nonce)
{
    begin_event(core);
    struct search *search = &core->searches[type];
    struct item *item = search->item;
    search->running = false;
    search->item = NULL;
    if (item != NULL && found && work_valid(nonce, &item->root, item->threshold)) {
        solved(core, now_us, item, nonce);
        forget(core, item);
    } else if (item != NULL) {
        start(core, item); /* its threshold has risen */
    }
    start_what_can(core);
}

void worker_core_rewarded(struct worker_core *core, const struct root *root)
{
    begin_event(core);
    core->stats.rewarded++;
    close_results(core, root);
}

/* What was sent shortly before a loss may not have arrived; a result that comes twice is ignored by
 * the hub. */
static void send_again(struct worker_core *core, uint64_t now_us)
{
    for (size_t i = 0; i < WORKER_RESULTS_MAX; i++) {
        struct result *result = &core->results[i];
        if (result->open && now_us - result->found_us < WORKER_RESULT_US)
            publish(core, result);
    }
}

void worker_core_connected(struct worker_core *core, uint64_t now_us)
{
    begin_event(core);
    core->connected = true;
    if (!core->silent) {
        core->heartbeat_us = now_us;
        core->patience_us = WORKER_GREETING_US;
        core->dropped = false;
    }
    send_again(core, now_us);
}

void worker_core_disconnected(struct worker_core *core, uint64_t now_us)
{
    begin_event(core);
    (void)now_us;
    core->connected = false;
}

void worker_core_heartbeat(struct worker_core *core, uint64_t now_us)
{
    begin_event(core);
    if (core->silent)
        act(core, WORKER_SAY_BACK)->seconds = (now_us - core->heartbeat_us) / 1000000;
    core->silent = false;
    core->dropped = false;
    core->heartbeat_us = now_us;
    core->patience_us = WORKER_SILENCE_US;
}

static size_t drop_waiting(struct worker_core *core)
{
    size_t count = 0;
    for (int type = 0; type < WORK_TYPES; type++) {
        while (core->waiting_count[type] > 0) {
            forget(core, core->waiting[type][core->waiting_count[type] - 1]);
            count++;
        }
    }
    return count;
}

uint64_t worker_core_next_timer(const struct worker_core *core)
{
    if (core->heartbeat_us == 0 || core->dropped)
        return UINT64_MAX;
    return core->heartbeat_us + (core->silent ? WORKER_FORGET_US : core->patience_us);
}

void worker_core_timer(struct worker_core *core, uint64_t now_us)
{
    begin_event(core);
    if (now_us < worker_core_next_timer(core))
        return;
    const uint64_t seconds = (now_us - core->heartbeat_us) / 1000000;
    if (!core->silent) {
        core->silent = true;
        act(core, WORKER_SAY_SILENT)->seconds = seconds;
        return;
    }
    core->dropped = true;
    const size_t count = drop_waiting(core);
    if (count == 0)
        return;
    struct worker_action *action = act(core, WORKER_SAY_DROPPED);
    action->seconds = seconds;
    action->count = count;
}

void worker_core_stats(const struct worker_core *core, struct worker_core_stats *stats)
{
    *stats = core->stats;
    stats->waiting = core->waiting_count[WORK_PRECACHE] + core->waiting_count[WORK_ONDEMAND];
    stats->searching = 0;
    for (int type = 0; type < WORK_TYPES; type++)
        stats->searching += core->searches[type].item != NULL;
}

const struct root *worker_core_searching(const struct worker_core *core, enum work_type type)
{
    const struct item *item = core->searches[type].item;
    return item != NULL ? &item->root : NULL;
}
