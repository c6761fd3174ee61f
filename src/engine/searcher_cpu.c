#include "base/clock.h"
#include "engine/searcher.h"

#include <stdlib.h>

/* Batches of 50 µs cost under 1 % and are left in far less than a millisecond. */
enum { BATCH_US = 50, BATCH_FIRST = 512, BATCH_MAX = 1 << 20 };

struct searcher_cpu {
    struct searcher common;
    const struct kernel *kernel;
    struct kernel_task task;
    uint64_t batch; /* Nonces that take about BATCH_US. */
};

static void prepare(struct searcher *searcher, const struct root *root, uint64_t threshold)
{
    struct searcher_cpu *cpu = (struct searcher_cpu *)searcher;
    kernel_prepare(&cpu->task, root, threshold);
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

static struct kernel_result batch(struct searcher *searcher, uint64_t start)
{
    struct searcher_cpu *cpu = (struct searcher_cpu *)searcher;
    const uint64_t begin_us = clock_monotonic_us();
    const struct kernel_result result = cpu->kernel->search(&cpu->task, start, cpu->batch);
    if (!result.found)
        adapt(cpu, clock_monotonic_us() - begin_us);
    return result;
}

static void destroy(struct searcher *searcher)
{
    free(searcher);
}

struct searcher *searcher_cpu_create(const struct kernel *kernel)
{
    static const struct searcher_ops ops = {prepare, batch, destroy};
    struct searcher_cpu *cpu = calloc(1, sizeof *cpu);
    if (cpu == NULL)
        return NULL;
    cpu->common.ops = &ops;
    cpu->kernel = kernel;
    cpu->batch = BATCH_FIRST;
    return &cpu->common;
}
