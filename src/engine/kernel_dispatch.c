#include "engine/kernel_internal.h"

#include <time.h>

/* A trial takes about 0.1 ms on a processor of today; the shortest of several counts, because
 * anything else that runs can only make one longer. */
enum { TRIALS = 9, TRIAL_NONCES = 24 * 16 * 10 };

static const struct kernel *const kernels[] = {
#if defined(__x86_64__)
    &kernel_avx512_2, &kernel_avx512_3,
    &kernel_avx512_c, &kernel_avx2_2,
    &kernel_avx2_c,
#elif defined(__aarch64__)
    &kernel_neon,
#endif
    &kernel_portable, NULL,
};

const struct kernel *const *kernel_all(void)
{
    return kernels;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t try_once(const struct kernel *kernel, const struct kernel_task *task)
{
    const uint64_t begun = now_ns();
    (void)kernel->search(task, 0, TRIAL_NONCES);
    return now_ns() - begun;
}

static bool is_candidate(const struct kernel *kernel, const char *family)
{
    return kernel->supported() && (family == NULL || strcmp(kernel->family, family) == 0);
}

/* The fastest of a family, or of all; in turns, so that a change of the clock meets all alike. No
 * nonce meets the threshold. NULL if the processor supports none. */
static const struct kernel *measure_fastest(const char *family)
{
    struct kernel_task task;
    uint64_t shortest_ns = UINT64_MAX;
    const struct kernel *fastest = NULL;
    kernel_prepare(&task, &(struct root){{0}}, UINT64_MAX);
    for (int trial = 0; trial < TRIALS; trial++)
        for (const struct kernel *const *kernel = kernels; *kernel != NULL; kernel++) {
            if (!is_candidate(*kernel, family))
                continue;
            const uint64_t ns = try_once(*kernel, &task);
            if (ns < shortest_ns) {
                shortest_ns = ns;
                fastest = *kernel;
            }
        }
    return fastest;
}

const struct kernel *kernel_best(void)
{
    return measure_fastest(NULL);
}

const struct kernel *kernel_find(const char *name)
{
    const struct kernel *of_family = NULL;
    for (const struct kernel *const *kernel = kernels; *kernel != NULL; kernel++) {
        if (strcmp((*kernel)->name, name) == 0)
            return *kernel;
        if (of_family == NULL && strcmp((*kernel)->family, name) == 0)
            of_family = *kernel;
    }
    const struct kernel *fastest = of_family == NULL ? NULL : measure_fastest(name);
    return fastest == NULL ? of_family : fastest;
}
