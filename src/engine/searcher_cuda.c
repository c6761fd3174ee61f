#include "engine/cuda_library.h"
#include "engine/gpu_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct cuda_driver {
    struct gpu_driver common;
    struct cuda cuda;
    cuda_device device;
    cuda_context context;
    cuda_module module;
    cuda_function function;
    cuda_stream stream;
    cuda_pointer hit;           /* One word for each slot. */
    uint32_t *results;          /* Likewise, in memory that the device writes. */
    cuda_event done[GPU_SLOTS]; /* Recorded behind each launch. */
    uint64_t words[GPU_TASK_WORDS];
};

static bool fail(const struct cuda_driver *driver, const char *call, cuda_result code,
                 struct error *error)
{
    return cuda_fail(&driver->cuda, call, code, error);
}

/* The task travels with each launch, by value. */
static bool load(struct gpu_driver *common, const uint64_t words[GPU_TASK_WORDS],
                 struct error *error)
{
    struct cuda_driver *driver = (struct cuda_driver *)common;
    (void)error;
    memcpy(driver->words, words, sizeof driver->words);
    return true;
}

static bool launch(struct gpu_driver *common, unsigned slot, uint64_t start, uint32_t items,
                   struct error *error)
{
    struct cuda_driver *driver = (struct cuda_driver *)common;
    const struct cuda *cuda = &driver->cuda;
    cuda_pointer hit = driver->hit + slot * sizeof(uint32_t);
    void *parameters[] = {driver->words, &start, &hit};
    cuda_result code = cuda->memory_set(hit, GPU_NONE, 1, driver->stream);
    if (code != CUDA_OK)
        return fail(driver, "cuMemsetD32Async", code, error);
    code = cuda->launch(driver->function, items / common->local, 1, 1, common->local, 1, 1, 0,
                        driver->stream, parameters, NULL);
    if (code != CUDA_OK)
        return fail(driver, "cuLaunchKernel", code, error);
    code = cuda->copy_to_host(&driver->results[slot], hit, sizeof(uint32_t), driver->stream);
    if (code != CUDA_OK)
        return fail(driver, "cuMemcpyDtoHAsync", code, error);
    code = cuda->event_record(driver->done[slot], driver->stream);
    return code == CUDA_OK || fail(driver, "cuEventRecord", code, error);
}

static enum gpu_state poll(struct gpu_driver *common, unsigned slot, uint32_t *hit,
                           struct error *error)
{
    struct cuda_driver *driver = (struct cuda_driver *)common;
    const cuda_result code = driver->cuda.event_query(driver->done[slot]);
    if (code == CUDA_NOT_READY)
        return GPU_BUSY;
    if (code == CUDA_OK) {
        *hit = driver->results[slot];
        return GPU_DONE;
    }
    (void)fail(driver, "the launch", code, error);
    return GPU_FAILED;
}

static void destroy(struct gpu_driver *common, bool hangs)
{
    struct cuda_driver *driver = (struct cuda_driver *)common;
    const struct cuda *cuda = &driver->cuda;
    if (hangs)
        return; /* The results are still the device's to write, and freeing would wait for it. */
    for (unsigned slot = 0; slot < GPU_SLOTS; slot++)
        if (driver->done[slot] != NULL)
            (void)cuda->event_destroy(driver->done[slot]);
    if (driver->stream != NULL)
        (void)cuda->stream_destroy(driver->stream);
    if (driver->results != NULL)
        (void)cuda->host_free(driver->results);
    if (driver->hit != 0)
        (void)cuda->memory_free(driver->hit);
    if (driver->module != NULL)
        (void)cuda->module_unload(driver->module);
    if (driver->context != NULL) {
        (void)cuda->context_use(NULL);
        (void)cuda->context_release(driver->device);
    }
    free(driver);
}

static bool fail_compile(const struct nvrtc *nvrtc, nvrtc_program program, int code,
                         struct error *error)
{
    size_t size = 0;
    char *log = NULL;
    if (nvrtc->log_size(program, &size) == 0 && size > 0)
        log = calloc(1, size);
    if (log != NULL)
        (void)nvrtc->log(program, log);
    (void)error_set(error, ERROR_SYSTEM, "the kernel does not compile (code %d): %.*s", code,
                    log == NULL ? 0 : (int)strcspn(log, "\n"), log == NULL ? "" : log);
    free(log);
    return false;
}

/* Compiles for one architecture. @return owned machine code, or NULL */
static char *compile(const struct nvrtc *nvrtc, const char *architecture, size_t *size,
                     struct error *error)
{
    const char *const options[] = {architecture, "--std=c++11"};
    nvrtc_program program;
    char *image = NULL;
    int code = nvrtc->create(&program, kernel_cuda, "search.cu", 0, NULL, NULL);
    if (code != 0) {
        (void)error_set(error, ERROR_SYSTEM, "nvrtcCreateProgram failed with code %d", code);
        return NULL;
    }
    code = nvrtc->compile(program, 2, options);
    if (code != 0)
        (void)fail_compile(nvrtc, program, code, error);
    else if (nvrtc->image_size(program, size) == 0 && *size > 0)
        image = malloc(*size);
    if (image != NULL && nvrtc->image(program, image) != 0) {
        free(image);
        image = NULL;
    }
    if (image == NULL && code == 0)
        (void)error_set(error, ERROR_SYSTEM, "NVRTC gives no machine code for %s", architecture);
    (void)nvrtc->destroy(&program);
    return image;
}

