#include "hub/ledger.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/table.h"
#include "nano/difficulty.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REASON_SIZE = 200,
    FAULTS_MAX = 64, /* Accounts with invalid results, at once. */
    COUNT_MS = 20,   /* Answers that cost nothing are counted together for so long. */
};

/* A store operation and whom its end concerns: the core, or another owner. */
struct entry {
    struct store_op op;
    uint64_t submitted_us;
    struct entry *next_free;
};

struct other {
    void (*done)(void *context, struct store_op *op);
    void *context;
};

/* Answers of one service that are counted together, at most one operation at a time. */
struct counting {
    struct store_op op;
    struct ledger *ledger;
    int64_t service_id;
    uint64_t waiting[WORK_TYPES]; /* Not in an operation yet. */
    bool storing;
    bool linked;
    struct counting *next; /* Among those with answers to be stored. */
};

/* Invalid results of one account that are counted together. */
struct fault {
    struct store_op op;
    struct account account;
    uint64_t waiting; /* Not in an operation yet. */
    bool storing;
};

struct ledger {
    struct ledger_options options;
    struct log log;
    uv_async_t wake;
    struct entry *pool;
    struct entry *free;
    struct entry *late; /* What was submitted since the store was stopped, the newest first. */
    size_t pool_size;
    struct table *countings; /* By service. */
    struct counting *to_count;
    struct fault faults[FAULTS_MAX];
    uv_timer_t count_timer;
    bool count_timer_runs;
    unsigned handles;
    struct ledger_counters counters;
    bool healthy;
    bool stopped;
    pthread_mutex_t mutex; /* Guards the two fields below, which the store's thread sets. */
    bool health_changed;
    char reason[REASON_SIZE]; /* Of failing; empty when commits work. */
};

static bool restore_work(void *context, const struct work_record *work)
{
    struct ledger *ledger = context;
    const int64_t left_ms = work->expires_ms - clock_wall_ms();
    if (left_ms > 0)
        hub_core_restore_work(ledger->options.core, clock_monotonic_us(), &work->root, work->nonce,
                              work->type, work->service_id, (uint64_t)left_ms * 1000);
    return true;
}

static bool restore_frontier(void *context, const struct frontier_record *record)
{
    struct ledger *ledger = context;
    const int64_t now_ms = clock_wall_ms();
    const int64_t idle_ms = now_ms > record->used_ms ? now_ms - record->used_ms : 0;
    const struct hub_chain chain = {
        .account = record->account,
        .frontier = record->frontier,
        .height = record->height,
        .service_id = record->service_id,
        .idle_us = (uint64_t)idle_ms * 1000,
        .ttl_us = record->expires_ms > now_ms ? (uint64_t)(record->expires_ms - now_ms) * 1000 : 0,
    };
    hub_core_restore_chain(ledger->options.core, clock_monotonic_us(), &chain);
    ledger->options.act(ledger->options.context);
    return true;
}

bool ledger_tell_service(struct ledger *ledger, const struct service_record *record)
{
    struct precache_policy policy = record->precache;
    if (!ledger->options.precache)
        policy.mode = PRECACHE_OFF;
    return hub_core_service(ledger->options.core, record->id, &policy);
}

static struct clients_moment present(void)
{
    return (struct clients_moment){clock_wall_ms(), (int64_t)clock_monotonic_us()};
}

/* An account that there is no memory for is one that is not known. */
static bool restore_client(void *context, const struct client_record *record)
{
    struct ledger *ledger = context;
    const struct clients_moment moment = present();
    return clients_load(ledger->options.clients, &moment, record);
}

static bool restore_services(struct ledger *ledger, struct error *error)
{
    struct services *services = ledger->options.services;
    for (size_t i = 0; i < services_count(services); i++) {
        const struct service_record *record = &services_at(services, i)->record;
        if (!ledger_tell_service(ledger, record))
            return error_set(error, ERROR_MEMORY, "no memory for service %s", record->name);
    }
    return true;
}

