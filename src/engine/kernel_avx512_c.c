/* AVX-512: eight nonces a vector, with a rotate instruction and an unsigned compare. */
#include "engine/kernel_internal.h"

#include <immintrin.h>

typedef __m512i vec;
enum { LANES = 8, STREAMS = 2 };

static inline vec vec_set(uint64_t word)
{
    return _mm512_set1_epi64((long long)word);
}

static inline vec vec_count(uint64_t start)
{
    return _mm512_add_epi64(vec_set(start), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_epi64(a, b);
}

static inline vec vec_xor(vec a, vec b)
{
    return _mm512_xor_si512(a, b);
}

static inline vec vec_rotate32(vec a)
{
    return _mm512_ror_epi64(a, 32);
}

static inline vec vec_rotate24(vec a)
{
    return _mm512_ror_epi64(a, 24);
}

static inline vec vec_rotate16(vec a)
{
    return _mm512_ror_epi64(a, 16);
}

static inline vec vec_rotate63(vec a)
{
    return _mm512_ror_epi64(a, 63);
}

static inline unsigned vec_at_least(vec value, const struct kernel_task *task)
{
    return _mm512_cmpge_epu64_mask(vec_xor(value, vec_set(KERNEL_FIRST_WORD)),
                                   vec_set(task->threshold));
}

#include "engine/kernel_rounds.h"

static bool supported(void)
{
    return __builtin_cpu_supports("avx512f");
}

const struct kernel kernel_avx512_c = {"avx512-c", "avx512", LANES *STREAMS, supported,
                                       rounds_search};
