/* One nonce a work item. *hit keeps one of a launch that meets the threshold: on a GPU the first; a
 * compiler for processors makes vectors of the work items only if nothing in them is atomic, which is
 * worth a factor of five. */
typedef ulong word;

/* words: as generate_kernel.py numbers them; 21 is the threshold. */
struct task {
    word words[24];
};

/* OpenCL's rotate() is to the left. */
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

__kernel void search(__constant const struct task *task, word start, __global uint *hit)
{
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
