/* Every kernel on one thread, next to a plain implementation, libb2 and libsodium, in one run: the
 * median rate of several turns, taken round robin so that a change of the machine's speed meets all
 * alike, by the thread's own time so that other programs count less. Cycles are those of a chain of
 * rotations, each of which takes one, timed before and after each turn. */
#include "bench.h"

#include "engine/kernel.h"
#include "nano/blake2b.h"
#include "nano/blake2b_constants.h"

#include <dlfcn.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TURNS = 9, TURN_US = 150000, SUBJECTS_MAX = 16, BATCH = 4096 };

struct subject {
    const char *name;
    const struct kernel *kernel;
    uint64_t (*value)(uint64_t nonce, const struct root *root);
    double rates[TURNS];
    double cycles[TURNS]; /* A hash. */
};

static uint64_t rotate_right(uint64_t value, int bits)
{
    return value >> bits | value << (64 - bits);
}

static void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
    *a += *b + x;
    *d = rotate_right(*d ^ *a, 32);
    *c += *d;
    *b = rotate_right(*b ^ *c, 24);
    *a += *b + y;
    *d = rotate_right(*d ^ *a, 16);
    *c += *d;
    *b = rotate_right(*b ^ *c, 63);
}

/* The yardstick: one compression as RFC 7693 3.2 writes it, for any message. */
static void compress(uint64_t h[8], const uint64_t m[16], uint64_t length)
{
    uint64_t v[16];
    memcpy(v, h, 64);
    memcpy(v + 8, blake2b_initial, 64);
    v[12] ^= length;
    v[14] = ~v[14];
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = blake2b_schedule[round % 10];
        for (int i = 0; i < 4; i++)
            mix(&v[i], &v[4 + i], &v[8 + i], &v[12 + i], m[s[2 * i]], m[s[2 * i + 1]]);
        for (int i = 0; i < 4; i++)
            mix(&v[i], &v[4 + (i + 1) % 4], &v[8 + (i + 2) % 4], &v[12 + (i + 3) % 4],
                m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
    }
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[8 + i];
}

static uint64_t plain_value(uint64_t nonce, const struct root *root)
{
    uint64_t h[8];
    uint64_t m[16] = {nonce};
    memcpy(h, blake2b_initial, sizeof h);
    h[0] ^= 0x01010008;
    for (int i = 0; i < 4; i++)
        m[1 + i] = load_le64(root->bytes + 8 * i);
    compress(h, m, 40);
    return h[0];
}

static uint64_t general_value(uint64_t nonce, const struct root *root)
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

static uint64_t thread_us(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* The processor's clock now, in cycles a microsecond. */
static double measure_clock(void)
{
    enum { ROTATIONS = 16, REPEATS = 20000 };
    uint64_t word = 1;
    const uint64_t begun_us = thread_us();
    for (int i = 0; i < REPEATS; i++)
        for (int j = 0; j < ROTATIONS; j++) {
            word = rotate_right(word, 7);
            __asm__ volatile("" : "+r"(word));
        }
    return (double)ROTATIONS * REPEATS / (double)(thread_us() - begun_us);
}

static double measure(const struct subject *subject, const struct root *root)
{
    struct kernel_task task;
    uint64_t tried = 0;
    uint64_t best = 0;
    kernel_prepare(&task, root, UINT64_MAX);
    const uint64_t begin_us = thread_us();
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
        now_us = thread_us();
    }
    return best == UINT64_MAX ? 0 : (double)tried / (double)(now_us - begin_us);
}

static void measure_turn(struct subject *subject, int turn, const struct root *root)
{
    const double before = measure_clock();
    subject->rates[turn] = measure(subject, root);
    const double after = measure_clock();
    subject->cycles[turn] = (before + after) / 2 / subject->rates[turn];
}

/* A wrong yardstick would measure something else. */
static bool agree(const struct subject *subjects, size_t count, const struct root *root)
{
    for (size_t i = 0; i < count; i++)
        for (uint64_t nonce = 0; nonce < 100; nonce++)
            if (subjects[i].value != NULL && subjects[i].value != sodium_value &&
                subjects[i].value(nonce, root) != work_value(nonce, root)) {
                (void)fprintf(stderr, "%s: a wrong value\n", subjects[i].name);
                return false;
            }
    return true;
}

int main(void)
{
    struct subject subjects[SUBJECTS_MAX] = {
        {.name = "plain loop", .value = plain_value},
        {.name = "blake2b()", .value = general_value},
        {.name = "libsodium (16-byte digest)", .value = sodium_value},
        {.name = "work_value()", .value = work_value},
    };
    size_t count = 4;
    struct root root;
    if (load_libb2())
        subjects[count++] = (struct subject){.name = "libb2", .value = libb2_value};
    for (size_t i = 0; i < sizeof root.bytes; i++)
        root.bytes[i] = (uint8_t)(7 * i);
    for (const struct kernel *const *kernel = kernel_all(); *kernel != NULL; kernel++)
        if ((*kernel)->supported())
            subjects[count++] = (struct subject){.name = (*kernel)->name, .kernel = *kernel};
    if (!agree(subjects, count, &root))
        return 1;
    for (int turn = 0; turn < TURNS; turn++)
        for (size_t i = 0; i < count; i++)
            measure_turn(&subjects[i], turn, &root);
    const double plain = bench_percentile(subjects[0].rates, TURNS, 0.5);
    for (size_t i = 0; i < count; i++) {
        const double rate = bench_percentile(subjects[i].rates, TURNS, 0.5);
        (void)printf("%-28s %8.2f MH/s  %7.1f cycles a hash  %5.2f x the plain loop\n",
                     subjects[i].name, rate, bench_percentile(subjects[i].cycles, TURNS, 0.5),
                     rate / plain);
    }
    return 0;
}
