#include "engine/kernel_internal.h"

static const struct kernel *const kernels[] = {
#if defined(__x86_64__)
    &kernel_avx512,
    &kernel_avx2,
#elif defined(__aarch64__)
    &kernel_neon,
#endif
    &kernel_portable,
    NULL,
};

const struct kernel *const *kernel_all(void)
{
    return kernels;
}

const struct kernel *kernel_best(void)
{
    for (const struct kernel *const *kernel = kernels; *kernel != NULL; kernel++)
        if ((*kernel)->supported())
            return *kernel;
    return &kernel_portable;
}

const struct kernel *kernel_find(const char *name)
{
    for (const struct kernel *const *kernel = kernels; *kernel != NULL; kernel++)
        if (strcmp((*kernel)->name, name) == 0)
            return *kernel;
    return NULL;
}
