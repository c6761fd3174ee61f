/**
 * kernel_internal: the kernels of this build, for kernel_dispatch.c, and a constant they share.
 */
#ifndef DPOW_ENGINE_KERNEL_INTERNAL_H
#define DPOW_ENGINE_KERNEL_INTERNAL_H

#include "engine/kernel.h"

/** The first word of the hash's initial state for digests of 8 bytes without a key; it is mixed
 * into the value at the very end. */
#define KERNEL_FIRST_WORD (0x6a09e667f3bcc908 ^ 0x01010008)

extern const struct kernel kernel_portable;
#if defined(__x86_64__)
extern const struct kernel kernel_avx512_2; /* Two streams, scheduled. */
extern const struct kernel kernel_avx512_3; /* Three. */
extern const struct kernel kernel_avx512_c; /* C, as every name with a c. */
extern const struct kernel kernel_avx2_2;
extern const struct kernel kernel_avx2_c;
#elif defined(__aarch64__)
extern const struct kernel kernel_neon;
#elif defined(__wasm_simd128__)
extern const struct kernel kernel_wasm;
#endif

#endif
