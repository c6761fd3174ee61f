#include "base/clock.h"
#include "engine/searcher.h"

#include <stdlib.h>

/* Batches of 50 µs cost under 1 % and are left in far less than a millisecond. */
enum { BATCH_US = 50, BATCH_FIRST = 512, BATCH_MAX = 1 << 20 };

struct searcher_cpu {
    struct searcher common;
    const struct kernel *kernel;
    struct kernel_task task;
    uint64_t start; /* Where the next batch begins. */
    uint64_t batch; /* Nonces that take about BATCH_US. */
};

static bool begin(struct searcher *searcher, const struct root *root, uint64_t threshold,
                  uint64_t start, struct error *error)
{
    struct searcher_cpu *cpu = (struct searcher_cpu *)searcher;
    (void)error;
    kernel_prepare(&cpu->task, root, threshold);
    cpu->start = start;
    return true;
}

/* Follows the measured speed, by at most a factor of two a batch: a thread that was interrupted
 * must not shrink its batches to nothing. */
static void adapt(struct searcher_cpu *cpu, uint64_t elapsed_us)
{
    if (elapsed_us > 2 * BATCH_US && cpu->batch > cpu->kernel->width)
        cpu->batch -= cpu->batch / 4;
    else if (elapsed_us < BATCH_US * 3 / 4 && cpu->batch < BATCH_MAX)
        cpu->batch += cpu->batch / 4 + 1;
    else if (elapsed_us > BATCH_US * 5 / 4 && cpu->batch > cpu->kernel->width)
        cpu->batch -= cpu->batch / 16;
}

static bool next(struct searcher *searcher, struct kernel_result *result, struct error *error)
{
    struct searcher_cpu *cpu = (struct searcher_cpu *)searcher;
    (void)error;
    const uint64_t begin_us = clock_monotonic_us();
    *result = cpu->kernel->search(&cpu->task, cpu->start, cpu->batch);
    cpu->start += result->tried;
    if (!result->found)
        adapt(cpu, clock_monotonic_us() - begin_us);
    return true;
}

static void destroy(struct searcher *searcher)
{
    free(searcher);
}

struct searcher *searcher_cpu_create(const struct kernel *kernel)
{
    static const struct searcher_ops ops = {begin, next, destroy};
    struct searcher_cpu *cpu = calloc(1, sizeof *cpu);
    if (cpu == NULL)
        return NULL;
    cpu->common.ops = &ops;
    cpu->kernel = kernel;
    cpu->batch = BATCH_FIRST;
    return &cpu->common;
}
