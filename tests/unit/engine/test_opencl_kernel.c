/* The OpenCL kernel as GPUs get it, compiled for this processor: PoCL in test_gpu.c gets the other
 * half of its source. */
#include "test.h"

#include "base/random.h"
#include "engine/gpu_internal.h"

#define ON_GPU
#define inline static inline
#define __kernel static
#define __global

typedef uint64_t ulong_64;
typedef unsigned int uint_32;
#define ulong ulong_64
#define uint uint_32

static unsigned item;

static unsigned get_global_id(unsigned dimension)
{
    return dimension == 0 ? item : UINT32_MAX;
}

static void atomic_min(unsigned *place, unsigned value)
{
    if (value < *place)
        *place = value;
}

#include "kernel_opencl.cl"

#undef inline

enum { ITEMS = 1024 };

/* Work items run in any order: here from the last to the first, so that each find is replaced. */
static unsigned run(const struct root *root, uint64_t threshold, uint64_t start)
{
    struct task task;
    unsigned hit = GPU_NONE;
    gpu_task_words(task.words, root, threshold);
    for (item = ITEMS; item-- > 0;)
        search(task, start, &hit);
    return hit;
}

static unsigned expect(const struct root *root, uint64_t threshold, uint64_t start)
{
    for (unsigned i = 0; i < ITEMS; i++)
        if (work_value(start + i, root) >= threshold)
            return i;
    return GPU_NONE;
}

static void the_first_nonce_that_meets_the_threshold_is_kept(void **state)
{
    (void)state;
    static const uint64_t thresholds[] = {0, UINT64_C(1) << 63, 0xff00000000000000,
                                          0xffc0000000000000, UINT64_MAX};
    struct random random;
    random_seed(&random, 71);
    for (int i = 0; i < 200; i++) {
        struct root root;
        const uint64_t threshold = thresholds[i % (int)COUNT(thresholds)];
        const uint64_t start =
            i % 3 == 0 ? UINT64_MAX - random_below(&random, ITEMS) : random_next(&random);
        for (size_t b = 0; b < sizeof root.bytes; b++)
            root.bytes[b] = (uint8_t)random_next(&random);
        assert_int_equal(run(&root, threshold, start), expect(&root, threshold, start));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_nonce_that_meets_the_threshold_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
