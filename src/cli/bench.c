#include "cli/bench_internal.h"
#include "cli/commands.h"

#include "base/bytes.h"

static const struct option_spec bench_options[] = {
    {.name = "devices",
     .kind = OPTION_TEXT,
     .argument = "LIST",
     .help = "What is measured: auto, cpu, cpu:THREADS, opencl, opencl:PLATFORM:DEVICE, cuda or "
             "cuda:N, separated by commas; several are measured at the same time.",
     .fallback = "auto"},
    {.name = "kernel",
     .kind = OPTION_CHOICE,
     .choices =
         "portable|avx2|avx512|neon|opencl|cuda|all|avx512-2|avx512-3|avx512-c|avx2-2|avx2-c",
     .help = "Forces a kernel: of an instruction set the fastest, or exactly the one named; by "
             "default the fastest of all. all measures each one by itself, in turns."},
    {.name = "seconds",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 0.1,
     .high = 3600,
     .help = "How long to measure, each kernel if all are.",
     .fallback = "5"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .help = "Prints one JSON object a device, each on a line."},
    {.name = NULL},
};

static int run_bench(const struct invocation *invocation)
{
    if (invocation->argument_count == 1 && !slice_is(slice_of(invocation->arguments[0]), "engine"))
        return command_misused(invocation, "%s is nothing to measure; engine and hub are",
                               invocation->arguments[0]);
    return bench_engine(invocation);
}

static const struct command *const subcommands[] = {&bench_hub, NULL};

const struct command command_bench = {
    .name = "bench",
    .summary = "Measure how fast this machine finds work",
    .synopsis = "[engine] [OPTIONS]\nhub [OPTIONS]",
    .description = "The rate of each device is the median of several slices of time. The text also "
                   "says how long one work takes on average for a send and for a receive on the "
                   "live network, and the rate for each watt where the system tells the "
                   "processor's power (to root, mostly).",
    .examples = "dpow bench\ndpow bench --kernel all\ndpow bench --devices cpu:1 --kernel portable "
                "--seconds 2 --json",
    .options = bench_options,
    .subcommands = subcommands,
    .arguments_max = 1,
    .run = run_bench,
};
