#include "engine/kernel_internal.h"

#include "nano/blake2b_constants.h"

static uint64_t rotate_right(uint64_t value, int bits)
{
    return value >> bits | value << (64 - bits);
}

static void mix(uint64_t v[16], int column, uint64_t x, uint64_t y)
{
    uint64_t *a = &v[column];
    uint64_t *b = &v[column + 4];
    uint64_t *c = &v[column + 8];
    uint64_t *d = &v[column + 12];
    *a += *b + x;
    *d = rotate_right(*d ^ *a, 32);
    *c += *d;
    *b = rotate_right(*b ^ *c, 24);
    *a += *b + y;
    *d = rotate_right(*d ^ *a, 16);
    *c += *d;
    *b = rotate_right(*b ^ *c, 63);
}

void kernel_prepare(struct kernel_task *task, const struct root *root, uint64_t threshold)
{
    const uint64_t *iv = blake2b_initial;
    const uint64_t state[16] = {
        KERNEL_FIRST_WORD,
        iv[1],
        iv[2],
        iv[3],
        iv[4],
        iv[5],
        iv[6],
        iv[7],
        iv[0],
        iv[1],
        iv[2],
        iv[3],
        iv[4] ^ 40,
        iv[5],
        ~iv[6],
        iv[7],
    };
    for (int i = 0; i < 4; i++)
        task->root[i] = load_le64(root->bytes + 8 * i);
    memcpy(task->state, state, sizeof state);
    mix(task->state, 1, task->root[1], task->root[2]); /* message words 2 and 3 */
    mix(task->state, 2, task->root[3], 0);             /* word 4; words 5 to 15 are zero */
    mix(task->state, 3, 0, 0);
    task->folded[0] = task->state[0] + task->state[4];
    task->folded[1] = task->state[1] + task->state[6];
    task->folded[2] = task->state[2] + task->state[7];
    task->folded[3] = rotate_right(task->state[13] ^ task->folded[2], 32);
    task->threshold = threshold;
}
