/* WebAssembly's SIMD128: two nonces a vector. Rotates by 32 and by whole bytes are shuffles, by 63
 * a doubling and a shift. */
#include "engine/kernel_internal.h"

#include <wasm_simd128.h>

typedef v128_t vec;
enum { LANES = 2, STREAMS = 2 };

static inline vec vec_set(uint64_t word)
{
    return wasm_i64x2_splat((int64_t)word);
}

static inline vec vec_count(uint64_t start)
{
    return wasm_i64x2_make((int64_t)start, (int64_t)(start + 1));
}

static inline vec vec_add(vec a, vec b)
{
    return wasm_i64x2_add(a, b);
}

static inline vec vec_xor(vec a, vec b)
{
    return wasm_v128_xor(a, b);
}

static inline vec vec_rotate32(vec a)
{
    return wasm_i32x4_shuffle(a, a, 1, 0, 3, 2);
}

static inline vec vec_rotate24(vec a)
{
    return wasm_i8x16_shuffle(a, a, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10);
}

static inline vec vec_rotate16(vec a)
{
    return wasm_i8x16_shuffle(a, a, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9);
}

static inline vec vec_rotate63(vec a)
{
    return wasm_v128_or(wasm_i64x2_add(a, a), wasm_u64x2_shr(a, 63));
}

/* The comparison is of signed words: both sides have their top bits flipped. */
static inline unsigned vec_at_least(vec value, const struct kernel_task *task)
{
    const uint64_t sign = (uint64_t)1 << 63;
    const vec flipped = vec_xor(value, vec_set(KERNEL_FIRST_WORD ^ sign));
    return (unsigned)wasm_i64x2_bitmask(wasm_i64x2_ge(flipped, vec_set(task->threshold ^ sign)));
}

#include "engine/kernel_rounds.h"

static bool supported(void)
{
    return true;
}

const struct kernel kernel_wasm = {"wasm", "wasm", LANES *STREAMS, supported, rounds_search};
