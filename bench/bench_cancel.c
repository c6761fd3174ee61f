/* How soon the engine begins a search and leaves one: from engine_search() on a sleeping engine to
 * the find of the first batch, and from engine_cancel() to that of the next search. */
#include "bench.h"

#include "engine/devices.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { ROUNDS = 2000, PAUSE_US = 300 };

struct ends {
    atomic_uint_fast64_t last_us;
    sem_t count;
};

static void on_end(void *context, const struct search_end *end)
{
    struct ends *ends = context;
    (void)end;
    atomic_store(&ends->last_us, clock_monotonic_us());
    (void)sem_post(&ends->count);
}

/* Asleep, so that it takes no core from the engine. */
static double wait_ends(struct ends *ends, unsigned count, uint64_t begin_us)
{
    for (unsigned i = 0; i < count; i++)
        while (sem_wait(&ends->count) != 0) {
        }
    return (double)(atomic_load(&ends->last_us) - begin_us);
}

/* The next search begins on a thread when that has left the one before, and the first nonce meets
 * its threshold: its end marks that the device was free. */
static double cancel_once(struct engine *engine, struct ends *ends, const struct root *root)
{
    struct error error;
    const search_id endless = engine_search(engine, root, UINT64_MAX, SEARCH_ONDEMAND, &error);
    (void)engine_search(engine, root, 0, SEARCH_ONDEMAND, &error);
    (void)usleep(PAUSE_US);
    const uint64_t begin_us = clock_monotonic_us();
    (void)engine_cancel(engine, endless);
    return wait_ends(ends, 2, begin_us);
}

/* The engine sleeps before, and the first batch finds. */
static double begin_once(struct engine *engine, struct ends *ends, const struct root *root)
{
    struct error error;
    (void)usleep(PAUSE_US);
    const uint64_t begin_us = clock_monotonic_us();
    (void)engine_search(engine, root, 0, SEARCH_ONDEMAND, &error);
    return wait_ends(ends, 1, begin_us);
}

static void measure(const char *what,
                    double (*once)(struct engine *engine, struct ends *ends,
                                   const struct root *root),
                    struct engine *engine, struct ends *ends)
{
    static double times[ROUNDS];
    const struct root root = {{1}};
    for (int i = 0; i < ROUNDS; i++)
        times[i] = once(engine, ends, &root);
    (void)printf("%s: p50 %.0f us, p99 %.0f us, of %d\n", what,
                 bench_percentile(times, ROUNDS, 0.5), bench_percentile(times, ROUNDS, 0.99),
                 ROUNDS);
}

/* bench_cancel [DEVICES] */
int main(int argc, char **argv)
{
    static struct ends ends;
    struct error error;
    struct device_list devices;
    struct engine *engine = NULL;
    (void)sem_init(&ends.count, 0, 0);
    if (device_list_parse(argc > 1 ? argv[1] : "cpu:1", NULL, &devices, &error))
        engine = engine_create(&(struct engine_options){.devices = devices.choices,
                                                        .device_count = devices.count,
                                                        .on_end = on_end,
                                                        .context = &ends},
                               &error);
    if (engine == NULL) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    measure("search to its first find, from sleep", begin_once, engine, &ends);
    measure("cancel to the next search's first find", cancel_once, engine, &ends);
    engine_destroy(engine);
    return 0;
}
