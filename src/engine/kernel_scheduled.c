/* The kernels that generate_kernel.py schedules: what they are called with, and what they leave to
 * do. They tell only which group of nonces has a hit; the plain kernel finds it there, which costs
 * microseconds a find. */
#include "engine/kernel_internal.h"

enum { CONSTANTS = 24 };

/* The table the assembly reads; generate_kernel.py has the same order. */
struct constants {
    uint64_t root[4];
    uint64_t state[16];
    uint64_t first_word;
    uint64_t threshold;
    uint64_t group;
    uint64_t unused;
};

_Static_assert(sizeof(struct constants) == CONSTANTS * sizeof(uint64_t), "the assembly's table");

typedef uint64_t search_groups(const struct constants *constants, uint64_t start, uint64_t groups);

search_groups kernel_avx512_2_groups;
search_groups kernel_avx512_3_groups;
search_groups kernel_avx2_2_groups;

/* AVX2 compares signed words: there both sides have their top bits flipped. */
static void fill(struct constants *constants, const struct kernel_task *task, unsigned group,
                 uint64_t flip)
{
    memcpy(constants->root, task->root, sizeof constants->root);
    memcpy(constants->state, task->state, sizeof constants->state);
    memcpy(constants->state, task->folded, 3 * sizeof task->folded[0]);
    constants->state[13] = task->folded[3];
    constants->first_word = KERNEL_FIRST_WORD ^ flip;
    constants->threshold = task->threshold ^ flip;
    constants->group = group;
    constants->unused = 0;
}

static struct kernel_result search(search_groups *function, unsigned width, uint64_t flip,
                                   const struct kernel_task *task, uint64_t start, uint64_t count)
{
    const uint64_t groups = (count - 1) / width + 1;
    struct constants constants;
    fill(&constants, task, width, flip);
    const uint64_t before = function(&constants, start, groups);
    if (before == groups)
        return (struct kernel_result){false, 0, groups * width};
    struct kernel_result result = kernel_portable.search(task, start + before * width, width);
    result.tried = (before + 1) * width;
    return result;
}

static struct kernel_result search_avx512_2(const struct kernel_task *task, uint64_t start,
                                            uint64_t count)
{
    return search(kernel_avx512_2_groups, kernel_avx512_2.width, 0, task, start, count);
}

static struct kernel_result search_avx512_3(const struct kernel_task *task, uint64_t start,
                                            uint64_t count)
{
    return search(kernel_avx512_3_groups, kernel_avx512_3.width, 0, task, start, count);
}

static struct kernel_result search_avx2_2(const struct kernel_task *task, uint64_t start,
                                          uint64_t count)
{
    return search(kernel_avx2_2_groups, kernel_avx2_2.width, (uint64_t)1 << 63, task, start, count);
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

const struct kernel kernel_avx512_2 = {"avx512-2", "avx512", 16, has_avx512, search_avx512_2};
const struct kernel kernel_avx512_3 = {"avx512-3", "avx512", 24, has_avx512, search_avx512_3};
const struct kernel kernel_avx2_2 = {"avx2-2", "avx2", 8, has_avx2, search_avx2_2};
