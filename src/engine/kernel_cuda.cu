/* One nonce a thread. The first of a launch that meets the threshold is kept in *hit. Rotations are
 * of the two 32-bit halves: by 32 they change places, by whole bytes one byte permutation makes each
 * half, by 63 one funnel shift. */
typedef unsigned long long word;
typedef unsigned int half;

/* words: as generate_kernel.py numbers them; 21 is the threshold. */
struct task {
    word words[24];
};

static __device__ __forceinline__ word join(half low, half high)
{
    return (word)high << 32 | low;
}

static __device__ __forceinline__ word rotate32(word x)
{
    return join((half)(x >> 32), (half)x);
}

static __device__ __forceinline__ word rotate24(word x)
{
    return join(__byte_perm((half)x, (half)(x >> 32), 0x6543),
                __byte_perm((half)x, (half)(x >> 32), 0x2107));
}

static __device__ __forceinline__ word rotate16(word x)
{
    return join(__byte_perm((half)x, (half)(x >> 32), 0x5432),
                __byte_perm((half)x, (half)(x >> 32), 0x1076));
}

static __device__ __forceinline__ word rotate63(word x)
{
    return join(__funnelshift_l((half)(x >> 32), (half)x, 1),
                __funnelshift_l((half)x, (half)(x >> 32), 1));
}

#ifdef __cplusplus
extern "C"
#endif
__global__ void search(const struct task by_value, word start, half *hit)
{
    const struct task *task = &by_value;
    const half offset = blockIdx.x * blockDim.x + threadIdx.x;
    const word nonce = start + offset;
    if (*(volatile half *)hit < offset)
        return; /* What comes behind a find is not needed. */
@VALUE@
    if (value >= task->words[21])
        atomicMin(hit, offset);
}
