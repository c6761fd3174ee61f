/* What NVIDIA's compilers know by themselves and clang without a toolkit does not, so that the CUDA
 * kernel can be compiled to machine language for GPUs on a machine that has neither. */
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __forceinline__ inline __attribute__((always_inline))

struct place {
    unsigned x;
};

#define threadIdx (place{(unsigned)__nvvm_read_ptx_sreg_tid_x()})
#define blockIdx (place{(unsigned)__nvvm_read_ptx_sreg_ctaid_x()})
#define blockDim (place{(unsigned)__nvvm_read_ptx_sreg_ntid_x()})

static __device__ __forceinline__ unsigned __byte_perm(unsigned low, unsigned high,
                                                       unsigned selector)
{
    unsigned result;
    __asm__("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(low), "r"(high), "r"(selector));
    return result;
}

static __device__ __forceinline__ unsigned __funnelshift_l(unsigned low, unsigned high,
                                                           unsigned bits)
{
    unsigned result;
    __asm__("shf.l.wrap.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(low), "r"(high), "r"(bits));
    return result;
}

static __device__ __forceinline__ void atomicMin(unsigned *place, unsigned value)
{
    __nvvm_atom_min_gen_ui(place, value);
}
