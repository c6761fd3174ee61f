#include "engine/devices.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 64 };

static bool append(struct device_list *list, const struct device_choice *choice,
                   struct error *error)
{
    if (list->count == ENGINE_DEVICES_MAX)
        return error_set(error, ERROR_INVALID, "device list: at most %d devices",
                         ENGINE_DEVICES_MAX);
    list->choices[list->count++] = *choice;
    return true;
}

/* A number of one to four digits; false if it is none. */
static bool parse_number(struct slice text, unsigned *number)
{
    char digits[5] = "";
    if (text.length < 1 || text.length >= sizeof digits)
        return false;
    memcpy(digits, text.data, text.length);
    if (strspn(digits, "0123456789") != text.length)
        return false;
    *number = (unsigned)strtoul(digits, NULL, 10);
    return true;
}

static bool add_cpu(const char *name, const char *kernel, struct device_list *list,
                    struct error *error)
{
    struct device_choice choice = {
        .kind = DEVICE_CPU, .threads = engine_cpu_threads(), .kernel = kernel};
    if (strcmp(name, "cpu") != 0 &&
        (!parse_number(slice_of(name + strlen("cpu:")), &choice.threads) || choice.threads < 1 ||
         choice.threads > ENGINE_THREADS_MAX))
        return error_set(error, ERROR_INVALID, "device %s: THREADS of cpu:THREADS must be 1 to %d",
                         name, ENGINE_THREADS_MAX);
    return append(list, &choice, error);
}

static bool add_gpu(const struct gpu_info *gpu, struct device_list *list, struct error *error)
{
    const struct device_choice choice = {
        .kind = gpu->kind, .threads = 1, .platform = gpu->platform, .device = gpu->device};
    return append(list, &choice, error);
}

bool device_is_automatic(const struct gpu_info *gpu, bool has_cuda, const char **why)
{
    if (gpu->kind == DEVICE_CUDA) {
        *why = "it is a GPU";
        return true;
    }
    if (!gpu->is_gpu) {
        *why = "it is the processor, which the CPU kernels search faster";
        return false;
    }
    if (has_cuda && strstr(gpu->vendor, "NVIDIA") != NULL) {
        *why = "it is searched through CUDA";
        return false;
    }
    *why = "it is a GPU";
    return true;
}

static bool add_automatic(const char *kernel, struct device_list *list, struct error *error)
{
    struct gpu_info gpus[ENGINE_DEVICES_MAX];
    struct error none;
    const size_t before = list->count;
    const size_t cuda_count = cuda_list(gpus, ENGINE_DEVICES_MAX, &none);
    const size_t count =
        cuda_count + opencl_list(gpus + cuda_count, ENGINE_DEVICES_MAX - cuda_count, &none);
    for (size_t i = 0; i < count; i++) {
        const char *why;
        if (device_is_automatic(&gpus[i], cuda_count > 0, &why) && !add_gpu(&gpus[i], list, error))
            return false;
    }
    return list->count > before || add_cpu("cpu", kernel, list, error);
}

/* Every device of a kind; of OpenCL's its GPUs, or all if it has none. */
static bool add_kind(const char *name, enum device_kind kind, struct device_list *list,
                     struct error *error)
{
    struct gpu_info gpus[ENGINE_DEVICES_MAX];
    struct error why;
    bool has_gpu = false;
    const size_t count = kind == DEVICE_CUDA ? cuda_list(gpus, ENGINE_DEVICES_MAX, &why)
                                             : opencl_list(gpus, ENGINE_DEVICES_MAX, &why);
    if (count == 0)
        return error_set(error, why.code, "device %s: %s", name, why.text);
    for (size_t i = 0; i < count; i++)
        has_gpu |= gpus[i].is_gpu;
    for (size_t i = 0; i < count; i++)
        if (gpus[i].is_gpu == has_gpu && !add_gpu(&gpus[i], list, error))
            return false;
    return true;
}

/* One device by its numbers; it must be there. */
static bool add_numbered(const char *name, const struct gpu_info *wanted, struct device_list *list,
                         struct error *error)
{
    struct gpu_info gpus[ENGINE_DEVICES_MAX];
    struct error why;
    const size_t count = wanted->kind == DEVICE_CUDA ? cuda_list(gpus, ENGINE_DEVICES_MAX, &why)
                                                     : opencl_list(gpus, ENGINE_DEVICES_MAX, &why);
    if (count == 0)
        return error_set(error, why.code, "device %s: %s", name, why.text);
    for (size_t i = 0; i < count; i++)
        if (gpus[i].platform == wanted->platform && gpus[i].device == wanted->device)
            return add_gpu(&gpus[i], list, error);
    return error_set(error, ERROR_NOT_FOUND,
                     "device %s: there is none of that number; dpow devices "
                     "lists what there is",
                     name);
}

static bool add_opencl(const char *name, struct device_list *list, struct error *error)
{
    struct gpu_info wanted = {.kind = DEVICE_OPENCL};
    if (strcmp(name, "opencl") == 0)
        return add_kind(name, DEVICE_OPENCL, list, error);
    const char *platform = name + strlen("opencl:");
    const size_t length = strcspn(platform, ":");
    if (platform[length] != ':' ||
        !parse_number((struct slice){platform, length}, &wanted.platform) ||
        !parse_number(slice_of(platform + length + 1), &wanted.device))
        return error_set(error, ERROR_INVALID,
                         "device %s: it must be opencl or opencl:PLATFORM:DEVICE, two numbers",
                         name);
    return add_numbered(name, &wanted, list, error);
}

static bool add_cuda(const char *name, struct device_list *list, struct error *error)
{
    struct gpu_info wanted = {.kind = DEVICE_CUDA};
    if (strcmp(name, "cuda") == 0)
        return add_kind(name, DEVICE_CUDA, list, error);
    if (!parse_number(slice_of(name + strlen("cuda:")), &wanted.device))
        return error_set(error, ERROR_INVALID, "device %s: it must be cuda or cuda:N, a number",
                         name);
    return add_numbered(name, &wanted, list, error);
}

static bool is_kind(const char *name, const char *kind)
{
    const size_t length = strlen(kind);
    return strncmp(name, kind, length) == 0 && (name[length] == '\0' || name[length] == ':');
}

static bool add_device(const char *name, const char *kernel, struct device_list *list,
                       struct error *error)
{
    if (strcmp(name, "auto") == 0)
        return add_automatic(kernel, list, error);
    if (is_kind(name, "cpu"))
        return add_cpu(name, kernel, list, error);
    if (is_kind(name, "opencl"))
        return add_opencl(name, list, error);
    if (is_kind(name, "cuda"))
        return add_cuda(name, list, error);
    return error_set(error, ERROR_INVALID,
                     "device %s: it must be auto, cpu, cpu:THREADS, opencl, "
                     "opencl:PLATFORM:DEVICE, cuda or cuda:N",
                     name);
}

bool device_list_parse(const char *text, const char *kernel, struct device_list *list,
                       struct error *error)
{
    struct device_list read = {.count = 0};
    while (true) {
        char name[NAME_SIZE];
        const size_t length = strcspn(text, ",");
        if (length == 0 || length >= sizeof name)
            return error_set(error, ERROR_INVALID,
                             "device list: a name of 1 to %d characters must stand between commas",
                             NAME_SIZE - 1);
        (void)snprintf(name, sizeof name, "%.*s", (int)length, text);
        if (!add_device(name, kernel, &read, error))
            return false;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *list = read;
    return true;
}
