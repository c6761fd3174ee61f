#include "engine/gpu_internal.h"
#include "engine/opencl_library.h"

#include <stdlib.h>

struct opencl_driver {
    struct gpu_driver common;
    struct opencl cl;
    cl_platform_id platform;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel kernel;
    cl_mem hit[GPU_SLOTS];
    cl_event done[GPU_SLOTS];
    cl_uint results[GPU_SLOTS]; /* Written by the device's driver while a launch is in flight. */
    uint64_t words[GPU_TASK_WORDS];
};

static bool fail(const char *call, cl_int code, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, "%s failed with OpenCL's code %d (%s)", call, code,
                     opencl_code_name(code));
}

/* The task travels with each launch, by value: nothing to wait for. */
static bool load(struct gpu_driver *common, const uint64_t words[GPU_TASK_WORDS],
                 struct error *error)
{
    struct opencl_driver *driver = (struct opencl_driver *)common;
    (void)error;
    memcpy(driver->words, words, sizeof driver->words);
    return true;
}

static cl_int set_arguments(struct opencl_driver *driver, unsigned slot, uint64_t start)
{
    const cl_ulong start_value = start;
    cl_int code = driver->cl.set_kernel_arg(driver->kernel, 0, sizeof driver->words, driver->words);
    if (code == CL_SUCCESS)
        code = driver->cl.set_kernel_arg(driver->kernel, 1, sizeof start_value, &start_value);
    if (code == CL_SUCCESS)
        code = driver->cl.set_kernel_arg(driver->kernel, 2, sizeof driver->hit[slot],
                                         &driver->hit[slot]);
    return code;
}

