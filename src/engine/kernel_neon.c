/* NEON: two nonces a vector. Rotates by 32 and by whole bytes are permutations, by 63 a shift and
 * an insert. */
#include "engine/kernel_internal.h"

#include <arm_neon.h>

typedef uint64x2_t vec;
enum { LANES = 2, STREAMS = 2 };

static inline vec vec_set(uint64_t word)
{
    return vdupq_n_u64(word);
}

static inline vec vec_count(uint64_t start)
{
    return vsetq_lane_u64(start + 1, vdupq_n_u64(start), 1);
}

static inline vec vec_add(vec a, vec b)
{
    return vaddq_u64(a, b);
}

static inline vec vec_xor(vec a, vec b)
{
    return veorq_u64(a, b);
}

static inline vec vec_rotate32(vec a)
{
    return vreinterpretq_u64_u32(vrev64q_u32(vreinterpretq_u32_u64(a)));
}

static inline vec permute(vec a, const uint8_t order[16])
{
    return vreinterpretq_u64_u8(vqtbl1q_u8(vreinterpretq_u8_u64(a), vld1q_u8(order)));
}

static inline vec vec_rotate24(vec a)
{
    static const uint8_t order[16] = {3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10};
    return permute(a, order);
}

static inline vec vec_rotate16(vec a)
{
    static const uint8_t order[16] = {2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9};
    return permute(a, order);
}

static inline vec vec_rotate63(vec a)
{
    return vsriq_n_u64(vaddq_u64(a, a), a, 63);
}

static inline unsigned vec_at_least(vec value, const struct kernel_task *task)
{
    const vec met = vcgeq_u64(vec_xor(value, vec_set(KERNEL_FIRST_WORD)), vec_set(task->threshold));
    return (unsigned)(vgetq_lane_u64(met, 0) & 1) | (unsigned)(vgetq_lane_u64(met, 1) & 2);
}

#include "engine/kernel_rounds.h"

static bool supported(void)
{
    return true; /* part of every 64-bit ARM processor */
}

const struct kernel kernel_neon = {"neon", "neon", LANES *STREAMS, supported, rounds_search};
