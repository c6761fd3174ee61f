/* Runs on the emulated processor, without any library: each kernel against work_value(). */
#include "engine/kernel.h"

#include <stdio.h>

static uint64_t state = 88172645463325252;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static bool agrees(const struct kernel *kernel, const struct root *root, uint64_t threshold,
                   uint64_t start)
{
    enum { NONCES = 64 };
    struct kernel_task task;
    kernel_prepare(&task, root, threshold);
    const struct kernel_result result = kernel->search(&task, start, NONCES);
    for (uint64_t i = 0; i < NONCES; i++)
        if (work_value(start + i, root) >= threshold)
            return result.found && result.nonce == start + i;
    return !result.found && result.tried == NONCES;
}

static unsigned wrong_answers(const struct kernel *kernel)
{
    unsigned wrong = 0;
    for (int i = 0; i < 3000; i++) {
        struct root root;
        for (int b = 0; b < 32; b++)
            root.bytes[b] = (uint8_t)next();
        const uint64_t start = i % 4 == 0 ? UINT64_MAX - next() % 70 : next();
        wrong += !agrees(kernel, &root, 0, start);
        wrong += !agrees(kernel, &root, UINT64_MAX, start);
        wrong += !agrees(kernel, &root, UINT64_MAX << (56 + i % 8), start);
    }
    return wrong;
}

int main(void)
{
    unsigned wrong = 0;
    for (const struct kernel *const *kernel = kernel_all(); *kernel != NULL; kernel++) {
        const unsigned count = wrong_answers(*kernel);
        printf("%s: %u wrong answers of 9000\n", (*kernel)->name, count);
        wrong += count;
    }
    return wrong == 0 && kernel_find("neon") != NULL ? 0 : 1;
}
