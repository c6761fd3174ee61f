#include "cli/bench_internal.h"

#include "base/hex.h"
#include "base/json.h"
#include "cli/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { TEXT_SIZE = 1024, HTTP_PORT = 80, MQTT_PORT = 1883, MQTTS_PORT = 8883 };

static const struct option_spec hub_options[] = {
    {.name = "url", .kind = OPTION_TEXT, .argument = "URL", .help = "The hub: http://HOST:PORT."},
    {.name = "user", .kind = OPTION_TEXT, .argument = "NAME", .help = "The service's name."},
    {.name = "api-key",
     .kind = OPTION_TEXT,
     .argument = "KEY",
     .help = "The service's key.",
     .secret = true},
    {.name = "ws",
     .kind = OPTION_FLAG,
     .help = "Asks over WebSockets instead of POST requests on connections that stay open."},
    {.name = "connections",
     .kind = OPTION_U64,
     .argument = "N",
     .minimum = 1,
     .maximum = 16384,
     .help = "How many connections.",
     .fallback = "64"},
    {.name = "depth",
     .kind = OPTION_U64,
     .argument = "N",
     .minimum = 1,
     .maximum = LOAD_DEPTH_MAX,
     .help = "How many requests are in flight on each WebSocket.",
     .fallback = "1"},
    {.name = "seconds",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 0.1,
     .high = 3600,
     .help = "How long to ask.",
     .fallback = "5"},
    {.name = "rate",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 0.1,
     .high = 1e7,
     .help = "Asks N times a second in all, whether answers come or not; latencies count from when "
             "a request was due. By default each request follows an answer."},
    {.name = "cached",
     .kind = OPTION_FLAG,
     .help =
         "Asks for 8 hashes again and again, so that the hub answers from its cache; by default "
         "each request has a hash of its own."},
    {.name = "mqtt",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "Is the hub's worker too, mqtt://USER:PASSWORD@HOST:PORT, and answers at once: the "
             "hub must run with a --base-difficulty that nearly any nonce reaches.",
     .secret = true},
    {.name = "difficulty",
     .kind = OPTION_TEXT,
     .argument = "HEX",
     .help = "What requests ask for, 16 hexadecimal digits; by default the hub's base."},
    {.name = "verify",
     .kind = OPTION_FLAG,
     .help = "Checks the works with --cached too; otherwise only that there is one. What they must "
             "reach is --difficulty, or what the worker was asked for."},
    {.name = "idle",
     .kind = OPTION_U64,
     .argument = "N",
     .maximum = LOAD_SOCKETS_MAX,
     .help = "Opens N WebSockets before, on which nothing is asked, and keeps them open.",
     .fallback = "0"},
    {.name = "pid",
     .kind = OPTION_U64,
     .argument = "PID",
     .minimum = 1,
     .maximum = INT32_MAX,
     .help = "The hub's process, if it runs here: its memory before and after --idle is told."},
    {.name = "json", .kind = OPTION_FLAG, .help = "Prints one JSON object."},
    {.name = NULL},
};

static bool read_url(const char *text, const char *name, const char *const schemes[2],
                     struct url *url, struct error *error)
{
    struct error reason;
    if (text == NULL)
        return error_set(error, ERROR_INVALID, "--%s is missing: %s://HOST:PORT", name, schemes[0]);
    if (!url_parse(text, url, &reason))
        return error_set(error, ERROR_INVALID, "--%s: %s", name, reason.text);
    if (strcmp(url->scheme, schemes[0]) == 0 ||
        (schemes[1] != NULL && strcmp(url->scheme, schemes[1]) == 0))
        return true;
    return error_set(error, ERROR_INVALID, "--%s must begin with %s://, not %s://", name,
                     schemes[0], url->scheme);
}

