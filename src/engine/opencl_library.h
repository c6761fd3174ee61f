/**
 * opencl_library: the functions of OpenCL 1.2 that are used, loaded at run time.
 */
#ifndef DPOW_ENGINE_OPENCL_LIBRARY_H
#define DPOW_ENGINE_OPENCL_LIBRARY_H

#include "base/error.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

/** The library's functions under their names without the cl. */
struct opencl {
    __typeof__(clGetPlatformIDs) *get_platform_ids;
    __typeof__(clGetPlatformInfo) *get_platform_info;
    __typeof__(clGetDeviceIDs) *get_device_ids;
    __typeof__(clGetDeviceInfo) *get_device_info;
    __typeof__(clCreateContext) *create_context;
    __typeof__(clReleaseContext) *release_context;
    __typeof__(clCreateCommandQueue) *create_command_queue;
    __typeof__(clReleaseCommandQueue) *release_command_queue;
    __typeof__(clCreateProgramWithSource) *create_program_with_source;
    __typeof__(clCreateProgramWithBinary) *create_program_with_binary;
    __typeof__(clBuildProgram) *build_program;
    __typeof__(clGetProgramInfo) *get_program_info;
    __typeof__(clGetProgramBuildInfo) *get_program_build_info;
    __typeof__(clReleaseProgram) *release_program;
    __typeof__(clCreateKernel) *create_kernel;
    __typeof__(clReleaseKernel) *release_kernel;
    __typeof__(clSetKernelArg) *set_kernel_arg;
    __typeof__(clGetKernelWorkGroupInfo) *get_kernel_work_group_info;
    __typeof__(clCreateBuffer) *create_buffer;
    __typeof__(clReleaseMemObject) *release_mem_object;
    __typeof__(clEnqueueWriteBuffer) *enqueue_write_buffer;
    __typeof__(clEnqueueReadBuffer) *enqueue_read_buffer;
    __typeof__(clEnqueueNDRangeKernel) *enqueue_nd_range_kernel;
    __typeof__(clFlush) *flush;
    __typeof__(clGetEventInfo) *get_event_info;
    __typeof__(clReleaseEvent) *release_event;
};

/**
 * Loads the library, which then stays loaded: drivers do not bear being unloaded.
 * @return false with the error saying what is missing
 */
bool opencl_load(struct opencl *cl, struct error *error);

/** The name of an OpenCL 1.2 code, as CL_OUT_OF_RESOURCES; "unknown" for a driver's own. */
const char *opencl_code_name(cl_int code);

/** Finds a device by its numbers. */
bool opencl_find(const struct opencl *cl, unsigned platform, unsigned device,
                 cl_platform_id *platform_id, cl_device_id *device_id, struct error *error);

/** A text of a device; cut if longer, empty if the driver does not tell. */
void opencl_device_text(const struct opencl *cl, cl_device_id device, cl_device_info what,
                        char *text, size_t size);

#endif
