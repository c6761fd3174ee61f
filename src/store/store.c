#include "store/store.h"

#include "base/clock.h"
#include "base/thread.h"
#include "store/store_backend.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
    RETRY_FIRST_MS = 50,
    RETRY_LAST_MS = 1000,
    PURGE_PAUSE_MS = 60000,
    PURGE_NEXT_MS = 1000, /* When a step has left some: a step is short, so that commits go on. */
    PURGE_ROWS = 1000,
};

struct store {
    struct store_backend *backend;
    struct log log;
    struct store_callbacks callbacks;
    struct queue submitted;
    struct queue done;
    pthread_t writer;
    bool started;
    bool together;        /* The opener's: in store_apply_together(). */
    bool failing;         /* The writer's: commits fail at present. */
    bool gave_up;         /* The writer's: patience ran out, nothing is committed any more. */
    uint64_t purge_at_us; /* The writer's: when it may purge next, monotonic. */

    pthread_mutex_t mutex; /* Guards the two fields below; the condition ends a retry's pause. */
    pthread_cond_t stop_changed;
    bool stopping;
    uint64_t give_up_us; /* When stopping: how long failing commits are tried. */
};

/* What follows "sqlite:" in a URL; NULL with the error filled if it is another one. */
static const char *sqlite_path(const char *url, struct error *error)
{
    static const char scheme[] = "sqlite:";
    if (strncmp(url, scheme, strlen(scheme)) == 0)
        return url + strlen(scheme);
    (void)error_set(error, ERROR_INVALID, "store: the URL must be sqlite:PATH");
    return NULL;
}

static struct store_backend *open_backend(const char *url, struct error *error)
{
    const char *path = sqlite_path(url, error);
    return path != NULL ? sqlite_backend_open(path, error) : NULL;
}

bool store_backup(const char *url, const char *path, struct error *error)
{
    const char *source = sqlite_path(url, error);
    return source != NULL && sqlite_backup(source, path, error);
}

const char *credit_kind_name(enum credit_kind kind)
{
    static const char *const names[CREDIT_KINDS] = {"bought", "granted", "corrected"};
    return names[kind];
}

const char *payout_rule_name(enum payout_rule rule)
{
    static const char *const names[PAYOUT_RULES] = {"works", "hashes", "original"};
    return names[rule];
}

const char *payout_state_name(enum payout_state state)
{
    static const char *const names[PAYOUT_STATES] = {"planned", "sent", "confirmed"};
    return names[state];
}

/* The condition waits by the monotonic clock: a clock that is set must not stretch a pause. */
static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    const bool good = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                      pthread_cond_init(condition, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    return good;
}

struct store *store_open(const char *url, const struct log *log, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL || !queue_init(&store->submitted) || !queue_init(&store->done) ||
        pthread_mutex_init(&store->mutex, NULL) != 0 || !init_condition(&store->stop_changed)) {
        free(store);
        (void)error_set(error, ERROR_MEMORY, "no memory for the store");
        return NULL;
    }
    store->log = log_for_part(log, "store");
    store->backend = open_backend(url, error);
    if (store->backend == NULL) {
        store_close(store);
        return NULL;
    }
    return store;
}

bool store_each_service(struct store *store,
                        bool (*visit)(void *context, const struct service_record *service),
                        void *context, struct error *error)
{
    return store->backend->ops->each_service(store->backend, visit, context, error);
}

bool store_each_work(struct store *store, int64_t now_ms, size_t limit,
                     bool (*visit)(void *context, const struct work_record *work), void *context,
                     struct error *error)
{
    return store->backend->ops->each_work(store->backend, now_ms, limit, visit, context, error);
}

bool store_each_client(struct store *store, size_t limit,
                       bool (*visit)(void *context, const struct client_record *client),
                       void *context, struct error *error)
{
    return store->backend->ops->each_client(store->backend, limit, visit, context, error);
}

bool store_each_frontier(struct store *store, int64_t now_ms,
                         bool (*visit)(void *context, const struct frontier_record *frontier),
                         void *context, struct error *error)
{
    return store->backend->ops->each_frontier(store->backend, now_ms, visit, context, error);
}

bool store_each_series(struct store *store, enum series_resolution resolution, int64_t from_s,
                       bool (*visit)(void *context, const struct series_record *series),
                       void *context, struct error *error)
{
    return store->backend->ops->each_series(store->backend, resolution, from_s, visit, context,
                                            error);
}

bool store_totals(struct store *store, struct work_counts *totals, struct error *error)
{
    return store->backend->ops->totals(store->backend, totals, error);
}

static bool apply_all(struct store *store, struct store_op *first, struct error *error)
{
    const struct store_backend_ops *ops = store->backend->ops;
    if (!ops->begin(store->backend, error))
        return false;
    for (struct store_op *op = first; op != NULL; op = store_op_next(op)) {
        op->status = STORE_DONE;
        if (!ops->apply(store->backend, op, error)) {
            ops->rollback(store->backend);
            return false;
        }
    }
    if (ops->commit(store->backend, error))
        return true;
    ops->rollback(store->backend);
    return false;
}

bool store_apply(struct store *store, struct store_op *op, struct error *error)
{
    op->item.next = NULL;
    if (!store->together)
        return apply_all(store, op, error);
    op->status = STORE_DONE;
    return store->backend->ops->apply(store->backend, op, error);
}