static bool make_module(struct cuda_driver *driver, const char *cache_dir, const char *key,
                        const char *architecture, struct error *error)
{
    struct nvrtc nvrtc;
    size_t size = 0;
    char *image = gpu_cache_read(cache_dir, key, ".bin", &size);
    if (image != NULL) {
        const cuda_result code = driver->cuda.module_load(&driver->module, image);
        free(image);
        if (code == CUDA_OK)
            return true;
        driver->module = NULL;
    }
    if (!nvrtc_load(&nvrtc, error))
        return false;
    image = compile(&nvrtc, architecture, &size, error);
    if (image == NULL)
        return false;
    const cuda_result code = driver->cuda.module_load(&driver->module, image);
    if (code == CUDA_OK)
        gpu_cache_write(cache_dir, key, ".bin", image, size);
    free(image);
    return code == CUDA_OK || fail(driver, "cuModuleLoadData", code, error);
}

static bool make_function(struct cuda_driver *driver, struct error *error)
{
    const struct cuda *cuda = &driver->cuda;
    int largest = 0;
    cuda_result code = cuda->module_function(&driver->function, driver->module, "search");
    if (code != CUDA_OK)
        return fail(driver, "cuModuleGetFunction", code, error);
    code = cuda->function_attribute(&largest, CUDA_FUNCTION_MAX_THREADS, driver->function);
    if (code != CUDA_OK || largest < 32)
        return fail(driver, "cuFuncGetAttribute", code, error);
    driver->common.local_max = (uint32_t)largest;
    return true;
}

static bool make_memory(struct cuda_driver *driver, struct error *error)
{
    const struct cuda *cuda = &driver->cuda;
    void *results = NULL;
    cuda_result code = cuda->stream_create(&driver->stream, 0);
    if (code != CUDA_OK)
        return fail(driver, "cuStreamCreate", code, error);
    code = cuda->memory_allocate(&driver->hit, GPU_SLOTS * sizeof(uint32_t));
    if (code != CUDA_OK)
        return fail(driver, "cuMemAlloc", code, error);
    code = cuda->host_allocate(&results, GPU_SLOTS * sizeof(uint32_t), 0);
    if (code != CUDA_OK)
        return fail(driver, "cuMemHostAlloc", code, error);
    driver->results = results;
    for (unsigned slot = 0; slot < GPU_SLOTS; slot++) {
        code = cuda->event_create(&driver->done[slot], CUDA_EVENT_NO_TIMING);
        if (code != CUDA_OK)
            return fail(driver, "cuEventCreate", code, error);
    }
    return true;
}

static bool open_device(struct cuda_driver *driver, unsigned number, struct error *error)
{
    const struct cuda *cuda = &driver->cuda;
    if (!cuda_start(&driver->cuda, error))
        return false;
    cuda_result code = cuda->device_get(&driver->device, (int)number);
    if (code != CUDA_OK)
        return fail(driver, "cuDeviceGet", code, error);
    code = cuda->context_retain(&driver->context, driver->device);
    if (code != CUDA_OK) {
        driver->context = NULL;
        return fail(driver, "cuDevicePrimaryCtxRetain", code, error);
    }
    code = cuda->context_use(driver->context);
    return code == CUDA_OK || fail(driver, "cuCtxSetCurrent", code, error);
}

/* Names the device, the driver and the architecture. */
static void describe(const struct cuda_driver *driver, char architecture[64],
                     char key[GPU_KEY_SIZE])
{
    char name[128] = "";
    char text[32];
    int version = 0;
    int major = 0;
    int minor = 0;
    const struct cuda *cuda = &driver->cuda;
    (void)cuda->device_name(name, sizeof name, driver->device);
    (void)cuda->driver_version(&version);
    (void)cuda->device_attribute(&major, CUDA_ATTRIBUTE_CAPABILITY_MAJOR, driver->device);
    (void)cuda->device_attribute(&minor, CUDA_ATTRIBUTE_CAPABILITY_MINOR, driver->device);
    (void)snprintf(architecture, 64, "--gpu-architecture=sm_%d%d", major, minor);
    (void)snprintf(text, sizeof text, "%d", version);
    gpu_cache_key((const char *const[]){"cuda", name, text, architecture, kernel_cuda, NULL}, key);
}

struct searcher *searcher_cuda_create(unsigned device, const char *cache_dir, struct error *error)
{
    static const struct gpu_driver_ops ops = {load, launch, poll, destroy};
    char architecture[64];
    char key[GPU_KEY_SIZE];
    struct cuda_driver *driver = calloc(1, sizeof *driver);
    if (driver == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for a CUDA device");
        return NULL;
    }
    driver->common.ops = &ops;
    if (!open_device(driver, device, error)) {
        destroy(&driver->common, false);
        return NULL;
    }
    describe(driver, architecture, key);
    if (!make_module(driver, cache_dir, key, architecture, error) ||
        !make_function(driver, error) || !make_memory(driver, error)) {
        gpu_cache_forget(cache_dir, key);
        destroy(&driver->common, false);
        return NULL;
    }
    return searcher_gpu_create(&driver->common, cache_dir, key, error);
}
