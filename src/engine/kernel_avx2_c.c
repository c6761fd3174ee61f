/* AVX2: four nonces a vector. There is no 64-bit rotate: by whole bytes it is a shuffle, by 63 a
 * doubling and a shift. */
#include "engine/kernel_internal.h"

#include <immintrin.h>

typedef __m256i vec;
enum { LANES = 4, STREAMS = 2 };

static inline vec vec_set(uint64_t word)
{
    return _mm256_set1_epi64x((long long)word);
}

static inline vec vec_count(uint64_t start)
{
    return _mm256_add_epi64(vec_set(start), _mm256_setr_epi64x(0, 1, 2, 3));
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_epi64(a, b);
}

static inline vec vec_xor(vec a, vec b)
{
    return _mm256_xor_si256(a, b);
}

static inline vec vec_rotate32(vec a)
{
    return _mm256_shuffle_epi32(a, _MM_SHUFFLE(2, 3, 0, 1));
}

static inline vec vec_rotate24(vec a)
{
    return _mm256_shuffle_epi8(a, _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9,
                                                   10, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15,
                                                   8, 9, 10));
}

static inline vec vec_rotate16(vec a)
{
    return _mm256_shuffle_epi8(a, _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15,
                                                   8, 9, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14,
                                                   15, 8, 9));
}

static inline vec vec_rotate63(vec a)
{
    return _mm256_or_si256(_mm256_add_epi64(a, a), _mm256_srli_epi64(a, 63));
}

/* The comparison is of signed words: both sides have their top bits flipped. */
static inline unsigned vec_at_least(vec value, const struct kernel_task *task)
{
    const uint64_t sign = (uint64_t)1 << 63;
    const vec flipped = vec_xor(value, vec_set(KERNEL_FIRST_WORD ^ sign));
    const vec below = _mm256_cmpgt_epi64(vec_set(task->threshold ^ sign), flipped);
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(below)) ^ 15;
}

#include "engine/kernel_rounds.h"

static bool supported(void)
{
    return __builtin_cpu_supports("avx2");
}

const struct kernel kernel_avx2_c = {"avx2-c", "avx2", LANES *STREAMS, supported, rounds_search};
