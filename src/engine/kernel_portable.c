/* Plain C: for every processor, and the reference of the other kernels. */
#include "engine/kernel_internal.h"

typedef uint64_t vec;
enum { LANES = 1, STREAMS = 2 };

static inline vec vec_set(uint64_t word)
{
    return word;
}

static inline vec vec_count(uint64_t start)
{
    return start;
}

static inline vec vec_add(vec a, vec b)
{
    return a + b;
}

static inline vec vec_xor(vec a, vec b)
{
    return a ^ b;
}

static inline vec vec_rotate32(vec a)
{
    return a >> 32 | a << 32;
}

static inline vec vec_rotate24(vec a)
{
    return a >> 24 | a << 40;
}

static inline vec vec_rotate16(vec a)
{
    return a >> 16 | a << 48;
}

static inline vec vec_rotate63(vec a)
{
    return a >> 63 | a << 1;
}

static inline unsigned vec_at_least(vec value, const struct kernel_task *task)
{
    return (value ^ KERNEL_FIRST_WORD) >= task->threshold;
}

#include "engine/kernel_rounds.h"

static bool supported(void)
{
    return true;
}

const struct kernel kernel_portable = {"portable", "portable", LANES *STREAMS, supported,
                                       rounds_search};
