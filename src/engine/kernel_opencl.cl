/* One nonce a work item. *hit keeps one of a launch that meets the threshold: on a GPU the first; a
 * compiler for processors makes vectors of the work items only if nothing in them is atomic, which is
 * worth a factor of five. */
typedef ulong word;

/* words: as generate_kernel.py numbers them; 21 is the threshold. */
struct task {
    word words[24];
};

#ifdef ON_GPU
/* Rotations of the two 32-bit halves, as in kernel_cuda.cu: GPUs have no rotation of 64 bits, and what
 * AMD's compiler makes of rotate() is 5 operations, some of them slow, where 2 will do. */
inline word join(uint low, uint high)
{
    return (word)high << 32 | low;
}

inline word rotate32(word x)
{
    return join((uint)(x >> 32), (uint)x);
}

inline word rotate24(word x)
{
    const uint low = (uint)x;
    const uint high = (uint)(x >> 32);
    return join(low >> 24 | high << 8, high >> 24 | low << 8);
}

inline word rotate16(word x)
{
    const uint low = (uint)x;
    const uint high = (uint)(x >> 32);
    return join(low >> 16 | high << 16, high >> 16 | low << 16);
}

inline word rotate63(word x)
{
    const uint low = (uint)x;
    const uint high = (uint)(x >> 32);
    return join(low << 1 | high >> 31, high << 1 | low >> 31);
}
#else
/* OpenCL's rotate() is to the left. Vectors of the processor rotate 64 bits at once. */
inline word rotate32(word x)
{
    return rotate(x, (word)32);
}

inline word rotate24(word x)
{
    return rotate(x, (word)40);
}

inline word rotate16(word x)
{
    return rotate(x, (word)48);
}

inline word rotate63(word x)
{
    return rotate(x, (word)1);
}
#endif

__kernel void search(const struct task by_value, word start, __global uint *hit)
{
    const struct task *task = &by_value;
    const uint offset = (uint)get_global_id(0);
    const word nonce = start + offset;
#ifdef ON_GPU
    if (*(volatile __global uint *)hit < offset)
        return; /* What comes behind a find is not needed. */
#endif
@VALUE@
    if (value >= task->words[21])
#ifdef ON_GPU
        atomic_min(hit, offset);
#else
        *hit = offset;
#endif
}
