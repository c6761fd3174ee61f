/* Every kernel on one thread, next to a plain implementation, libb2 and libsodium, in one run:
 * the median rate of several turns, taken round robin so that a change of the machine's speed meets
 * all alike. */
#include "bench.h"

#include "engine/kernel.h"
#include "nano/blake2b.h"

#include <dlfcn.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { TURNS = 9, TURN_US = 150000, SUBJECTS_MAX = 16, BATCH = 4096 };

struct subject {
    const char *name;
    const struct kernel *kernel;
    uint64_t (*value)(uint64_t nonce, const struct root *root);
    double rates[TURNS];
};

static uint64_t plain_value(uint64_t nonce, const struct root *root)
{
    uint8_t block[40];
    uint8_t digest[8];
    store_le64(block, nonce);
    memcpy(block + 8, root->bytes, 32);
    blake2b(block, sizeof block, digest, sizeof digest);
    return load_le64(digest);
}

/* libb2 is loaded apart: its functions have the names of ours. */
static int (*libb2_blake2b)(uint8_t *out, const void *in, const void *key, size_t outlen,
                            size_t inlen, size_t keylen);

static bool load_libb2(void)
{
    void *library = dlopen("libb2.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library != NULL)
        *(void **)&libb2_blake2b = dlsym(library, "blake2b");
    return libb2_blake2b != NULL;
}

static uint64_t libb2_value(uint64_t nonce, const struct root *root)
{
    uint8_t block[40];
    uint8_t digest[8];
    store_le64(block, nonce);
    memcpy(block + 8, root->bytes, 32);
    (void)libb2_blake2b(digest, block, NULL, sizeof digest, sizeof block, 0);
    return load_le64(digest);
}

/* It refuses digests of 8 bytes; the work of 16 is the same. */
static uint64_t sodium_value(uint64_t nonce, const struct root *root)
{
    uint8_t block[40];
    uint8_t digest[16];
    store_le64(block, nonce);
    memcpy(block + 8, root->bytes, 32);
    (void)crypto_generichash(digest, sizeof digest, block, sizeof block, NULL, 0);
    return load_le64(digest);
}

static double measure(const struct subject *subject, const struct root *root)
{
    struct kernel_task task;
    uint64_t tried = 0;
    uint64_t best = 0;
    kernel_prepare(&task, root, UINT64_MAX);
    const uint64_t begin_us = clock_monotonic_us();
    uint64_t now_us = begin_us;
    while (now_us - begin_us < TURN_US) {
        if (subject->kernel != NULL) {
            tried += subject->kernel->search(&task, tried, BATCH).tried;
        } else {
            for (int i = 0; i < BATCH; i++) {
                const uint64_t value = subject->value(tried++, root);
                best = value > best ? value : best;
            }
        }
        now_us = clock_monotonic_us();
    }
    return best == UINT64_MAX ? 0 : (double)tried / (double)(now_us - begin_us);
}

int main(void)
{
    struct subject subjects[SUBJECTS_MAX] = {
        {.name = "plain loop", .value = plain_value},
        {.name = "libsodium (16-byte digest)", .value = sodium_value},
        {.name = "work_value()", .value = work_value},
    };
    size_t count = 3;
    struct root root;
    if (load_libb2())
        subjects[count++] = (struct subject){.name = "libb2", .value = libb2_value};
    for (size_t i = 0; i < sizeof root.bytes; i++)
        root.bytes[i] = (uint8_t)(7 * i);
    for (const struct kernel *const *kernel = kernel_all(); *kernel != NULL; kernel++)
        if ((*kernel)->supported())
            subjects[count++] = (struct subject){.name = (*kernel)->name, .kernel = *kernel};
    for (int turn = 0; turn < TURNS; turn++)
        for (size_t i = 0; i < count; i++)
            subjects[i].rates[turn] = measure(&subjects[i], &root);
    const double plain = bench_percentile(subjects[0].rates, TURNS, 0.5);
    for (size_t i = 0; i < count; i++) {
        const double rate = bench_percentile(subjects[i].rates, TURNS, 0.5);
        (void)printf("%-28s %8.2f MH/s  %5.2f x the plain loop\n", subjects[i].name, rate,
                     rate / plain);
    }
    return 0;
}
