#include "workserver/queue_core.h"

#include "base/heap.h"
#include "base/random.h"
#include "workserver/work_memory.h"

#include <stdlib.h>

/* A cancel without a request is remembered so long, and so many of them. */
enum { EARLY_US = 1000000, EARLY_MAX = 1024 };

struct entry;

struct waiter {
    queue_waiter id;
    uint64_t token;
    uint64_t threshold;
    struct entry *entry;
    struct waiter *previous; /* Of its entry; also links free ones. */
    struct waiter *next;
    struct heap_item deadline;
};

struct entry {
    struct root root;
    uint64_t number; /* By arrival. */
    uint64_t priority;
    uint64_t start_us;
    uint64_t highest;  /* Threshold ever asked; for the listing. */
    uint64_t searched; /* RUNNING: the threshold it is searched for. */
    struct waiter *waiters;
    size_t waiter_count;
    bool running;
    unsigned place;
    struct heap_item order; /* WAITING: by priority, then arrival. */
    size_t drawn_at;        /* WAITING, with shuffle: its place among those to draw from. */
};

struct early_cancel {
    struct root root;
    uint64_t at_us;
    uint64_t opened_us; /* Its connection. */
};

struct queue_core {
    struct queue_options options;
    struct random random;
    struct table *by_root;   /* Entries. */
    struct table *by_id;     /* Waiters. */
    struct heap *order;      /* Waiting entries. */
    struct entry **drawable; /* Likewise, with shuffle. */
    struct heap *deadlines;  /* Of waiters, with a time-out. */
    struct entry *places[QUEUE_PLACES_MAX];
    struct work_memory *memory; /* NULL: nothing is remembered. */
    struct waiter *waiters;
    struct waiter *free_waiters;
    struct early_cancel early[EARLY_MAX]; /* A ring; the newest is before early_next. */
    size_t early_next;
    struct queue_listed finished[QUEUE_FINISHED_MAX]; /* A ring, likewise. */
    uint64_t finished_count;
    struct queue_action *actions;
    size_t action_count;
    uint64_t last_number;
    uint64_t last_waiter;
    bool stopping;
    struct queue_stats stats;
};

/* Each waiter is answered at most once an event, and each place changes a few times. */
static size_t actions_max(const struct queue_options *options)
{
    return options->waiters_max + 4 * QUEUE_PLACES_MAX + 4;
}

static bool check_options(const struct queue_options *options, struct error *error)
{
    if (options->places < 1 || options->places > QUEUE_PLACES_MAX)
        return error_set(error, ERROR_INVALID, "1 to %d roots can be searched at once",
                         QUEUE_PLACES_MAX);
    if (options->entries_max < 1 || options->waiters_per_entry_max < 1 || options->waiters_max < 1)
        return error_set(error, ERROR_INVALID, "the queue must have room for a request");
    return true;
}

static bool allocate(struct queue_core *core)
{
    const struct queue_options *options = &core->options;
    const size_t entries = options->entries_max + QUEUE_PLACES_MAX;
    uint8_t seed[TABLE_SEED_SIZE];
    random_seed(&core->random, options->seed);
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)random_next(&core->random);
    core->by_root = table_create(entries, seed);
    core->by_id = table_create(options->waiters_max, seed);
    core->order = heap_create(entries);
    core->drawable = calloc(entries, sizeof core->drawable[0]);
    core->deadlines = heap_create(options->waiters_max);
    core->waiters = calloc(options->waiters_max, sizeof core->waiters[0]);
    core->actions = calloc(actions_max(options), sizeof core->actions[0]);
    if (options->results_max > 0)
        core->memory = work_memory_create(options->results_max, seed);
    return core->by_root != NULL && core->by_id != NULL && core->order != NULL &&
           core->drawable != NULL && core->deadlines != NULL && core->waiters != NULL &&
           core->actions != NULL && (core->memory != NULL || options->results_max == 0);
}

struct queue_core *queue_core_create(const struct queue_options *options, struct error *error)
{
    if (!check_options(options, error))
        return NULL;
    struct queue_core *core = calloc(1, sizeof *core);
    if (core != NULL)
        core->options = *options;
    if (core == NULL || !allocate(core)) {
        queue_core_destroy(core);
        (void)error_set(error, ERROR_MEMORY, "no memory for a queue of that size");
        return NULL;
    }
    for (size_t i = options->waiters_max; i > 0; i--) {
        core->waiters[i - 1].next = core->free_waiters;
        core->free_waiters = &core->waiters[i - 1];
    }
    return core;
}

static bool free_entry(void *context, void *value)
{
    (void)context;
    free(value);
    return true;
}

