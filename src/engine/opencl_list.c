#include "engine/opencl_library.h"

#include "base/thread.h"
#include "engine/gpu.h"

#include <stdio.h>

enum { PLATFORMS_MAX = 16, DEVICES_MAX = 64 };

static cl_uint list_platforms(const struct opencl *cl, cl_platform_id platforms[PLATFORMS_MAX])
{
    cl_uint count = 0;
    if (cl->get_platform_ids(PLATFORMS_MAX, platforms, &count) != CL_SUCCESS)
        return 0;
    return count < PLATFORMS_MAX ? count : PLATFORMS_MAX;
}

static cl_uint list_devices(const struct opencl *cl, cl_platform_id platform,
                            cl_device_id devices[DEVICES_MAX])
{
    cl_uint count = 0;
    if (cl->get_device_ids(platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, devices, &count) !=
        CL_SUCCESS)
        return 0;
    return count < DEVICES_MAX ? count : DEVICES_MAX;
}

bool opencl_find(const struct opencl *cl, unsigned platform, unsigned device,
                 cl_platform_id *platform_id, cl_device_id *device_id, struct error *error)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_device_id devices[DEVICES_MAX];
    const cl_uint platform_count = list_platforms(cl, platforms);
    if (platform >= platform_count)
        return error_set(error, ERROR_NOT_FOUND, "there is no OpenCL platform %u, only %u of them",
                         platform, platform_count);
    const cl_uint device_count = list_devices(cl, platforms[platform], devices);
    if (device >= device_count)
        return error_set(error, ERROR_NOT_FOUND,
                         "OpenCL platform %u has no device %u, only %u of them", platform, device,
                         device_count);
    *platform_id = platforms[platform];
    *device_id = devices[device];
    return true;
}

void opencl_device_text(const struct opencl *cl, cl_device_id device, cl_device_info what,
                        char *text, size_t size)
{
    char whole[1024] = "";
    if (cl->get_device_info(device, what, sizeof whole - 1, whole, NULL) != CL_SUCCESS)
        whole[0] = '\0';
    (void)snprintf(text, size, "%.*s", (int)size - 1, whole);
}

static void describe(const struct opencl *cl, cl_device_id device, struct gpu_info *info)
{
    cl_device_type type = 0;
    cl_uint units = 0;
    cl_ulong memory = 0;
    (void)cl->get_device_info(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    (void)cl->get_device_info(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    (void)cl->get_device_info(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    info->is_gpu = (type & (CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR)) != 0;
    info->compute_units = units;
    info->memory_bytes = memory;
    opencl_device_text(cl, device, CL_DEVICE_NAME, info->name, sizeof info->name);
    opencl_device_text(cl, device, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    opencl_device_text(cl, device, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
}

static size_t list_all(struct gpu_info *list, size_t capacity, struct error *error)
{
    struct opencl cl;
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_device_id devices[DEVICES_MAX];
    size_t count = 0;
    if (!opencl_load(&cl, error))
        return 0;
    const cl_uint platform_count = list_platforms(&cl, platforms);
    for (cl_uint p = 0; p < platform_count; p++) {
        const cl_uint device_count = list_devices(&cl, platforms[p], devices);
        for (cl_uint d = 0; d < device_count && count < capacity; d++) {
            list[count] = (struct gpu_info){.kind = DEVICE_OPENCL, .platform = p, .device = d};
            describe(&cl, devices[d], &list[count]);
            count++;
        }
    }
    if (count == 0)
        (void)error_set(error, ERROR_NOT_FOUND,
                        "OpenCL is installed, but no driver of it has a device");
    return count;
}

/* A driver may start threads; the process's signals are not for them. */
size_t opencl_list(struct gpu_info *list, size_t capacity, struct error *error)
{
    sigset_t before;
    thread_hide_signals(&before);
    const size_t count = list_all(list, capacity, error);
    thread_show_signals(&before);
    return count;
}
