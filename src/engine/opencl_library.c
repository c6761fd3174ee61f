#include "engine/opencl_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

struct symbol {
    const char *name;
    size_t offset;
};

static const struct symbol symbols[] = {
    {"clGetPlatformIDs", offsetof(struct opencl, get_platform_ids)},
    {"clGetPlatformInfo", offsetof(struct opencl, get_platform_info)},
    {"clGetDeviceIDs", offsetof(struct opencl, get_device_ids)},
    {"clGetDeviceInfo", offsetof(struct opencl, get_device_info)},
    {"clCreateContext", offsetof(struct opencl, create_context)},
    {"clReleaseContext", offsetof(struct opencl, release_context)},
    {"clCreateCommandQueue", offsetof(struct opencl, create_command_queue)},
    {"clReleaseCommandQueue", offsetof(struct opencl, release_command_queue)},
    {"clCreateProgramWithSource", offsetof(struct opencl, create_program_with_source)},
    {"clCreateProgramWithBinary", offsetof(struct opencl, create_program_with_binary)},
    {"clBuildProgram", offsetof(struct opencl, build_program)},
    {"clGetProgramInfo", offsetof(struct opencl, get_program_info)},
    {"clGetProgramBuildInfo", offsetof(struct opencl, get_program_build_info)},
    {"clReleaseProgram", offsetof(struct opencl, release_program)},
    {"clCreateKernel", offsetof(struct opencl, create_kernel)},
    {"clReleaseKernel", offsetof(struct opencl, release_kernel)},
    {"clSetKernelArg", offsetof(struct opencl, set_kernel_arg)},
    {"clGetKernelWorkGroupInfo", offsetof(struct opencl, get_kernel_work_group_info)},
    {"clCreateBuffer", offsetof(struct opencl, create_buffer)},
    {"clReleaseMemObject", offsetof(struct opencl, release_mem_object)},
    {"clEnqueueWriteBuffer", offsetof(struct opencl, enqueue_write_buffer)},
    {"clEnqueueReadBuffer", offsetof(struct opencl, enqueue_read_buffer)},
    {"clEnqueueNDRangeKernel", offsetof(struct opencl, enqueue_nd_range_kernel)},
    {"clFlush", offsetof(struct opencl, flush)},
    {"clGetEventInfo", offsetof(struct opencl, get_event_info)},
    {"clReleaseEvent", offsetof(struct opencl, release_event)},
};

bool opencl_load(struct opencl *cl, struct error *error)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        return error_set(error, ERROR_NOT_FOUND,
                         "there is no OpenCL on this system (libOpenCL.so.1, an ICD loader)");
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *function = dlsym(library, symbols[i].name);
        if (function == NULL) {
            (void)dlclose(library);
            return error_set(error, ERROR_SYSTEM, "this system's OpenCL has no %s",
                             symbols[i].name);
        }
        memcpy((char *)cl + symbols[i].offset, &function, sizeof function);
    }
    (void)dlclose(library);
    return true;
}
