/**
 * gpu: OpenCL and CUDA devices: which there are. Both libraries are loaded when they are asked for;
 * neither is needed to build or to start.
 */
#ifndef DPOW_ENGINE_GPU_H
#define DPOW_ENGINE_GPU_H

#include "engine/engine.h"

/** One device, as its driver describes it. */
struct gpu_info {
    enum device_kind kind;
    unsigned platform; /**< OpenCL: number of the platform. */
    unsigned device;   /**< OpenCL: within the platform. */
    bool is_gpu;       /**< OpenCL also has processors, as PoCL. */
    unsigned compute_units;
    uint64_t memory_bytes;
    char name[128];
    char vendor[64];
    char driver[64]; /**< Version. */
};

/**
 * Lists the OpenCL devices, by platform and number.
 * @param list where up to capacity are written
 * @return how many were written; 0 with the error saying why there is none
 */
size_t opencl_list(struct gpu_info *list, size_t capacity, struct error *error);

/** Lists the CUDA devices that can be used; the compiler NVRTC must be there too. */
size_t cuda_list(struct gpu_info *list, size_t capacity, struct error *error);

#endif
