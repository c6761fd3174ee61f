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

struct code {
    cl_int value;
    const char *name;
};

static const struct code codes[] = {
    {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND"},
    {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
    {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
    {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
    {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
    {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
    {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
    {CL_INVALID_VALUE, "CL_INVALID_VALUE"},
    {CL_INVALID_DEVICE, "CL_INVALID_DEVICE"},
    {CL_INVALID_CONTEXT, "CL_INVALID_CONTEXT"},
    {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE"},
    {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT"},
    {CL_INVALID_BINARY, "CL_INVALID_BINARY"},
    {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS"},
    {CL_INVALID_PROGRAM, "CL_INVALID_PROGRAM"},
    {CL_INVALID_PROGRAM_EXECUTABLE, "CL_INVALID_PROGRAM_EXECUTABLE"},
    {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME"},
    {CL_INVALID_KERNEL, "CL_INVALID_KERNEL"},
    {CL_INVALID_ARG_INDEX, "CL_INVALID_ARG_INDEX"},
    {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE"},
    {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS"},
    {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
    {CL_INVALID_GLOBAL_WORK_SIZE, "CL_INVALID_GLOBAL_WORK_SIZE"},
    {CL_INVALID_EVENT, "CL_INVALID_EVENT"},
    {CL_INVALID_OPERATION, "CL_INVALID_OPERATION"},
    {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
};

const char *opencl_code_name(cl_int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].value == code)
            return codes[i].name;
    return "unknown";
}

bool opencl_load(struct opencl *cl, struct error *error)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        return error_set(error, ERROR_NOT_FOUND,
                         "there is no OpenCL (an ICD loader) on this system that can be loaded: %s",
                         dlerror());
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
