#include "cli/bench_internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "cli/directories.h"
#include "engine/devices.h"
#include "engine/kernel.h"
#include "engine/power.h"
#include "nano/difficulty.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICES = 10, SUBJECTS_MAX = 16, TEXT_SIZE = 512 };

/* Before the first slice of an engine, and before each later one. */
static const double first_warm_up_seconds = 0.2;
static const double warm_up_seconds = 0.02;

/* One engine that is measured, in turn with others if all kernels are. */
struct subject {
    struct engine *engine;
    double rates[ENGINE_DEVICES_MAX][SLICES]; /* Hashes a second. */
    double hashes;                            /* Of all its slices and devices. */
    double joules;                            /* Likewise, of the processor; 0 if not told. */
};

struct measurement {
    const struct invocation *invocation;
    sigset_t signals; /* Blocked; waited for instead. */
    char cache[DIRECTORY_SIZE];
    struct subject subjects[SUBJECTS_MAX];
    size_t count;
};

static void ignore_end(void *context, const struct search_end *end)
{
    (void)context;
    (void)end;
}

static void log_device(void *context, const struct device_event *event)
{
    const struct measurement *measurement = context;
    log_write(&measurement->invocation->log, event->working ? LOG_INFO : LOG_WARNING, "%s",
              event->text);
}

/* Sleeps; false if one of the signals arrived meanwhile. */
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

static bool count_slice(struct subject *subject, double seconds, const sigset_t *signals,
                        size_t slice)
{
    uint64_t before[ENGINE_DEVICES_MAX] = {0};
    uint64_t after[ENGINE_DEVICES_MAX] = {0};
    struct power_reading power_before;
    struct power_reading power_after;
    const uint64_t began_us = clock_monotonic_us();
    const bool told = power_read(POWER_ZONES, &power_before);
    read_hashes(subject->engine, before);
    if (!sleep_seconds(seconds, signals))
        return false;
    read_hashes(subject->engine, after);
    if (told && power_read(POWER_ZONES, &power_after))
        subject->joules += power_joules(&power_before, &power_after);
    const double passed = (double)(clock_monotonic_us() - began_us) / 1e6;
    for (size_t i = 0; i < engine_device_count(subject->engine); i++) {
        subject->rates[i][slice] = (double)(after[i] - before[i]) / passed;
        subject->hashes += (double)(after[i] - before[i]);
    }
    return true;
}

/* A search that no nonce is expected to end keeps the devices busy; between its slices an engine
 * sleeps. */
static int measure_slice(struct measurement *measurement, struct subject *subject, double seconds,
                         size_t slice)
{
    const struct root root = {{1}};
    struct error error;
    const search_id id = engine_search(subject->engine, &root, UINT64_MAX, SEARCH_ONDEMAND, &error);
    if (id == 0)
        return command_fail(measurement->invocation, &error);
    const bool done = sleep_seconds(slice == 0 ? first_warm_up_seconds : warm_up_seconds,
                                    &measurement->signals) &&
                      count_slice(subject, seconds, &measurement->signals, slice);
    (void)engine_cancel(subject->engine, id);
    if (done)
        return EXIT_DONE;
    (void)fprintf(stderr, "%s: interrupted\n", measurement->invocation->name);
    return EXIT_INTERRUPTED;
}