static bool restore(struct ledger *ledger, struct error *error)
{
    struct work_counts totals;
    if (!restore_services(ledger, error) || !store_totals(ledger->options.store, &totals, error) ||
        !store_each_work(ledger->options.store, clock_wall_ms(), ledger->options.works_max,
                         restore_work, ledger, error) ||
        !store_each_frontier(ledger->options.store, clock_wall_ms(), restore_frontier, ledger,
                             error) ||
        !store_each_client(ledger->options.store, CLIENTS_MAX, restore_client, ledger, error))
        return false;
    hub_core_restore_rewarded(ledger->options.core, &totals);
    return true;
}

static void on_store_done(void *context)
{
    struct ledger *ledger = context;
    (void)uv_async_send(&ledger->wake);
}

static void on_store_health(void *context, const char *reason)
{
    struct ledger *ledger = context;
    (void)pthread_mutex_lock(&ledger->mutex);
    ledger->health_changed = true;
    (void)snprintf(ledger->reason, sizeof ledger->reason, "%s", reason != NULL ? reason : "");
    (void)pthread_mutex_unlock(&ledger->mutex);
    (void)uv_async_send(&ledger->wake);
}

static void take_health(struct ledger *ledger)
{
    char reason[REASON_SIZE];
    (void)pthread_mutex_lock(&ledger->mutex);
    const bool changed = ledger->health_changed;
    ledger->health_changed = false;
    memcpy(reason, ledger->reason, sizeof reason);
    (void)pthread_mutex_unlock(&ledger->mutex);
    if (!changed)
        return;
    ledger->healthy = reason[0] == '\0';
    hub_core_store_health(ledger->options.core, ledger->healthy);
    ledger->options.act(ledger->options.context);
    ledger->options.on_health(ledger->options.context, ledger->healthy ? NULL : reason);
}

static void work_done(struct ledger *ledger, const struct store_op *op)
{
    const bool rewarded = op->status == STORE_DONE && op->work.rewarded;
    if (rewarded) {
        const struct clients_moment moment = present();
        clients_reward(ledger->options.clients, &moment, &op->work.account, &op->work.totals);
        ledger->options.on_reward(ledger->options.context, op->work.record.type,
                                  difficulty_whole_hashes(op->work.record.threshold));
    }
    hub_core_work_stored(ledger->options.core, &(struct hub_stored_work){
                                                   .type = op->work.record.type,
                                                   .root = op->work.record.root,
                                                   .nonce = op->work.record.nonce,
                                                   .account = op->work.account,
                                                   .durable = op->status == STORE_DONE,
                                                   .totals = rewarded ? &op->work.totals : NULL,
                                               });
}

static void answer_done(struct ledger *ledger, const struct store_op *op)
{
    static const enum hub_stored ends[] = {
        [STORE_DONE] = HUB_STORED,
        [STORE_CONFLICT] = HUB_STORED_NO_SERVICE,
        [STORE_NO_CREDIT] = HUB_STORED_NO_CREDIT,
        [STORE_ABANDONED] = HUB_NOT_STORED,
    };
    struct service *service = services_by_id(ledger->options.services, op->answer.service_id);
    if (op->status == STORE_DONE && service != NULL) {
        const bool counted = op->kind == STORE_ANSWER;
        service->record.answered.of[op->answer.type] += counted ? 1 : (uint64_t)-1;
        service->record.credits += !op->answer.charged ? 0 : counted ? -1 : 1;
    }
    const bool charged = op->status == STORE_DONE && op->answer.charged;
    hub_core_answer_stored(ledger->options.core, op->token, ends[op->status], charged);
}

static void store_counts(struct ledger *ledger);

static void count_later(struct ledger *ledger, struct counting *counting);

static void counted(void *context, struct store_op *op)
{
    struct counting *counting = context;
    (void)op;
    counting->storing = false;
    if (counting->waiting[WORK_PRECACHE] > 0 || counting->waiting[WORK_ONDEMAND] > 0)
        count_later(counting->ledger, counting);
}

static void on_count_timer(uv_timer_t *timer);

