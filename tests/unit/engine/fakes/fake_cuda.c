/* A CUDA driver with one device, whose kernel is the real source compiled for this processor: what
 * searcher_cuda.c says to a driver, and what the kernel computes, can thus be tested anywhere. What
 * the environment variable FAKE_CUDA says goes wrong: "start", "hang", "launch" or "image".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define __device__
#define __global__ static
#define __forceinline__ inline

struct place {
    unsigned x;
};

static struct place blockIdx;
static struct place blockDim;
static struct place threadIdx;

static inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector)
{
    const uint64_t bytes = (uint64_t)high << 32 | low;
    unsigned result = 0;
    for (int i = 0; i < 4; i++)
        result |= (unsigned)(bytes >> ((selector >> (4 * i) & 7) * 8) & 255) << (8 * i);
    return result;
}

static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned bits)
{
    return (unsigned)(((uint64_t)high << 32 | low) << bits >> 32);
}

static inline void atomicMin(unsigned *place, unsigned value)
{
    if (value < *place)
        *place = value;
}

#include "kernel_cuda.cu"

enum { OK = 0, INVALID = 1, NOT_READY = 600, LAUNCH_FAILED = 719 };

static int goes_wrong(const char *what)
{
    const char *wrong = getenv("FAKE_CUDA");
    return wrong != NULL && strcmp(wrong, what) == 0;
}

#define EXPORT __attribute__((visibility("default")))

EXPORT int cuInit(unsigned flags);
EXPORT int cuDriverGetVersion(int *version);
EXPORT int cuGetErrorName(int code, const char **name);
EXPORT int cuDeviceGetCount(int *count);
EXPORT int cuDeviceGet(int *device, int number);
EXPORT int cuDeviceGetName(char *name, int size, int device);
EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int device);
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int device);
EXPORT int cuDevicePrimaryCtxRetain(void **context, int device);
EXPORT int cuDevicePrimaryCtxRelease_v2(int device);
EXPORT int cuCtxSetCurrent(void *context);
EXPORT int cuModuleLoadData(void **module, const void *image);
EXPORT int cuModuleUnload(void *module);
EXPORT int cuModuleGetFunction(void **function, void *module, const char *name);
EXPORT int cuFuncGetAttribute(int *value, int attribute, void *function);
EXPORT int cuStreamCreate(void **stream, unsigned flags);
EXPORT int cuStreamDestroy_v2(void *stream);
EXPORT int cuEventCreate(void **event, unsigned flags);
EXPORT int cuEventDestroy_v2(void *event);
EXPORT int cuEventRecord(void *event, void *stream);
EXPORT int cuEventQuery(void *event);
EXPORT int cuMemAlloc_v2(uint64_t *pointer, size_t size);
EXPORT int cuMemFree_v2(uint64_t pointer);
EXPORT int cuMemHostAlloc(void **pointer, size_t size, unsigned flags);
EXPORT int cuMemFreeHost(void *pointer);
EXPORT int cuMemsetD32Async(uint64_t pointer, unsigned value, size_t count, void *stream);
EXPORT int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *stream);
EXPORT int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                          unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                          void *stream, void **parameters, void **extra);

/* Every object of the driver is a byte of its own, so that a leak or a double release is seen. */
static int make(void **object)
{
    *object = malloc(1);
    return *object == NULL ? INVALID : OK;
}

static int release(void *object)
{
    if (object == NULL)
        return INVALID;
    free(object);
    return OK;
}

int cuInit(unsigned flags)
{
    return flags == 0 && !goes_wrong("start") ? OK : INVALID;
}

int cuDriverGetVersion(int *version)
{
    *version = 12040;
    return OK;
}

int cuGetErrorName(int code, const char **name)
{
    *name = code == LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR_INVALID_VALUE";
    return OK;
}

int cuDeviceGetCount(int *count)
{
    *count = 1;
    return OK;
}

int cuDeviceGet(int *device, int number)
{
    *device = number;
    return number == 0 ? OK : INVALID;
}

int cuDeviceGetName(char *name, int size, int device)
{
    (void)device;
    (void)snprintf(name, (size_t)size, "Fake 9000");
    return OK;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    (void)device;
    *bytes = (size_t)1 << 30;
    return OK;
}

int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    (void)device;
    *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 4;
    return OK;
}

int cuDevicePrimaryCtxRetain(void **context, int device)
{
    static int the_context;
    (void)device;
    *context = &the_context;
    return OK;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
    (void)device;
    return OK;
}

int cuCtxSetCurrent(void *context)
{
    (void)context;
    return OK;
}

int cuModuleLoadData(void **module, const void *image)
{
    if (strcmp(image, "machine code") != 0 || goes_wrong("image"))
        return INVALID;
    return make(module);
}

int cuModuleUnload(void *module)
{
    return release(module);
}

int cuModuleGetFunction(void **function, void *module, const char *name)
{
    *function = module;
    return strcmp(name, "search") == 0 ? OK : INVALID;
}

int cuFuncGetAttribute(int *value, int attribute, void *function)
{
    (void)attribute;
    (void)function;
    *value = 256;
    return OK;
}

int cuStreamCreate(void **stream, unsigned flags)
{
    (void)flags;
    return make(stream);
}

int cuStreamDestroy_v2(void *stream)
{
    return release(stream);
}

int cuEventCreate(void **event, unsigned flags)
{
    (void)flags;
    return make(event);
}

int cuEventDestroy_v2(void *event)
{
    return release(event);
}

int cuEventRecord(void *event, void *stream)
{
    return event != NULL && stream != NULL ? OK : INVALID;
}

int cuEventQuery(void *event)
{
    (void)event;
    return goes_wrong("hang") ? NOT_READY : OK;
}

int cuMemAlloc_v2(uint64_t *pointer, size_t size)
{
    void *memory = malloc(size);
    *pointer = (uint64_t)(uintptr_t)memory;
    return memory == NULL ? INVALID : OK;
}

int cuMemFree_v2(uint64_t pointer)
{
    return release((void *)(uintptr_t)pointer);
}

int cuMemHostAlloc(void **pointer, size_t size, unsigned flags)
{
    (void)flags;
    *pointer = malloc(size);
    return *pointer == NULL ? INVALID : OK;
}

int cuMemFreeHost(void *pointer)
{
    return release(pointer);
}

int cuMemsetD32Async(uint64_t pointer, unsigned value, size_t count, void *stream)
{
    (void)stream;
    for (size_t i = 0; i < count; i++)
        ((unsigned *)(uintptr_t)pointer)[i] = value;
    return OK;
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *stream)
{
    (void)stream;
    memcpy(to, (const void *)(uintptr_t)from, size);
    return OK;
}

int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                   void *stream, void **parameters, void **extra)
{
    (void)shared;
    (void)extra;
    if (function == NULL || stream == NULL || grid_y * grid_z * block_y * block_z != 1)
        return INVALID;
    if (goes_wrong("launch"))
        return LAUNCH_FAILED;
    blockDim.x = block_x;
    for (blockIdx.x = 0; blockIdx.x < grid_x; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < block_x; threadIdx.x++)
            search(*(const struct task *)parameters[0], *(const word *)parameters[1],
                   (half *)(uintptr_t) * (const uint64_t *)parameters[2]);
    return OK;
}