void queue_core_destroy(struct queue_core *core)
{
    if (core == NULL)
        return;
    if (core->by_root != NULL)
        table_each(core->by_root, free_entry, NULL);
    table_destroy(core->by_root);
    table_destroy(core->by_id);
    heap_destroy(core->order);
    heap_destroy(core->deadlines);
    work_memory_destroy(core->memory);
    free(core->drawable);
    free(core->waiters);
    free(core->actions);
    free(core);
}

struct queue_actions queue_core_actions(const struct queue_core *core)
{
    return (struct queue_actions){core->actions, core->action_count};
}

static void add_action(struct queue_core *core, const struct queue_action *action)
{
    core->actions[core->action_count++] = *action;
}

static void answer(struct queue_core *core, uint64_t token, const struct root *root,
                   enum queue_answer how, uint64_t nonce, uint64_t value)
{
    core->stats.answers[how]++;
    add_action(core, &(struct queue_action){.kind = QUEUE_ANSWER,
                                            .root = *root,
                                            .token = token,
                                            .answer = how,
                                            .nonce = nonce,
                                            .value = value});
}

static void set_order(struct entry *entry)
{
    entry->order.key = UINT64_MAX - entry->priority;
    entry->order.sequence = entry->number;
}

static void add_waiting(struct queue_core *core, struct entry *entry)
{
    set_order(entry);
    (void)heap_insert(core->order, &entry->order);
    entry->drawn_at = heap_count(core->order) - 1;
    core->drawable[entry->drawn_at] = entry;
}

static void remove_waiting(struct queue_core *core, struct entry *entry)
{
    struct entry *last = core->drawable[heap_count(core->order) - 1];
    heap_remove(core->order, &entry->order);
    core->drawable[entry->drawn_at] = last;
    last->drawn_at = entry->drawn_at;
}

static struct entry *entry_of(struct heap_item *item)
{
    return (struct entry *)(void *)((char *)item - offsetof(struct entry, order));
}

static struct entry *next_entry(struct queue_core *core)
{
    const size_t waiting = heap_count(core->order);
    if (waiting == 0)
        return NULL;
    if (core->options.shuffle)
        return core->drawable[random_below(&core->random, waiting)];
    return entry_of(heap_min(core->order));
}

static uint64_t lowest_threshold(const struct entry *entry)
{
    uint64_t lowest = UINT64_MAX;
    for (const struct waiter *waiter = entry->waiters; waiter != NULL; waiter = waiter->next)
        if (waiter->threshold < lowest)
            lowest = waiter->threshold;
    return lowest;
}

static void search(struct queue_core *core, struct entry *entry)
{
    entry->searched = lowest_threshold(entry);
    add_action(core, &(struct queue_action){.kind = QUEUE_SEARCH,
                                            .place = entry->place,
                                            .root = entry->root,
                                            .threshold = entry->searched});
}

static void fill_places(struct queue_core *core)
{
    for (unsigned place = 0; place < core->options.places; place++) {
        struct entry *entry = core->places[place] == NULL ? next_entry(core) : NULL;
        if (entry == NULL)
            continue;
        remove_waiting(core, entry);
        entry->running = true;
        entry->place = place;
        core->places[place] = entry;
        search(core, entry);
    }
}

static void remove_waiter(struct queue_core *core, struct waiter *waiter)
{
    struct entry *entry = waiter->entry;
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        entry->waiters = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    entry->waiter_count--;
    if (heap_contains(core->deadlines, &waiter->deadline))
        heap_remove(core->deadlines, &waiter->deadline);
    (void)table_remove(core->by_id, table_key_of(waiter->id).bytes);
    waiter->next = core->free_waiters;
    core->free_waiters = waiter;
}

static struct queue_listed describe(const struct entry *entry)
{
    return (struct queue_listed){
        .state = entry->running ? QUEUE_RUNNING : QUEUE_WAITING,
        .number = entry->number,
        .priority = entry->priority,
        .start_us = entry->start_us,
        .root = entry->root,
        .threshold = entry->highest,
    };
}

/* An entry without waiters ends; its place is free for the next. */
static void end_entry(struct queue_core *core, uint64_t now_us, struct entry *entry, bool found,
                      uint64_t nonce, uint64_t value)
{
    struct queue_listed *listed = &core->finished[core->finished_count % QUEUE_FINISHED_MAX];
    *listed = describe(entry);
    listed->state = QUEUE_FINISHED;
    listed->end_us = now_us;
    listed->found = found;
    listed->nonce = nonce;
    listed->value = value;
    core->finished_count++;
    if (entry->running) {
        core->places[entry->place] = NULL;
        add_action(core, &(struct queue_action){.kind = QUEUE_STOP, .place = entry->place});
    } else {
        remove_waiting(core, entry);
    }
    (void)table_remove(core->by_root, entry->root.bytes);
    free(entry);
}

