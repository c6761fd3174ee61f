/**
 * kernel_rounds: the search loop, written once for every instruction set.
 *
 * The including file defines, before the include:
 *   vec                 a vector of LANES 64-bit words
 *   LANES, STREAMS      words in a vector; vectors in flight, as many as the registers bear
 *   vec_set, vec_count  a word in every lane; start, start + 1, … in the lanes
 *   vec_add, vec_xor, vec_rotate32, vec_rotate24, vec_rotate16, vec_rotate63
 *   vec_at_least(value, task)  a bit for each lane whose value, still without the first initial
 *                       word mixed in, meets the task's threshold
 *
 * What is left out, against the full function (nano.md 3; RFC 7693): eleven of sixteen message
 * words are zero and are not added; columns 1 to 3 of the first round, and some sums behind them,
 * do not depend on the nonce and come ready in the task; of the last round only what leads to words
 * 0 and 8 survives the compiler.
 */
#ifndef DPOW_ENGINE_KERNEL_ROUNDS_H
#define DPOW_ENGINE_KERNEL_ROUNDS_H

#include "engine/kernel.h"
#include "nano/blake2b_constants.h"

#define INLINE static inline __attribute__((always_inline))

enum { MESSAGE_WORDS = 5 }; /* the nonce and the root; the rest of the block is zero */

/* The working state of every stream, and the message words that are not zero. */
struct rounds {
    vec v[16][STREAMS];
    vec m[MESSAGE_WORDS][STREAMS];
};

INLINE void add_word(vec a[STREAMS], const struct rounds *r, int word)
{
    if (word >= MESSAGE_WORDS)
        return;
    for (int s = 0; s < STREAMS; s++)
        a[s] = vec_add(a[s], r->m[word][s]);
}

/* Half of the mixing function on one column or diagonal of all streams, behind its sum. */
INLINE void mix_first_half(struct rounds *r, int a, int b, int c, int d)
{
    for (int s = 0; s < STREAMS; s++)
        r->v[d][s] = vec_rotate32(vec_xor(r->v[d][s], r->v[a][s]));
    for (int s = 0; s < STREAMS; s++)
        r->v[c][s] = vec_add(r->v[c][s], r->v[d][s]);
    for (int s = 0; s < STREAMS; s++)
        r->v[b][s] = vec_rotate24(vec_xor(r->v[b][s], r->v[c][s]));
}

INLINE void mix_second_half(struct rounds *r, int a, int b, int c, int d, int y)
{
    add_word(r->v[a], r, y);
    for (int s = 0; s < STREAMS; s++)
        r->v[a][s] = vec_add(r->v[a][s], r->v[b][s]);
    for (int s = 0; s < STREAMS; s++)
        r->v[d][s] = vec_rotate16(vec_xor(r->v[d][s], r->v[a][s]));
    for (int s = 0; s < STREAMS; s++)
        r->v[c][s] = vec_add(r->v[c][s], r->v[d][s]);
    for (int s = 0; s < STREAMS; s++)
        r->v[b][s] = vec_rotate63(vec_xor(r->v[b][s], r->v[c][s]));
}

INLINE void mix(struct rounds *r, int a, int b, int c, int d, int x, int y)
{
    add_word(r->v[a], r, x);
    for (int s = 0; s < STREAMS; s++)
        r->v[a][s] = vec_add(r->v[a][s], r->v[b][s]);
    mix_first_half(r, a, b, c, d);
    mix_second_half(r, a, b, c, d, y);
}

INLINE void mix_diagonals(struct rounds *r, const uint8_t s[16])
{
    mix(r, 0, 5, 10, 15, s[8], s[9]);
    mix(r, 1, 6, 11, 12, s[10], s[11]);
    mix(r, 2, 7, 8, 13, s[12], s[13]);
    mix(r, 3, 4, 9, 14, s[14], s[15]);
}

INLINE void mix_round(struct rounds *r, const uint8_t s[16])
{
    mix(r, 0, 4, 8, 12, s[0], s[1]);
    mix(r, 1, 5, 9, 13, s[2], s[3]);
    mix(r, 2, 6, 10, 14, s[4], s[5]);
    mix(r, 3, 7, 11, 15, s[6], s[7]);
    mix_diagonals(r, s);
}

/* The first round behind its columns 1 to 3, with the sums of constants done (kernel_prepare.c);
 * the words of its diagonals are zero. */
INLINE void mix_first_round(struct rounds *r)
{
    add_word(r->v[0], r, 0);
    mix_first_half(r, 0, 4, 8, 12);
    mix_second_half(r, 0, 4, 8, 12, 1);
    mix(r, 0, 5, 10, 15, 8, 9);
    mix_first_half(r, 1, 6, 11, 12);
    mix_second_half(r, 1, 6, 11, 12, 11);
    for (int s = 0; s < STREAMS; s++) {
        r->v[8][s] = vec_add(r->v[8][s], r->v[13][s]);
        r->v[7][s] = vec_rotate24(vec_xor(r->v[7][s], r->v[8][s]));
    }
    mix_second_half(r, 2, 7, 8, 13, 13);
    mix(r, 3, 4, 9, 14, 14, 15);
}

/* All twelve rounds. */
INLINE void mix_rounds(struct rounds *r)
{
    mix_first_round(r);
    mix_round(r, blake2b_schedule[1]);
    mix_round(r, blake2b_schedule[2]);
    mix_round(r, blake2b_schedule[3]);
    mix_round(r, blake2b_schedule[4]);
    mix_round(r, blake2b_schedule[5]);
    mix_round(r, blake2b_schedule[6]);
    mix_round(r, blake2b_schedule[7]);
    mix_round(r, blake2b_schedule[8]);
    mix_round(r, blake2b_schedule[9]);
    mix_round(r, blake2b_schedule[0]);
    mix_round(r, blake2b_schedule[1]);
}

/* The lanes that meet the threshold, one bit each, lowest nonce first. */
INLINE uint64_t try_group(const struct kernel_task *task, uint64_t start)
{
    struct rounds r;
    uint64_t hits = 0;
    for (int s = 0; s < STREAMS; s++) {
        r.m[0][s] = vec_count(start + (uint64_t)(s * LANES));
        for (int i = 0; i < 4; i++)
            r.m[1 + i][s] = vec_set(task->root[i]);
        for (int i = 0; i < 16; i++)
            r.v[i][s] = vec_set(task->state[i]);
        for (int i = 0; i < 3; i++)
            r.v[i][s] = vec_set(task->folded[i]);
        r.v[13][s] = vec_set(task->folded[3]);
    }
    mix_rounds(&r);
    for (int s = 0; s < STREAMS; s++)
        hits |= (uint64_t)vec_at_least(vec_xor(r.v[0][s], r.v[8][s]), task) << (s * LANES);
    return hits;
}

static struct kernel_result rounds_search(const struct kernel_task *task, uint64_t start,
                                          uint64_t count)
{
    enum { GROUP = LANES * STREAMS };
    const uint64_t groups = (count - 1) / GROUP + 1;
    for (uint64_t i = 0; i < groups; i++) {
        const uint64_t first = start + i * GROUP;
        const uint64_t hits = try_group(task, first);
        if (__builtin_expect(hits != 0, 0))
            return (struct kernel_result){true, first + (uint64_t)__builtin_ctzll(hits),
                                          (i + 1) * GROUP};
    }
    return (struct kernel_result){false, 0, groups * GROUP};
}

#endif