static void start_count_timer(struct ledger *ledger)
{
    if (ledger->count_timer_runs)
        return;
    ledger->count_timer_runs = true;
    (void)uv_timer_start(&ledger->count_timer, on_count_timer, COUNT_MS, 0);
}

static void store_faults(struct ledger *ledger)
{
    for (size_t i = 0; i < FAULTS_MAX; i++) {
        struct fault *fault = &ledger->faults[i];
        if (fault->storing || fault->waiting == 0)
            continue;
        memset(&fault->op, 0, sizeof fault->op);
        fault->op.kind = STORE_CLIENT_INVALID;
        fault->op.user = fault;
        fault->op.client.account = fault->account;
        fault->op.client.invalid = fault->waiting;
        fault->waiting = 0;
        fault->storing = true;
        store_submit(ledger->options.store, &fault->op);
    }
}

static void on_count_timer(uv_timer_t *timer)
{
    struct ledger *ledger = timer->data;
    ledger->count_timer_runs = false;
    store_counts(ledger);
    store_faults(ledger);
}

static void fault_counted(struct ledger *ledger, struct fault *fault)
{
    fault->storing = false;
    if (fault->waiting > 0)
        start_count_timer(ledger);
}

void ledger_invalid(struct ledger *ledger, const struct account *account)
{
    struct fault *fault = NULL;
    for (size_t i = 0; i < FAULTS_MAX; i++) {
        struct fault *other = &ledger->faults[i];
        const bool taken = other->storing || other->waiting > 0;
        if (taken && memcmp(&other->account, account, sizeof *account) == 0) {
            fault = other;
            break;
        }
        if (!taken && fault == NULL)
            fault = other;
    }
    if (fault == NULL)
        return;
    fault->account = *account;
    fault->waiting++;
    start_count_timer(ledger);
}

static void count_later(struct ledger *ledger, struct counting *counting)
{
    if (counting->storing || counting->linked)
        return;
    counting->linked = true;
    counting->next = ledger->to_count;
    ledger->to_count = counting;
    start_count_timer(ledger);
}

/* The operation of the next service whose answers are to be stored, or NULL. */
static struct store_op *next_counts(struct ledger *ledger)
{
    struct counting *counting = ledger->to_count;
    if (counting == NULL)
        return NULL;
    ledger->to_count = counting->next;
    counting->linked = false;
    counting->storing = true;
    memset(&counting->op, 0, sizeof counting->op);
    counting->op.kind = STORE_ANSWERS;
    counting->op.user = counting;
    counting->op.answers.service_id = counting->service_id;
    for (int type = 0; type < WORK_TYPES; type++) {
        counting->op.answers.counts.of[type] = counting->waiting[type];
        counting->waiting[type] = 0;
    }
    return &counting->op;
}

static void store_counts(struct ledger *ledger)
{
    struct store_op *op;
    while ((op = next_counts(ledger)) != NULL)
        store_submit(ledger->options.store, op);
}

static struct counting *counting_of(struct ledger *ledger, int64_t service_id)
{
    const struct table_key key = table_key_of((uint64_t)service_id);
    struct counting *counting = table_find(ledger->countings, key.bytes);
    if (counting != NULL)
        return counting;
    counting = calloc(1, sizeof *counting);
    if (counting == NULL)
        return NULL;
    counting->ledger = ledger;
    counting->service_id = service_id;
    if (table_insert(ledger->countings, key.bytes, counting))
        return counting;
    free(counting);
    return NULL;
}

/* The directory is ahead of the store by a moment. Without memory an answer is not counted: it
 * costs nothing, and has been given. */
void ledger_count(struct ledger *ledger, int64_t service_id, enum work_type type)
{
    struct counting *counting = counting_of(ledger, service_id);
    struct service *service = services_by_id(ledger->options.services, service_id);
    if (service != NULL)
        service->record.answered.of[type]++;
    if (counting == NULL)
        return;
    counting->waiting[type]++;
    count_later(ledger, counting);
}

