/**
 * cuda_library: the functions of the CUDA driver and of its run-time compiler NVRTC that are used,
 * loaded at run time. Declared here because no toolkit is needed to build; names and types are
 * those of NVIDIA's documentation (CUDA Driver API, NVRTC), as their libraries export them since
 * CUDA 11.2.
 */
#ifndef DPOW_ENGINE_CUDA_LIBRARY_H
#define DPOW_ENGINE_CUDA_LIBRARY_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CUDA_OK = 0,
    CUDA_NOT_READY = 600,
    CUDA_ATTRIBUTE_MULTIPROCESSORS = 16,
    CUDA_ATTRIBUTE_CAPABILITY_MAJOR = 75,
    CUDA_ATTRIBUTE_CAPABILITY_MINOR = 76,
    CUDA_FUNCTION_MAX_THREADS = 0,
    CUDA_EVENT_NO_TIMING = 2,
};

typedef int cuda_result;
typedef int cuda_device;
typedef uint64_t cuda_pointer; /* In the device's memory. */
typedef struct cuda_context_object *cuda_context;
typedef struct cuda_module_object *cuda_module;
typedef struct cuda_function_object *cuda_function;
typedef struct cuda_stream_object *cuda_stream;
typedef struct cuda_event_object *cuda_event;
typedef struct nvrtc_program_object *nvrtc_program;

struct cuda {
    cuda_result (*init)(unsigned flags);
    cuda_result (*driver_version)(int *version);
    cuda_result (*error_name)(cuda_result code, const char **name);
    cuda_result (*device_count)(int *count);
    cuda_result (*device_get)(cuda_device *device, int number);
    cuda_result (*device_name)(char *name, int size, cuda_device device);
    cuda_result (*device_memory)(size_t *bytes, cuda_device device);
    cuda_result (*device_attribute)(int *value, int attribute, cuda_device device);
    cuda_result (*context_retain)(cuda_context *context, cuda_device device);
    cuda_result (*context_release)(cuda_device device);
    cuda_result (*context_use)(cuda_context context);
    cuda_result (*module_load)(cuda_module *module, const void *image);
    cuda_result (*module_unload)(cuda_module module);
    cuda_result (*module_function)(cuda_function *function, cuda_module module, const char *name);
    cuda_result (*function_attribute)(int *value, int attribute, cuda_function function);
    cuda_result (*stream_create)(cuda_stream *stream, unsigned flags);
    cuda_result (*stream_destroy)(cuda_stream stream);
    cuda_result (*event_create)(cuda_event *event, unsigned flags);
    cuda_result (*event_destroy)(cuda_event event);
    cuda_result (*event_record)(cuda_event event, cuda_stream stream);
    cuda_result (*event_query)(cuda_event event);
    cuda_result (*memory_allocate)(cuda_pointer *pointer, size_t size);
    cuda_result (*memory_free)(cuda_pointer pointer);
    cuda_result (*host_allocate)(void **pointer, size_t size, unsigned flags);
    cuda_result (*host_free)(void *pointer);
    cuda_result (*memory_set)(cuda_pointer pointer, unsigned value, size_t count,
                              cuda_stream stream);
    cuda_result (*copy_to_host)(void *to, cuda_pointer from, size_t size, cuda_stream stream);
    cuda_result (*launch)(cuda_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                          unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                          cuda_stream stream, void **parameters, void **extra);
};

struct nvrtc {
    int (*create)(nvrtc_program *program, const char *source, const char *name, int headers,
                  const char *const *header_sources, const char *const *header_names);
    int (*destroy)(nvrtc_program *program);
    int (*compile)(nvrtc_program program, int count, const char *const *options);
    int (*log_size)(nvrtc_program program, size_t *size);
    int (*log)(nvrtc_program program, char *text);
    int (*image_size)(nvrtc_program program, size_t *size);
    int (*image)(nvrtc_program program, char *image);
};

/**
 * Loads the driver's library, which then stays loaded.
 * @return false with the error saying what is missing
 */
bool cuda_load(struct cuda *cuda, struct error *error);

/** Fills the error with the call, the code and its name. @return false */
bool cuda_fail(const struct cuda *cuda, const char *call, cuda_result code, struct error *error);

/** Loads it and starts the driver. */
bool cuda_start(struct cuda *cuda, struct error *error);

/** Loads the compiler. */
bool nvrtc_load(struct nvrtc *nvrtc, struct error *error);

#endif
