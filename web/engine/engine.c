#include "engine.h"

#include "engine/kernel_internal.h"

/* An instance of a module is what a process is elsewhere: this is its one search. */
static struct {
    struct root root;
    struct kernel_task task;
    struct kernel_result result;
} search;

#if defined(__wasm_simd128__)
static const struct kernel *const kernel = &kernel_wasm;
#else
static const struct kernel *const kernel = &kernel_portable;
#endif

uint8_t *dpow_root(void)
{
    return search.root.bytes;
}

void dpow_prepare(uint64_t threshold)
{
    kernel_prepare(&search.task, &search.root, threshold);
    search.result = (struct kernel_result){.found = false};
}

uint32_t dpow_search(uint64_t start, uint32_t count)
{
    search.result = kernel->search(&search.task, start, count);
    return (uint32_t)search.result.tried;
}

uint32_t dpow_found(void)
{
    return search.result.found;
}

uint64_t dpow_nonce(void)
{
    return search.result.nonce;
}

uint64_t dpow_value(uint64_t nonce)
{
    return work_value(nonce, &search.root);
}

uint32_t dpow_width(void)
{
    return kernel->width;
}