static void core_op_done(struct ledger *ledger, struct store_op *op)
{
    struct entry *entry = (struct entry *)(void *)op;
    if (op->status != STORE_ABANDONED) {
        ledger->counters.operations++;
        ledger->counters.waited_us += clock_monotonic_us() - entry->submitted_us;
    }
    if (op->kind == STORE_WORK)
        work_done(ledger, op);
    else if (op->kind == STORE_FRONTIER)
        hub_core_frontier_stored(ledger->options.core, clock_monotonic_us(), &op->frontier.account);
    else
        answer_done(ledger, op);
    entry->next_free = ledger->free;
    ledger->free = entry;
    ledger->options.act(ledger->options.context);
}

static void take_done(struct ledger *ledger)
{
    struct store_op *next;
    for (struct store_op *op = store_take_done(ledger->options.store); op != NULL; op = next) {
        next = store_op_next(op);
        struct other *other = op->user;
        if (op->kind == STORE_CLIENT_INVALID) {
            fault_counted(ledger, op->user);
            continue;
        }
        if (op->kind == STORE_ANSWERS) {
            counted(op->user, op);
            continue;
        }
        if (other == NULL) {
            core_op_done(ledger, op);
            continue;
        }
        const struct other called = *other;
        free(other);
        op->user = NULL;
        called.done(called.context, op);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct ledger *ledger = wake->data;
    take_health(ledger);
    take_done(ledger);
}

static bool free_counting(void *context, void *counting)
{
    (void)context;
    free(counting);
    return true;
}

static void free_ledger(struct ledger *ledger)
{
    if (ledger->countings != NULL)
        table_each(ledger->countings, free_counting, NULL);
    table_destroy(ledger->countings);
    free(ledger->pool);
    free(ledger);
}

static struct ledger *allocate(const struct ledger_options *options)
{
    uint8_t seed[TABLE_SEED_SIZE];
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL)
        return NULL;
    random_system(seed, sizeof seed);
    ledger->options = *options;
    ledger->log = log_for_part(options->log, "ledger");
    ledger->healthy = true;
    ledger->pool_size = 3 * options->waiters_max + HUB_FRONTIERS_STORING + 1;
    ledger->pool = calloc(ledger->pool_size, sizeof *ledger->pool);
    ledger->countings = table_create(SERVICES_MAX, seed);
    if (ledger->pool == NULL || ledger->countings == NULL ||
        pthread_mutex_init(&ledger->mutex, NULL) != 0) {
        free_ledger(ledger);
        return NULL;
    }
    for (size_t i = ledger->pool_size; i-- > 0;) {
        ledger->pool[i].next_free = ledger->free;
        ledger->free = &ledger->pool[i];
    }
    return ledger;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct ledger *ledger = handle->data;
    if (--ledger->handles > 0)
        return;
    (void)pthread_mutex_destroy(&ledger->mutex);
    free_ledger(ledger);
}

struct ledger *ledger_create(const struct ledger_options *options, struct error *error)
{
    struct ledger *ledger = allocate(options);
    if (ledger == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the ledger");
        return NULL;
    }
    if (uv_async_init(options->loop, &ledger->wake, on_wake) != 0) {
        (void)pthread_mutex_destroy(&ledger->mutex);
        free_ledger(ledger);
        (void)error_set(error, ERROR_SYSTEM, "the system gives no way to wake the event loop");
        return NULL;
    }
    (void)uv_timer_init(options->loop, &ledger->count_timer);
    ledger->handles = 2;
    ledger->wake.data = ledger;
    ledger->count_timer.data = ledger;
    const struct store_callbacks callbacks = {on_store_done, on_store_health, ledger};
    if (!restore(ledger, error) || !store_start(options->store, &callbacks, error)) {
        ledger_destroy(ledger);
        return NULL;
    }
    return ledger;
}

