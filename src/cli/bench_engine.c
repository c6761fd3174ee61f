#include "cli/bench_internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "engine/devices.h"
#include "nano/difficulty.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SLICES = 10, TEXT_SIZE = 512 };

static const double warm_up_seconds = 0.2;

/* The rate of each device in each slice, in hashes a second. */
struct measurement {
    double rates[ENGINE_DEVICES_MAX][SLICES];
};

static void ignore_end(void *context, const struct search_end *end)
{
    (void)context;
    (void)end;
}

/* Sleeps; false if one of the signals, which are blocked, arrived meanwhile. */
static bool sleep_seconds(double seconds, const sigset_t *signals)
{
    const uint64_t nanoseconds = (uint64_t)(seconds * 1e9);
    const struct timespec wait = {
        .tv_sec = (time_t)(nanoseconds / 1000000000),
        .tv_nsec = (long)(nanoseconds % 1000000000),
    };
    return sigtimedwait(signals, NULL, &wait) < 0;
}

static void read_hashes(struct engine *engine, uint64_t hashes[ENGINE_DEVICES_MAX])
{
    for (size_t i = 0; i < engine_device_count(engine); i++) {
        struct engine_device device;
        engine_device(engine, i, &device);
        hashes[i] = device.hashes;
    }
}

static bool measure_slice(struct engine *engine, double seconds, const sigset_t *signals,
                          struct measurement *measurement, size_t slice)
{
    uint64_t before[ENGINE_DEVICES_MAX] = {0};
    uint64_t after[ENGINE_DEVICES_MAX] = {0};
    const uint64_t began_us = clock_monotonic_us();
    read_hashes(engine, before);
    if (!sleep_seconds(seconds, signals))
        return false;
    read_hashes(engine, after);
    const double passed = (double)(clock_monotonic_us() - began_us) / 1e6;
    for (size_t i = 0; i < engine_device_count(engine); i++)
        measurement->rates[i][slice] = (double)(after[i] - before[i]) / passed;
    return true;
}

static bool measure(struct engine *engine, double seconds, const sigset_t *signals,
                    struct measurement *measurement)
{
    if (!sleep_seconds(warm_up_seconds, signals))
        return false;
    for (size_t slice = 0; slice < SLICES; slice++)
        if (!measure_slice(engine, seconds / SLICES, signals, measurement, slice))
            return false;
    return true;
}

static int compare_rates(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double rates[SLICES])
{
    qsort(rates, SLICES, sizeof rates[0], compare_rates);
    return (rates[(SLICES - 1) / 2] + rates[SLICES / 2]) / 2;
}

static void write_json(char text[TEXT_SIZE], const struct engine_device *device, double rate)
{
    struct json_writer writer;
    json_writer_init(&writer, text, TEXT_SIZE);
    json_begin_object(&writer);
    json_key(&writer, "device");
    json_write_text(&writer, "cpu");
    json_key(&writer, "kernel");
    json_write_text(&writer, device->kernel);
    json_key(&writer, "rate");
    json_write_double(&writer, rate);
    json_key(&writer, "per_thread");
    json_write_double(&writer, rate / device->threads);
    json_key(&writer, "threads");
    json_write_u64(&writer, device->threads);
    json_end_object(&writer);
}

static void write_text(char text[TEXT_SIZE], const struct engine_device *device, double rate)
{
    const struct network *live = network_find("live");
    (void)snprintf(text, TEXT_SIZE,
                   "cpu:%u  %s: %.2f MH/s, %.2f MH/s a thread; on average a send takes %.3g s, a "
                   "receive %.3g s",
                   device->threads, device->kernel, rate / 1e6, rate / 1e6 / device->threads,
                   difficulty_expected_hashes(live->send) / rate,
                   difficulty_expected_hashes(live->receive) / rate);
}

static int print_rates(const struct invocation *invocation, struct engine *engine,
                       struct measurement *measurement)
{
    for (size_t i = 0; i < engine_device_count(engine); i++) {
        struct engine_device device;
        char text[TEXT_SIZE];
        engine_device(engine, i, &device);
        const double rate = median(measurement->rates[i]);
        if (options_flag(invocation->options, "json"))
            write_json(text, &device, rate);
        else
            write_text(text, &device, rate);
        const int status = command_print(invocation, text);
        if (status != EXIT_DONE)
            return status;
    }
    return EXIT_DONE;
}

/* A search that no nonce is expected to end keeps the devices busy. */
static int run_engine(const struct invocation *invocation, struct engine *engine,
                      const sigset_t *signals)
{
    const struct root root = {{1}};
    struct measurement measurement;
    struct error error;
    if (engine_search(engine, &root, UINT64_MAX, SEARCH_ONDEMAND, &error) == 0)
        return command_fail(invocation, &error);
    if (measure(engine, options_number(invocation->options, "seconds"), signals, &measurement))
        return print_rates(invocation, engine, &measurement);
    (void)fprintf(stderr, "%s: interrupted\n", invocation->name);
    return EXIT_INTERRUPTED;
}

int bench_engine(const struct invocation *invocation)
{
    struct device_list devices;
    struct error error;
    if (!device_list_parse(options_text(invocation->options, "devices"),
                           options_text(invocation->options, "kernel"), &devices, &error))
        return command_misused(invocation, "%s", error.text);
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    /* Before the engine's threads exist, so that they inherit it and the main thread gets them. */
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    const struct engine_options options = {
        .devices = devices.choices,
        .device_count = devices.count,
        .on_end = ignore_end,
    };
    struct engine *engine = engine_create(&options, &error);
    if (engine == NULL)
        return command_fail(invocation, &error);
    const int status = run_engine(invocation, engine, &signals);
    engine_destroy(engine);
    return status;
}