static bool launch(struct gpu_driver *common, unsigned slot, uint64_t start, uint32_t items,
                   struct error *error)
{
    static const cl_uint none = GPU_NONE;
    struct opencl_driver *driver = (struct opencl_driver *)common;
    const struct opencl *cl = &driver->cl;
    const size_t global = items;
    const size_t local = common->local;
    cl_int code = set_arguments(driver, slot, start);
    if (code != CL_SUCCESS)
        return fail("clSetKernelArg", code, error);
    code = cl->enqueue_write_buffer(driver->queue, driver->hit[slot], CL_FALSE, 0, sizeof none,
                                    &none, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return fail("clEnqueueWriteBuffer", code, error);
    code = cl->enqueue_nd_range_kernel(driver->queue, driver->kernel, 1, NULL, &global, &local, 0,
                                       NULL, NULL);
    if (code != CL_SUCCESS)
        return fail("clEnqueueNDRangeKernel", code, error);
    code = cl->enqueue_read_buffer(driver->queue, driver->hit[slot], CL_FALSE, 0,
                                   sizeof driver->results[slot], &driver->results[slot], 0, NULL,
                                   &driver->done[slot]);
    if (code != CL_SUCCESS)
        return fail("clEnqueueReadBuffer", code, error);
    code = cl->flush(driver->queue);
    return code == CL_SUCCESS || fail("clFlush", code, error);
}

static enum gpu_state poll(struct gpu_driver *common, unsigned slot, uint32_t *hit,
                           struct error *error)
{
    struct opencl_driver *driver = (struct opencl_driver *)common;
    cl_int status = CL_QUEUED;
    const cl_int code = driver->cl.get_event_info(
        driver->done[slot], CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    if (code == CL_SUCCESS && status > CL_COMPLETE)
        return GPU_BUSY;
    (void)driver->cl.release_event(driver->done[slot]);
    driver->done[slot] = NULL;
    if (code == CL_SUCCESS && status == CL_COMPLETE) {
        *hit = driver->results[slot];
        return GPU_DONE;
    }
    (void)fail("the launch", code == CL_SUCCESS ? status : code, error);
    return GPU_FAILED;
}

/* Whether a launch that could not be begun to the end may still write its result. */
static bool is_pending(const struct opencl_driver *driver, unsigned slot)
{
    cl_int status = CL_COMPLETE;
    return driver->done[slot] != NULL &&
           driver->cl.get_event_info(driver->done[slot], CL_EVENT_COMMAND_EXECUTION_STATUS,
                                     sizeof status, &status, NULL) == CL_SUCCESS &&
           status > CL_COMPLETE;
}

static void destroy(struct gpu_driver *common, bool hangs)
{
    struct opencl_driver *driver = (struct opencl_driver *)common;
    const struct opencl *cl = &driver->cl;
    for (unsigned slot = 0; slot < GPU_SLOTS; slot++)
        hangs = hangs || is_pending(driver, slot);
    if (hangs)
        return; /* The results are still the device's to write: nothing may be freed. */
    for (unsigned slot = 0; slot < GPU_SLOTS; slot++) {
        if (driver->done[slot] != NULL)
            (void)cl->release_event(driver->done[slot]);
        if (driver->hit[slot] != NULL)
            (void)cl->release_mem_object(driver->hit[slot]);
    }
    if (driver->kernel != NULL)
        (void)cl->release_kernel(driver->kernel);
    if (driver->program != NULL)
        (void)cl->release_program(driver->program);
    if (driver->queue != NULL)
        (void)cl->release_command_queue(driver->queue);
    if (driver->context != NULL)
        (void)cl->release_context(driver->context);
    free(driver);
}

static bool is_gpu(const struct opencl_driver *driver)
{
    cl_device_type type = 0;
    (void)driver->cl.get_device_info(driver->device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    return (type & CL_DEVICE_TYPE_CPU) == 0;
}

static cl_int build(struct opencl_driver *driver)
{
    return driver->cl.build_program(driver->program, 1, &driver->device,
                                    is_gpu(driver) ? "-cl-std=CL1.2 -DON_GPU" : "-cl-std=CL1.2",
                                    NULL, NULL);
}

/* What the driver compiled at an earlier start; it may still refuse it. */
static bool build_kept(struct opencl_driver *driver, const char *cache_dir, const char *key)
{
    size_t size;
    cl_int code;
    unsigned char *data = gpu_cache_read(cache_dir, key, ".bin", &size);
    if (data == NULL)
        return false;
    const unsigned char *binary = data;
    driver->program = driver->cl.create_program_with_binary(driver->context, 1, &driver->device,
                                                            &size, &binary, NULL, &code);
    free(data);
    if (driver->program == NULL)
        return false;
    if (build(driver) == CL_SUCCESS)
        return true;
    (void)driver->cl.release_program(driver->program);
    driver->program = NULL;
    return false;
}

static void keep(struct opencl_driver *driver, const char *cache_dir, const char *key)
{
    size_t size = 0;
    if (cache_dir == NULL || driver->cl.get_program_info(driver->program, CL_PROGRAM_BINARY_SIZES,
                                                         sizeof size, &size, NULL) != CL_SUCCESS)
        return;
    unsigned char *binary = size == 0 ? NULL : malloc(size);
    if (binary == NULL)
        return;
    if (driver->cl.get_program_info(driver->program, CL_PROGRAM_BINARIES, sizeof binary, &binary,
                                    NULL) == CL_SUCCESS)
        gpu_cache_write(cache_dir, key, ".bin", binary, size);
    free(binary);
}

static bool fail_build(struct opencl_driver *driver, cl_int build_code, struct error *error)
{
    const struct opencl *cl = &driver->cl;
    size_t size = 0;
    char *log = NULL;
    if (cl->get_program_build_info(driver->program, driver->device, CL_PROGRAM_BUILD_LOG, 0, NULL,
                                   &size) == CL_SUCCESS &&
        size > 0)
        log = calloc(1, size + 1);
    if (log != NULL)
        (void)cl->get_program_build_info(driver->program, driver->device, CL_PROGRAM_BUILD_LOG,
                                         size, log, NULL);
    (void)error_set(error, ERROR_SYSTEM, "the kernel does not compile (code %d, %s): %.*s",
                    build_code, opencl_code_name(build_code),
                    log == NULL ? 0 : (int)strcspn(log, "\n"), log == NULL ? "" : log);
    free(log);
    return false;
}

static bool build_source(struct opencl_driver *driver, struct error *error)
{
    const char *source = kernel_opencl;
    cl_int code;
    driver->program =
        driver->cl.create_program_with_source(driver->context, 1, &source, NULL, &code);
    if (driver->program == NULL)
        return fail("clCreateProgramWithSource", code, error);
    code = build(driver);
    return code == CL_SUCCESS || fail_build(driver, code, error);
}

static bool make_program(struct opencl_driver *driver, const char *cache_dir, const char *key,
                         struct error *error)
{
    size_t largest = 1;
    cl_int code;
    if (!build_kept(driver, cache_dir, key)) {
        if (!build_source(driver, error))
            return false;
        keep(driver, cache_dir, key);
    }
    driver->kernel = driver->cl.create_kernel(driver->program, "search", &code);
    if (driver->kernel == NULL)
        return fail("clCreateKernel", code, error);
    (void)driver->cl.get_kernel_work_group_info(
        driver->kernel, driver->device, CL_KERNEL_WORK_GROUP_SIZE, sizeof largest, &largest, NULL);
    driver->common.local_max = largest > 1024 ? 1024 : (uint32_t)largest;
    return true;
}

static bool make_context(struct opencl_driver *driver, struct error *error)
{
    const struct opencl *cl = &driver->cl;
    cl_int code;
    driver->context = cl->create_context(NULL, 1, &driver->device, NULL, NULL, &code);
    if (driver->context == NULL)
        return fail("clCreateContext", code, error);
    driver->queue = cl->create_command_queue(driver->context, driver->device, 0, &code);
    if (driver->queue == NULL)
        return fail("clCreateCommandQueue", code, error);
    for (unsigned slot = 0; slot < GPU_SLOTS; slot++) {
        driver->hit[slot] =
            cl->create_buffer(driver->context, CL_MEM_READ_WRITE, sizeof(cl_uint), NULL, &code);
        if (driver->hit[slot] == NULL)
            return fail("clCreateBuffer", code, error);
    }
    return true;
}

static void make_key(const struct opencl_driver *driver, char key[GPU_KEY_SIZE])
{
    char platform[256] = "";
    char name[256];
    char version[256];
    (void)driver->cl.get_platform_info(driver->platform, CL_PLATFORM_VERSION, sizeof platform - 1,
                                       platform, NULL);
    opencl_device_text(&driver->cl, driver->device, CL_DEVICE_NAME, name, sizeof name);
    opencl_device_text(&driver->cl, driver->device, CL_DRIVER_VERSION, version, sizeof version);
    gpu_cache_key((const char *const[]){"opencl", platform, name, version, kernel_opencl, NULL},
                  key);
}

struct searcher *searcher_opencl_create(unsigned platform, unsigned device, const char *cache_dir,
                                        struct error *error)
{
    static const struct gpu_driver_ops ops = {load, launch, poll, destroy};
    char key[GPU_KEY_SIZE];
    struct opencl_driver *driver = calloc(1, sizeof *driver);
    if (driver == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for an OpenCL device");
        return NULL;
    }
    driver->common.ops = &ops;
    if (!opencl_load(&driver->cl, error) ||
        !opencl_find(&driver->cl, platform, device, &driver->platform, &driver->device, error)) {
        free(driver);
        return NULL;
    }
    make_key(driver, key);
    if (!make_context(driver, error) || !make_program(driver, cache_dir, key, error)) {
        gpu_cache_forget(cache_dir, key);
        destroy(&driver->common, false);
        return NULL;
    }
    return searcher_gpu_create(&driver->common, cache_dir, key, error);
}
