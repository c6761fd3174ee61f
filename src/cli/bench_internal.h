/**
 * bench_internal: the measurements of `dpow bench`, one file each.
 */
#ifndef DPOW_CLI_BENCH_INTERNAL_H
#define DPOW_CLI_BENCH_INTERNAL_H

#include "cli/cli.h"

/** Measures how fast each device searches and prints it. @return an exit_status */
int bench_engine(const struct invocation *invocation);

/** `dpow bench hub`: the load on a running hub. */
extern const struct command bench_hub;

#endif
