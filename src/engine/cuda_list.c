#include "engine/cuda_library.h"

#include "base/thread.h"
#include "engine/gpu.h"

#include <stdio.h>

bool cuda_start(struct cuda *cuda, struct error *error)
{
    if (!cuda_load(cuda, error))
        return false;
    const cuda_result code = cuda->init(0);
    return code == CUDA_OK || cuda_fail(cuda, "the start of the driver, cuInit,", code, error);
}

static void describe(const struct cuda *cuda, cuda_device device, struct gpu_info *info)
{
    size_t memory = 0;
    int units = 0;
    int version = 0;
    (void)cuda->device_name(info->name, sizeof info->name, device);
    (void)cuda->device_memory(&memory, device);
    (void)cuda->device_attribute(&units, CUDA_ATTRIBUTE_MULTIPROCESSORS, device);
    (void)cuda->driver_version(&version);
    (void)snprintf(info->vendor, sizeof info->vendor, "NVIDIA");
    (void)snprintf(info->driver, sizeof info->driver, "CUDA %d.%d", version / 1000,
                   version % 1000 / 10);
    info->memory_bytes = memory;
    info->compute_units = (unsigned)units;
}

static size_t list_all(struct gpu_info *list, size_t capacity, struct error *error)
{
    struct cuda cuda;
    struct nvrtc nvrtc;
    int devices = 0;
    size_t count = 0;
    if (!cuda_start(&cuda, error) || !nvrtc_load(&nvrtc, error))
        return 0;
    (void)cuda.device_count(&devices);
    for (int i = 0; i < devices && count < capacity; i++) {
        cuda_device device;
        if (cuda.device_get(&device, i) != CUDA_OK)
            continue;
        list[count] = (struct gpu_info){.kind = DEVICE_CUDA, .device = (unsigned)i, .is_gpu = true};
        describe(&cuda, device, &list[count]);
        count++;
    }
    if (count == 0)
        (void)error_set(error, ERROR_NOT_FOUND, "the CUDA driver has no device");
    return count;
}

/* A driver may start threads; the process's signals are not for them. */
size_t cuda_list(struct gpu_info *list, size_t capacity, struct error *error)
{
    sigset_t before;
    thread_hide_signals(&before);
    const size_t count = list_all(list, capacity, error);
    thread_show_signals(&before);
    return count;
}
