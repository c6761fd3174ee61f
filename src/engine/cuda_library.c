#include "engine/cuda_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct symbol {
    const char *name;
    size_t offset;
};

static const struct symbol cuda_symbols[] = {
    {"cuInit", offsetof(struct cuda, init)},
    {"cuDriverGetVersion", offsetof(struct cuda, driver_version)},
    {"cuGetErrorName", offsetof(struct cuda, error_name)},
    {"cuDeviceGetCount", offsetof(struct cuda, device_count)},
    {"cuDeviceGet", offsetof(struct cuda, device_get)},
    {"cuDeviceGetName", offsetof(struct cuda, device_name)},
    {"cuDeviceTotalMem_v2", offsetof(struct cuda, device_memory)},
    {"cuDeviceGetAttribute", offsetof(struct cuda, device_attribute)},
    {"cuDevicePrimaryCtxRetain", offsetof(struct cuda, context_retain)},
    {"cuDevicePrimaryCtxRelease_v2", offsetof(struct cuda, context_release)},
    {"cuCtxSetCurrent", offsetof(struct cuda, context_use)},
    {"cuModuleLoadData", offsetof(struct cuda, module_load)},
    {"cuModuleUnload", offsetof(struct cuda, module_unload)},
    {"cuModuleGetFunction", offsetof(struct cuda, module_function)},
    {"cuFuncGetAttribute", offsetof(struct cuda, function_attribute)},
    {"cuStreamCreate", offsetof(struct cuda, stream_create)},
    {"cuStreamDestroy_v2", offsetof(struct cuda, stream_destroy)},
    {"cuEventCreate", offsetof(struct cuda, event_create)},
    {"cuEventDestroy_v2", offsetof(struct cuda, event_destroy)},
    {"cuEventRecord", offsetof(struct cuda, event_record)},
    {"cuEventQuery", offsetof(struct cuda, event_query)},
    {"cuMemAlloc_v2", offsetof(struct cuda, memory_allocate)},
    {"cuMemFree_v2", offsetof(struct cuda, memory_free)},
    {"cuMemHostAlloc", offsetof(struct cuda, host_allocate)},
    {"cuMemFreeHost", offsetof(struct cuda, host_free)},
    {"cuMemsetD32Async", offsetof(struct cuda, memory_set)},
    {"cuMemcpyDtoHAsync_v2", offsetof(struct cuda, copy_to_host)},
    {"cuLaunchKernel", offsetof(struct cuda, launch)},
};

static const struct symbol nvrtc_symbols[] = {
    {"nvrtcCreateProgram", offsetof(struct nvrtc, create)},
    {"nvrtcDestroyProgram", offsetof(struct nvrtc, destroy)},
    {"nvrtcCompileProgram", offsetof(struct nvrtc, compile)},
    {"nvrtcGetProgramLogSize", offsetof(struct nvrtc, log_size)},
    {"nvrtcGetProgramLog", offsetof(struct nvrtc, log)},
    {"nvrtcGetCUBINSize", offsetof(struct nvrtc, image_size)},
    {"nvrtcGetCUBIN", offsetof(struct nvrtc, image)},
};

static bool load_symbols(void *library, const char *what, const struct symbol *symbols,
                         size_t count, void *table, struct error *error)
{
    bool complete = true;
    for (size_t i = 0; complete && i < count; i++) {
        void *function = dlsym(library, symbols[i].name);
        if (function == NULL)
            complete = error_set(error, ERROR_SYSTEM, "this system's %s is too old: it has no %s",
                                 what, symbols[i].name);
        else
            memcpy((char *)table + symbols[i].offset, &function, sizeof function);
    }
    (void)dlclose(library); /* Opened so that it stays. */
    return complete;
}

bool cuda_load(struct cuda *cuda, struct error *error)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        return error_set(error, ERROR_NOT_FOUND,
                         "there is no CUDA driver on this system that can be loaded: %s",
                         dlerror());
    return load_symbols(library, "CUDA driver", cuda_symbols,
                        sizeof cuda_symbols / sizeof cuda_symbols[0], cuda, error);
}

bool cuda_fail(const struct cuda *cuda, const char *call, cuda_result code, struct error *error)
{
    const char *name = NULL;
    if (cuda->error_name(code, &name) != CUDA_OK || name == NULL)
        name = "unknown";
    return error_set(error, ERROR_SYSTEM, "%s failed with CUDA's code %d (%s)", call, code, name);
}

bool nvrtc_load(struct nvrtc *nvrtc, struct error *error)
{
    static const char *const names[] = {
        "libnvrtc.so",
        "libnvrtc.so.13",
        "libnvrtc.so.12",
        "libnvrtc.so.11.2",
        "/usr/local/cuda/lib64/libnvrtc.so",
    };
    void *library = NULL;
    char reason[160] = "";
    for (size_t i = 0; library == NULL && i < sizeof names / sizeof names[0]; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (library == NULL && i == 0)
            (void)snprintf(reason, sizeof reason, "%s", dlerror());
    }
    if (library == NULL)
        return error_set(error, ERROR_NOT_FOUND,
                         "there is a CUDA driver, but the compiler NVRTC cannot be loaded: %s",
                         reason);
    return load_symbols(library, "NVRTC", nvrtc_symbols,
                        sizeof nvrtc_symbols / sizeof nvrtc_symbols[0], nvrtc, error);
}