static void fill_work(struct store_op *op, const struct hub_action *action)
{
    const int64_t now_ms = clock_wall_ms();
    op->kind = STORE_WORK;
    op->work.record = (struct work_record){
        .root = action->store_work.root,
        .nonce = action->store_work.nonce,
        .value = action->store_work.value,
        .threshold = action->store_work.threshold,
        .type = action->store_work.type,
        .service_id = action->store_work.service_id,
        .solved_ms = now_ms,
        .expires_ms = now_ms + (int64_t)(action->store_work.ttl_us / 1000),
    };
    op->work.account = action->store_work.account;
    op->work.has_account = action->store_work.has_account;
}

static void fill_frontier(struct store_op *op, const struct hub_action *action)
{
    const int64_t now_ms = clock_wall_ms();
    op->kind = STORE_FRONTIER;
    op->frontier = (struct frontier_record){
        .account = action->store_frontier.account,
        .frontier = action->store_frontier.frontier,
        .height = action->store_frontier.height,
        .service_id = action->store_frontier.service_id,
        .used_ms = now_ms - (int64_t)(action->store_frontier.idle_us / 1000),
        .expires_ms = now_ms + (int64_t)(action->store_frontier.ttl_us / 1000),
    };
}

static void fill_answer(struct store_op *op, const struct hub_action *action)
{
    op->kind = action->kind == HUB_STORE_ANSWER ? STORE_ANSWER : STORE_UNANSWER;
    op->token = action->store_answer.waiter;
    op->answer.service_id = action->store_answer.service_id;
    op->answer.type = action->store_answer.type;
    op->answer.root = action->store_answer.root;
    op->answer.expires_ms = clock_wall_ms() + (int64_t)(action->store_answer.ttl_us / 1000);
    op->answer.charged = action->store_answer.charged;
}

void ledger_submit(struct ledger *ledger, const struct hub_action *action)
{
    struct entry *entry = ledger->free;
    assert(entry != NULL && "the core keeps its promise (core.h)");
    ledger->free = entry->next_free;
    memset(&entry->op, 0, sizeof entry->op);
    if (action->kind == HUB_STORE_WORK)
        fill_work(&entry->op, action);
    else if (action->kind == HUB_STORE_FRONTIER)
        fill_frontier(&entry->op, action);
    else
        fill_answer(&entry->op, action);
    entry->submitted_us = clock_monotonic_us();
    if (ledger->stopped) {
        entry->next_free = ledger->late;
        ledger->late = entry;
        return;
    }
    store_submit(ledger->options.store, &entry->op);
}

bool ledger_submit_other(struct ledger *ledger, struct store_op *op,
                         void (*done)(void *context, struct store_op *op), void *context)
{
    struct other *other = malloc(sizeof *other);
    if (other == NULL)
        return false;
    *other = (struct other){done, context};
    op->user = other;
    store_submit(ledger->options.store, op);
    return true;
}

bool ledger_healthy(const struct ledger *ledger)
{
    return ledger->healthy;
}

void ledger_counters(const struct ledger *ledger, struct ledger_counters *counters)
{
    *counters = ledger->counters;
}

/* What followed from the last ends, such as taking back an answer; a store that has failed is not
 * tried again. No two of these concern the same thing, so their order does not matter. */
static void store_late(struct ledger *ledger)
{
    struct error error;
    bool good = true;
    while (ledger->late != NULL) {
        struct entry *entry = ledger->late;
        ledger->late = entry->next_free;
        good = good && store_apply(ledger->options.store, &entry->op, &error);
        if (!good)
            entry->op.status = STORE_ABANDONED;
        core_op_done(ledger, &entry->op);
    }
}

void ledger_stop(struct ledger *ledger, uint64_t patience_ms)
{
    store_counts(ledger);
    store_stop(ledger->options.store, patience_ms);
    ledger->stopped = true;
    take_done(ledger);
    store_late(ledger);
    /* What came while others were being stored; a store that has failed fails once more. */
    struct store_op *op;
    struct error error;
    while ((op = next_counts(ledger)) != NULL && store_apply(ledger->options.store, op, &error))
        continue;
}

void ledger_destroy(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    uv_close((uv_handle_t *)&ledger->wake, on_handle_closed);
    uv_close((uv_handle_t *)&ledger->count_timer, on_handle_closed);
}