/* Both URLs; the broker's only if it is given. */
static bool read_urls(const struct options *options, struct load_options *load, struct url *hub,
                      struct url *broker, struct error *error)
{
    static const char *const http[2] = {"http", NULL};
    static const char *const mqtt[2] = {"mqtt", "mqtts"};
    const char *text = options_text(options, "mqtt");
    if (!read_url(options_text(options, "url"), "url", http, hub, error))
        return false;
    if (hub->path[0] != '\0' && strcmp(hub->path, "/") != 0)
        return error_set(error, ERROR_INVALID, "--url must be http://HOST:PORT without a path");
    hub->port = hub->port != 0 ? hub->port : HTTP_PORT;
    load->hub = hub;
    if (text == NULL)
        return true;
    if (!read_url(text, "mqtt", mqtt, broker, error))
        return false;
    if (broker->port == 0)
        broker->port = strcmp(broker->scheme, "mqtts") == 0 ? MQTTS_PORT : MQTT_PORT;
    load->broker = broker;
    return true;
}

static bool read_options(const struct options *options, struct load_options *load,
                         struct error *error)
{
    uint64_t difficulty;
    load->user = options_text(options, "user");
    load->api_key = options_text(options, "api-key");
    load->difficulty = options_text(options, "difficulty");
    load->websocket = options_flag(options, "ws");
    load->cached = options_flag(options, "cached");
    load->verify = !load->cached || options_flag(options, "verify");
    load->connections = options_u64(options, "connections");
    load->depth = options_u64(options, "depth");
    load->idle = options_u64(options, "idle");
    load->seconds = options_number(options, "seconds");
    load->rate = options_number(options, "rate");
    load->pid = options_u64(options, "pid");
    if (load->user == NULL || load->api_key == NULL)
        return error_set(error, ERROR_INVALID, "%s is missing",
                         load->user == NULL ? "--user" : "--api-key-file");
    if (load->depth > 1 && !load->websocket)
        return error_set(error, ERROR_INVALID, "--depth needs --ws");
    if (load->difficulty != NULL && !hex_u64_parse(slice_of(load->difficulty), &difficulty))
        return error_set(error, ERROR_INVALID, "--difficulty must be 16 hexadecimal digits");
    return true;
}

/* Each connection needs a descriptor. */
static bool raise_descriptors(const struct load_options *load, struct error *error)
{
    enum { OTHERS = 64 };
    const size_t wanted = load->idle + load->connections + OTHERS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= wanted)
        return true;
    return error_set(error, ERROR_LIMIT,
                     "%zu connections need %zu descriptors; this process may have %llu (ulimit -n)",
                     load->idle + load->connections, wanted, (unsigned long long)limit.rlim_max);
}

static void write_json(char text[TEXT_SIZE], const struct load_options *load,
                       const struct load_result *result)
{
    static const struct {
        const char *name;
        double share;
    } percentiles[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"max_us", 1}};
    struct json_writer writer;
    json_writer_init(&writer, text, TEXT_SIZE);
    json_begin_object(&writer);
    json_key(&writer, "requests");
    json_write_u64(&writer, result->requests);
    json_key(&writer, "seconds");
    json_write_double(&writer, result->seconds);
    json_key(&writer, "requests_per_s");
    json_write_double(&writer, (double)result->requests / result->seconds);
    json_key(&writer, "errors");
    json_write_u64(&writer, result->errors);
    json_key(&writer, "timeouts");
    json_write_u64(&writer, result->timeouts);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        json_key(&writer, percentiles[i].name);
        json_write_u64(&writer, histogram_percentile(&result->latency, percentiles[i].share));
    }
    if (load->rate > 0) {
        json_key(&writer, "unsent");
        json_write_u64(&writer, result->unsent);
    }
    if (load->idle > 0) {
        json_key(&writer, "idle");
        json_write_u64(&writer, result->idle_open);
    }
    if (load->pid != 0) {
        json_key(&writer, "hub_before_kib");
        json_write_u64(&writer, result->hub_before_kib);
        json_key(&writer, "hub_after_kib");
        json_write_u64(&writer, result->hub_after_kib);
    }
    json_end_object(&writer);
}

