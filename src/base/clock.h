/**
 * clock: the two clocks of the process. Only adapters and threads read them; a core is given its
 * time as a parameter.
 */
#ifndef DPOW_BASE_CLOCK_H
#define DPOW_BASE_CLOCK_H

#include <stdint.h>

/** Microseconds that only grow, for durations and deadlines. Any thread. */
uint64_t clock_monotonic_us(void);

/** Milliseconds since 1970-01-01 UTC, for what is stored or shown; it may jump. Any thread. */
int64_t clock_wall_ms(void);

/** The same at a fraction of the cost, some milliseconds behind, for counting by seconds. */
int64_t clock_wall_coarse_ms(void);

#endif
