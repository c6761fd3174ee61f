/* Commits of the SQLite store: latency and operations a second with 1, 16 and 256 in flight. */
#include "bench.h"

#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IN_FLIGHT_MAX = 256, OPERATIONS = 4000 };

struct waiting {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

static void on_done(void *context)
{
    struct waiting *waiting = context;
    (void)pthread_mutex_lock(&waiting->mutex);
    (void)pthread_cond_signal(&waiting->changed);
    (void)pthread_mutex_unlock(&waiting->mutex);
}

static void on_health(void *context, const char *reason)
{
    (void)context;
    if (reason != NULL)
        (void)fprintf(stderr, "%s\n", reason);
}

static void submit(struct store *store, struct store_op *op, uint64_t number)
{
    memset(op, 0, sizeof *op);
    op->kind = STORE_WORK;
    op->token = clock_monotonic_us();
    store_le64(op->work.record.root.bytes, number);
    op->work.record.expires_ms = INT64_MAX;
    op->work.has_account = true;
    op->work.account.key[0] = (uint8_t)(number % 100);
    store_submit(store, op);
}

static struct store_op *wait_done(struct store *store, struct waiting *waiting)
{
    struct store_op *done;
    (void)pthread_mutex_lock(&waiting->mutex);
    while ((done = store_take_done(store)) == NULL)
        (void)pthread_cond_wait(&waiting->changed, &waiting->mutex);
    (void)pthread_mutex_unlock(&waiting->mutex);
    return done;
}

static void measure(struct store *store, struct waiting *waiting, size_t in_flight,
                    uint64_t *number)
{
    static struct store_op ops[IN_FLIGHT_MAX];
    static double times[OPERATIONS + IN_FLIGHT_MAX];
    size_t ended = 0;
    size_t submitted = in_flight;
    const uint64_t begin_us = clock_monotonic_us();
    for (size_t i = 0; i < in_flight; i++)
        submit(store, &ops[i], (*number)++);
    while (ended < submitted) {
        struct store_op *next;
        for (struct store_op *op = wait_done(store, waiting); op != NULL; op = next) {
            next = store_op_next(op);
            times[ended++] = (double)(clock_monotonic_us() - op->token);
            if (submitted >= OPERATIONS)
                continue;
            submitted++;
            submit(store, op, (*number)++);
        }
    }
    const double seconds = (double)(clock_monotonic_us() - begin_us) / 1e6;
    (void)printf("%3zu in flight: %7.0f operations/s, commit p50 %6.0f us, p99 %6.0f us\n",
                 in_flight, (double)ended / seconds, bench_percentile(times, ended, 0.5),
                 bench_percentile(times, ended, 0.99));
}

int main(int argc, char **argv)
{
    char url[512];
    struct error error;
    struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};
    const struct log log = {.descriptor = STDERR_FILENO, .level = LOG_WARNING, .part = "bench"};
    const struct store_callbacks callbacks = {on_done, on_health, &waiting};
    uint64_t number = 0;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: bench_store FILE-THAT-DOES-NOT-EXIST\n");
        return 2;
    }
    (void)snprintf(url, sizeof url, "sqlite:%s", argv[1]);
    struct store *store = store_open(url, &log, &error);
    if (store == NULL || !store_start(store, &callbacks, &error)) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    measure(store, &waiting, 1, &number);
    measure(store, &waiting, 16, &number);
    measure(store, &waiting, 256, &number);
    store_close(store);
    return 0;
}