static void write_text(char text[TEXT_SIZE], const struct load_options *load,
                       const struct load_result *result)
{
    const struct histogram *latency = &result->latency;
    int used = snprintf(text, TEXT_SIZE,
                        "%llu requests in %.2f s, %.0f a second; %llu errors, %llu timeouts\n"
                        "latency p50 %llu us, p90 %llu us, p99 %llu us, max %llu us",
                        (unsigned long long)result->requests, result->seconds,
                        (double)result->requests / result->seconds,
                        (unsigned long long)result->errors, (unsigned long long)result->timeouts,
                        (unsigned long long)histogram_percentile(latency, 0.5),
                        (unsigned long long)histogram_percentile(latency, 0.9),
                        (unsigned long long)histogram_percentile(latency, 0.99),
                        (unsigned long long)latency->max_us);
    if (load->rate > 0)
        used +=
            snprintf(text + used, TEXT_SIZE - (size_t)used,
                     "\n%llu requests were due but never sent", (unsigned long long)result->unsent);
    if (load->idle > 0)
        used += snprintf(text + used, TEXT_SIZE - (size_t)used, "\n%zu of %zu idle sockets open",
                         result->idle_open, load->idle);
    if (load->pid != 0)
        (void)snprintf(text + used, TEXT_SIZE - (size_t)used,
                       "\nthe hub's memory: %llu KiB before the idle sockets, %llu KiB with them",
                       (unsigned long long)result->hub_before_kib,
                       (unsigned long long)result->hub_after_kib);
}

static int measure(const struct invocation *invocation, const struct load_options *load,
                   struct load_result *result)
{
    char text[TEXT_SIZE];
    struct error error;
    bool interrupted;
    if (!raise_descriptors(load, &error) || !load_run(load, result, &interrupted, &error))
        return command_fail(invocation, &error);
    if (interrupted) {
        (void)fprintf(stderr, "%s: interrupted\n", invocation->name);
        return EXIT_INTERRUPTED;
    }
    if (result->errors > 0)
        log_write(&invocation->log, LOG_WARNING, "%llu requests failed; the first was told: %s",
                  (unsigned long long)result->errors, result->first_error);
    if (options_flag(invocation->options, "json"))
        write_json(text, load, result);
    else
        write_text(text, load, result);
    return command_print(invocation, text);
}

static int run_hub(const struct invocation *invocation)
{
    struct url hub = {0};
    struct url broker = {0};
    struct error error;
    struct load_options load = {.log = &invocation->log};
    if (!read_options(invocation->options, &load, &error) ||
        !read_urls(invocation->options, &load, &hub, &broker, &error))
        return command_misused(invocation, "%s", error.text);
    struct load_result *result = malloc(sizeof *result);
    if (result == NULL) {
        (void)error_set(&error, ERROR_MEMORY, "no memory for the result");
        return command_fail(invocation, &error);
    }
    const int status = measure(invocation, &load, result);
    free(result);
    return status;
}

const struct command bench_hub = {
    .name = "hub",
    .summary = "Measure how many requests a running hub answers, and how soon",
    .synopsis = "--url URL --user NAME --api-key-file FILE [OPTIONS]",
    .description =
        "Sends requests for work to a hub as fast as they are answered, or at a given rate, and "
        "prints how many were answered with a work and how long that took. Before, one request, or "
        "one for each hash with --cached, shows that the hub answers.",
    .examples =
        "dpow bench hub --url http://127.0.0.1:5030 --user load --api-key-file key --cached\n"
        "dpow bench hub --url http://127.0.0.1:5030 --user load --api-key-file key --ws "
        "--depth 16 --mqtt mqtt://client:client@127.0.0.1:1883 --rate 2000 --json",
    .options = hub_options,
    .run = run_hub,
};