static int measure(struct measurement *measurement)
{
    const double seconds = options_number(measurement->invocation->options, "seconds") / SLICES;
    for (size_t slice = 0; slice < SLICES; slice++)
        for (size_t i = 0; i < measurement->count; i++) {
            const int status =
                measure_slice(measurement, &measurement->subjects[i], seconds, slice);
            if (status != EXIT_DONE)
                return status;
        }
    return EXIT_DONE;
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

/* What a device prints of itself; 0 joules: not told, or not of this device. */
struct result {
    struct engine_device device;
    double rate;
    double hashes_per_joule;
};

static void write_json(char text[TEXT_SIZE], const struct result *result)
{
    static const char *const kinds[] = {
        [DEVICE_CPU] = "cpu", [DEVICE_OPENCL] = "opencl", [DEVICE_CUDA] = "cuda"};
    struct json_writer writer;
    json_writer_init(&writer, text, TEXT_SIZE);
    json_begin_object(&writer);
    json_key(&writer, "device");
    json_write_text(&writer, kinds[result->device.kind]);
    json_key(&writer, "kernel");
    json_write_text(&writer, result->device.kernel);
    json_key(&writer, "variant");
    json_write_text(&writer, result->device.variant);
    json_key(&writer, "rate");
    json_write_double(&writer, result->rate);
    json_key(&writer, "per_thread");
    json_write_double(&writer, result->rate / result->device.threads);
    json_key(&writer, "threads");
    json_write_u64(&writer, result->device.threads);
    if (result->hashes_per_joule > 0) {
        json_key(&writer, "hashes_per_joule");
        json_write_double(&writer, result->hashes_per_joule);
    }
    json_end_object(&writer);
}

static void write_text(char text[TEXT_SIZE], const struct result *result)
{
    const struct network *live = network_find("live");
    char energy[48] = "";
    if (result->hashes_per_joule > 0)
        (void)snprintf(energy, sizeof energy, ", %.3g MH/s a watt", result->hashes_per_joule / 1e6);
    (void)snprintf(text, TEXT_SIZE,
                   "%-10s %-9s %9.2f MH/s, %.2f MH/s a thread%s; on average a send takes %.3g s, "
                   "a receive %.3g s",
                   result->device.name, result->device.variant, result->rate / 1e6,
                   result->rate / 1e6 / result->device.threads, energy,
                   difficulty_expected_hashes(live->send) / result->rate,
                   difficulty_expected_hashes(live->receive) / result->rate);
}

static int print_subject(const struct invocation *invocation, struct subject *subject)
{
    const size_t count = engine_device_count(subject->engine);
    for (size_t i = 0; i < count; i++) {
        char text[TEXT_SIZE];
        struct result result = {.rate = median(subject->rates[i])};
        engine_device(subject->engine, i, &result.device);
        /* The processor's counters tell nothing of other devices, nor of several apart. */
        if (subject->joules > 0 && count == 1 && result.device.kind == DEVICE_CPU)
            result.hashes_per_joule = subject->hashes / subject->joules;
        if (options_flag(invocation->options, "json"))
            write_json(text, &result);
        else
            write_text(text, &result);
        const int status = command_print(invocation, text);
        if (status != EXIT_DONE)
            return status;
    }
    return EXIT_DONE;
}

static bool add_subject(struct measurement *measurement, const struct device_list *devices,
                        struct error *error)
{
    if (measurement->count == SUBJECTS_MAX)
        return error_set(error, ERROR_LIMIT, "at most %d kernels are measured at once",
                         SUBJECTS_MAX);
    struct subject *subject = &measurement->subjects[measurement->count];
    subject->engine = engine_create(
        &(struct engine_options){.devices = devices->choices,
                                 .device_count = devices->count,
                                 .cache_dir = cache_directory_find(measurement->cache),
                                 .on_end = ignore_end,
                                 .on_device = log_device,
                                 .context = measurement},
        error);
    measurement->count += subject->engine != NULL;
    return subject->engine != NULL;
}

/* Each kernel by itself: those of the CPU on the threads the list says, then the other devices. */
static int add_all(struct measurement *measurement, const char *list)
{
    const bool whole = strcmp(list, "auto") == 0;
    struct device_list devices;
    struct error error;
    for (const struct kernel *const *kernel = kernel_all(); *kernel != NULL; kernel++) {
        if (!(*kernel)->supported())
            continue;
        if (!device_list_parse(whole ? "cpu" : list, (*kernel)->name, &devices, &error))
            return command_misused(measurement->invocation, "%s", error.text);
        if (!add_subject(measurement, &devices, &error))
            return command_fail(measurement->invocation, &error);
    }
    static const char *const others[] = {"opencl", "cuda"};
    for (size_t i = 0; whole && i < sizeof others / sizeof others[0]; i++) {
        if (!device_list_parse(others[i], NULL, &devices, &error))
            log_write(&measurement->invocation->log, LOG_INFO, "%s", error.text);
        else if (!add_subject(measurement, &devices, &error))
            return command_fail(measurement->invocation, &error);
    }
    return EXIT_DONE;
}

static int add_chosen(struct measurement *measurement, const char *list, const char *kernel)
{
    struct device_list devices;
    struct error error;
    if (kernel != NULL && (strcmp(kernel, "opencl") == 0 || strcmp(kernel, "cuda") == 0)) {
        list = strcmp(list, "auto") == 0 ? kernel : list;
        kernel = NULL;
    } else if (kernel != NULL && strcmp(list, "auto") == 0) {
        list = "cpu";
    }
    if (!device_list_parse(list, kernel, &devices, &error))
        return command_misused(measurement->invocation, "%s", error.text);
    if (!add_subject(measurement, &devices, &error))
        return command_fail(measurement->invocation, &error);
    return EXIT_DONE;
}

static int measure_and_print(struct measurement *measurement)
{
    const struct options *options = measurement->invocation->options;
    const char *list = options_text(options, "devices");
    const char *kernel = options_text(options, "kernel");
    int status = kernel != NULL && strcmp(kernel, "all") == 0
                     ? add_all(measurement, list)
                     : add_chosen(measurement, list, kernel);
    if (status == EXIT_DONE)
        status = measure(measurement);
    for (size_t i = 0; status == EXIT_DONE && i < measurement->count; i++)
        status = print_subject(measurement->invocation, &measurement->subjects[i]);
    return status;
}

int bench_engine(const struct invocation *invocation)
{
    struct measurement *measurement = calloc(1, sizeof *measurement);
    if (measurement == NULL) {
        struct error error;
        (void)error_set(&error, ERROR_MEMORY, "no memory for the measurement");
        return command_fail(invocation, &error);
    }
    measurement->invocation = invocation;
    (void)sigemptyset(&measurement->signals);
    (void)sigaddset(&measurement->signals, SIGINT);
    (void)sigaddset(&measurement->signals, SIGTERM);
    /* Before the engines' threads exist, so that they inherit it and the main thread gets them. */
    (void)pthread_sigmask(SIG_BLOCK, &measurement->signals, NULL);
    const int status = measure_and_print(measurement);
    for (size_t i = 0; i < measurement->count; i++)
        engine_destroy(measurement->subjects[i].engine);
    free(measurement);
    return status;
}