bool store_apply_together(struct store *store, bool (*body)(void *context, struct error *error),
                          void *context, struct error *error)
{
    const struct store_backend_ops *ops = store->backend->ops;
    if (!ops->begin(store->backend, error))
        return false;
    store->together = true;
    const bool done = body(context, error);
    store->together = false;
    if (done && ops->commit(store->backend, error))
        return true;
    ops->rollback(store->backend);
    return false;
}

static void set_health(struct store *store, const char *reason)
{
    const bool failing = reason != NULL;
    if (failing == store->failing)
        return;
    store->failing = failing;
    if (failing)
        log_write(&store->log, LOG_ERROR, "cannot commit, will keep trying: %s", reason);
    else
        log_write(&store->log, LOG_INFO, "commits work again");
    store->callbacks.on_health(store->callbacks.context, reason);
}

/* Sleeps before another try; false when the store is being stopped and patience has run out. */
static bool pause_before_retry(struct store *store, uint64_t pause_ms)
{
    const uint64_t retry_us = clock_monotonic_us() + pause_ms * 1000;
    (void)pthread_mutex_lock(&store->mutex);
    uint64_t now_us;
    while ((now_us = clock_monotonic_us()) < retry_us) {
        const bool hurried = store->stopping && store->give_up_us < retry_us;
        const uint64_t until_us = hurried ? store->give_up_us : retry_us;
        if (now_us >= until_us)
            break;
        const struct timespec until = {(time_t)(until_us / 1000000),
                                       (long)(until_us % 1000000 * 1000)};
        (void)pthread_cond_timedwait(&store->stop_changed, &store->mutex, &until);
    }
    const bool patient = !store->stopping || now_us < store->give_up_us;
    (void)pthread_mutex_unlock(&store->mutex);
    return patient;
}

static bool commit_all(struct store *store, struct store_op *first)
{
    struct error error;
    uint64_t pause_ms = RETRY_FIRST_MS;
    while (!apply_all(store, first, &error)) {
        set_health(store, error.text);
        if (!pause_before_retry(store, pause_ms))
            return false;
        pause_ms = pause_ms * 2 < RETRY_LAST_MS ? pause_ms * 2 : RETRY_LAST_MS;
    }
    set_health(store, NULL);
    return true;
}

static void hand_back(struct store *store, struct store_op *first, bool durable)
{
    bool wake = false;
    struct store_op *next;
    for (struct store_op *op = first; op != NULL; op = next) {
        next = store_op_next(op);
        if (!durable)
            op->status = STORE_ABANDONED;
        wake |= queue_push(&store->done, &op->item);
    }
    if (wake)
        store->callbacks.on_done(store->callbacks.context);
}

static void purge_sometimes(struct store *store)
{
    struct error error;
    size_t purged;
    const uint64_t now_us = clock_monotonic_us();
    if (now_us < store->purge_at_us || store->gave_up)
        return;
    store->purge_at_us = now_us + (uint64_t)PURGE_PAUSE_MS * 1000;
    if (!store->backend->ops->purge(store->backend, clock_wall_ms(), PURGE_ROWS, &purged, &error))
        log_write(&store->log, LOG_WARNING, "cannot delete what has expired: %s", error.text);
    else if (purged >= PURGE_ROWS)
        store->purge_at_us = now_us + (uint64_t)PURGE_NEXT_MS * 1000;
}

static void *write_all(void *argument)
{
    struct store *store = argument;
    struct queue_item *first;
    while ((first = queue_wait_all(&store->submitted)) != NULL) {
        struct store_op *ops = (struct store_op *)(void *)first;
        /* What comes after an abandoned operation may build upon it and is abandoned as well. */
        store->gave_up = store->gave_up || !commit_all(store, ops);
        hand_back(store, ops, !store->gave_up);
        purge_sometimes(store);
    }
    return NULL;
}

bool store_start(struct store *store, const struct store_callbacks *callbacks, struct error *error)
{
    store->callbacks = *callbacks;
    store->started = thread_start(&store->writer, write_all, store);
    return store->started ||
           error_set(error, ERROR_SYSTEM, "the system gives no thread for the store");
}

void store_submit(struct store *store, struct store_op *op)
{
    (void)queue_push(&store->submitted, &op->item);
}

struct store_op *store_take_done(struct store *store)
{
    return (struct store_op *)(void *)queue_take_all(&store->done);
}

void store_stop(struct store *store, uint64_t patience_ms)
{
    if (!store->started)
        return;
    (void)pthread_mutex_lock(&store->mutex);
    store->stopping = true;
    store->give_up_us = clock_monotonic_us() + patience_ms * 1000;
    (void)pthread_cond_signal(&store->stop_changed);
    (void)pthread_mutex_unlock(&store->mutex);
    queue_close(&store->submitted);
    (void)pthread_join(store->writer, NULL);
    store->started = false;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store_stop(store, 0);
    if (store->backend != NULL)
        store->backend->ops->close(store->backend);
    (void)pthread_cond_destroy(&store->stop_changed);
    (void)pthread_mutex_destroy(&store->mutex);
    queue_destroy(&store->done);
    queue_destroy(&store->submitted);
    free(store);
}