static void end_all(struct queue_core *core, uint64_t now_us, struct entry *entry,
                    enum queue_answer how)
{
    while (entry->waiters != NULL) {
        answer(core, entry->waiters->token, &entry->root, how, 0, 0);
        remove_waiter(core, entry->waiters);
    }
    end_entry(core, now_us, entry, false, 0, 0);
}

/* The newest first, until they are too old. */
static bool cancelled_early(const struct queue_core *core, uint64_t now_us,
                            const struct queue_request *request)
{
    for (size_t i = 1; i <= EARLY_MAX; i++) {
        const struct early_cancel *early =
            &core->early[(core->early_next + EARLY_MAX - i) % EARLY_MAX];
        if (early->at_us == 0 || now_us - early->at_us > EARLY_US)
            return false;
        if (request->opened_us <= early->at_us && request->opened_us != early->opened_us &&
            memcmp(&early->root, &request->root, sizeof early->root) == 0)
            return true;
    }
    return false;
}

static struct entry *create_entry(struct queue_core *core, uint64_t now_us,
                                  const struct queue_request *request)
{
    if (heap_count(core->order) >= core->options.entries_max)
        return NULL;
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->root = request->root;
    entry->number = ++core->last_number;
    entry->priority = request->priority;
    entry->start_us = now_us;
    (void)table_insert(core->by_root, entry->root.bytes, entry);
    add_waiting(core, entry);
    return entry;
}

static struct waiter *add_waiter(struct queue_core *core, uint64_t now_us, struct entry *entry,
                                 const struct queue_request *request)
{
    struct waiter *waiter = core->free_waiters;
    core->free_waiters = waiter->next;
    *waiter = (struct waiter){
        .id = ++core->last_waiter,
        .token = request->token,
        .threshold = request->threshold,
        .entry = entry,
        .next = entry->waiters,
    };
    if (entry->waiters != NULL)
        entry->waiters->previous = waiter;
    entry->waiters = waiter;
    entry->waiter_count++;
    if (request->threshold > entry->highest)
        entry->highest = request->threshold;
    (void)table_insert(core->by_id, table_key_of(waiter->id).bytes, waiter);
    if (core->options.timeout_us > 0) {
        waiter->deadline.key = now_us + core->options.timeout_us;
        (void)heap_insert(core->deadlines, &waiter->deadline);
    }
    return waiter;
}

/* What a request does to an entry that was there: it may come earlier, or be searched for less. */
static void join(struct queue_core *core, struct entry *entry, const struct queue_request *request)
{
    core->stats.joined++;
    if (entry->running) {
        if (request->threshold < entry->searched)
            search(core, entry);
    } else if (request->priority > entry->priority) {
        heap_remove(core->order, &entry->order);
        entry->priority = request->priority;
        set_order(entry);
        (void)heap_insert(core->order, &entry->order);
    }
}

/* Answers a request that needs no search; false if it does. */
static bool answer_at_once(struct queue_core *core, uint64_t now_us,
                           const struct queue_request *request)
{
    uint64_t nonce;
    uint64_t value;
    if (core->stopping || cancelled_early(core, now_us, request)) {
        answer(core, request->token, &request->root, QUEUE_CANCELLED, 0, 0);
        return true;
    }
    if (core->memory == NULL ||
        !work_memory_find(core->memory, &request->root, request->threshold, &nonce, &value))
        return false;
    core->stats.remembered++;
    answer(core, request->token, &request->root, QUEUE_FOUND, nonce, value);
    return true;
}

queue_waiter queue_core_request(struct queue_core *core, uint64_t now_us,
                                const struct queue_request *request)
{
    core->action_count = 0;
    core->stats.requests++;
    if (answer_at_once(core, now_us, request))
        return 0;
    struct entry *entry = table_find(core->by_root, request->root.bytes);
    const bool known = entry != NULL;
    const bool room = core->free_waiters != NULL &&
                      (!known || entry->waiter_count < core->options.waiters_per_entry_max);
    if (room && !known)
        entry = create_entry(core, now_us, request);
    if (!room || entry == NULL) {
        answer(core, request->token, &request->root, QUEUE_FULL, 0, 0);
        return 0;
    }
    const queue_waiter id = add_waiter(core, now_us, entry, request)->id;
    if (known)
        join(core, entry, request);
    fill_places(core);
    return id;
}

void queue_core_leave(struct queue_core *core, uint64_t now_us, queue_waiter id)
{
    core->action_count = 0;
    struct waiter *waiter = table_find(core->by_id, table_key_of(id).bytes);
    if (waiter == NULL)
        return;
    struct entry *entry = waiter->entry;
    core->stats.left++;
    remove_waiter(core, waiter);
    if (entry->waiters == NULL)
        end_entry(core, now_us, entry, false, 0, 0);
    fill_places(core);
}

