/**
 * devices: the list of devices a user names (cli.md): `auto`, `cpu`, `cpu:THREADS`, `opencl`,
 * `opencl:PLATFORM:DEVICE`, `cuda`, `cuda:N`, separated by commas.
 */
#ifndef DPOW_ENGINE_DEVICES_H
#define DPOW_ENGINE_DEVICES_H

#include "engine/gpu.h"

/** Devices chosen; the first count are set. */
struct device_list {
    struct device_choice choices[ENGINE_DEVICES_MAX];
    size_t count;
};

/**
 * Reads a list. `auto` is every GPU, or the CPU with all its threads where there is none; `opencl`
 * its GPUs, or all its devices if it has none. What is named must be there.
 * @param kernel forces a CPU kernel by name, as a benchmark wants; NULL for the fastest
 * @return false with the error naming the device and what it may be
 */
bool device_list_parse(const char *text, const char *kernel, struct device_list *list,
                       struct error *error);

/**
 * Whether `auto` uses a device.
 * @param has_cuda whether CUDA has devices: they are not used a second time through OpenCL
 * @param why a literal, for people: "it is …"
 */
bool device_is_automatic(const struct gpu_info *gpu, bool has_cuda, const char **why);

#endif