void queue_core_cancel(struct queue_core *core, uint64_t now_us, const struct root *root,
                       uint64_t opened_us)
{
    core->action_count = 0;
    struct entry *entry = table_find(core->by_root, root->bytes);
    if (entry != NULL) {
        end_all(core, now_us, entry, QUEUE_CANCELLED);
        fill_places(core);
        return;
    }
    core->early[core->early_next] = (struct early_cancel){*root, now_us, opened_us};
    core->early_next = (core->early_next + 1) % EARLY_MAX;
}

void queue_core_clear(struct queue_core *core, uint64_t now_us)
{
    core->action_count = 0;
    while (heap_count(core->order) > 0)
        end_all(core, now_us, entry_of(heap_min(core->order)), QUEUE_CANCELLED);
}

void queue_core_found(struct queue_core *core, uint64_t now_us, const struct root *root,
                      uint64_t nonce, uint64_t value)
{
    core->action_count = 0;
    if (core->memory != NULL)
        work_memory_add(core->memory, root, nonce, value);
    struct entry *entry = table_find(core->by_root, root->bytes);
    if (entry == NULL)
        return;
    struct waiter *next;
    for (struct waiter *waiter = entry->waiters; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (value < waiter->threshold)
            continue;
        answer(core, waiter->token, root, QUEUE_FOUND, nonce, value);
        remove_waiter(core, waiter);
    }
    if (entry->waiters == NULL)
        end_entry(core, now_us, entry, true, nonce, value);
    else if (entry->running)
        search(core, entry);
    fill_places(core);
}

void queue_core_failed(struct queue_core *core, uint64_t now_us, const struct root *root)
{
    core->action_count = 0;
    struct entry *entry = table_find(core->by_root, root->bytes);
    if (entry == NULL || !entry->running)
        return;
    end_all(core, now_us, entry, QUEUE_FAILED);
    fill_places(core);
}

static struct waiter *waiter_of(struct heap_item *item)
{
    return (struct waiter *)(void *)((char *)item - offsetof(struct waiter, deadline));
}

uint64_t queue_core_next_timer(const struct queue_core *core)
{
    const struct heap_item *item = heap_min(core->deadlines);
    return item == NULL ? UINT64_MAX : item->key;
}

void queue_core_timer(struct queue_core *core, uint64_t now_us)
{
    core->action_count = 0;
    while (queue_core_next_timer(core) <= now_us) {
        struct waiter *waiter = waiter_of(heap_min(core->deadlines));
        struct entry *entry = waiter->entry;
        answer(core, waiter->token, &entry->root, QUEUE_TIMEOUT, 0, 0);
        remove_waiter(core, waiter);
        if (entry->waiters == NULL)
            end_entry(core, now_us, entry, false, 0, 0);
    }
    fill_places(core);
}

void queue_core_stop(struct queue_core *core, uint64_t now_us)
{
    core->action_count = 0;
    core->stopping = true;
    while (heap_count(core->order) > 0)
        end_all(core, now_us, entry_of(heap_min(core->order)), QUEUE_CANCELLED);
    for (unsigned place = 0; place < core->options.places; place++)
        if (core->places[place] != NULL)
            end_all(core, now_us, core->places[place], QUEUE_CANCELLED);
}

void queue_core_stats(const struct queue_core *core, struct queue_stats *stats)
{
    *stats = core->stats;
    stats->waiting = heap_count(core->order);
    stats->running = table_count(core->by_root) - stats->waiting;
    stats->waiters = table_count(core->by_id);
}

void queue_core_each(const struct queue_core *core, enum queue_state state,
                     void (*visit)(void *context, const struct queue_listed *entry), void *context)
{
    const uint64_t kept =
        core->finished_count < QUEUE_FINISHED_MAX ? core->finished_count : QUEUE_FINISHED_MAX;
    const size_t waiting = state == QUEUE_WAITING ? heap_count(core->order) : 0;
    for (size_t i = 0; i < waiting; i++) {
        const struct queue_listed listed = describe(core->drawable[i]);
        visit(context, &listed);
    }
    for (unsigned place = 0; state == QUEUE_RUNNING && place < core->options.places; place++)
        if (core->places[place] != NULL) {
            const struct queue_listed listed = describe(core->places[place]);
            visit(context, &listed);
        }
    for (uint64_t i = kept; state == QUEUE_FINISHED && i > 0; i--)
        visit(context, &core->finished[(core->finished_count - i) % QUEUE_FINISHED_MAX]);
}
