#include "cli/commands.h"
#include "cli/directories.h"

#include "base/hex.h"
#include "workserver/workserver.h"

/* The highest difficulty that is searched for unless told otherwise: 64 times the send class, as a
 * node's own limit (work-server.md 1.5). */
static const double multiplier_max = 64;

static const struct option_spec work_server_options[] = {
    {.name = "listen",
     .kind = OPTION_TEXT,
     .argument = "ADDR:PORT",
     .help = "Where nodes and wallets ask; port 0 is any free port.",
     .fallback = "127.0.0.1:7000"},
    {.name = "devices",
     .kind = OPTION_TEXT,
     .argument = "LIST",
     .help = "What searches: auto, cpu, cpu:THREADS, opencl, opencl:PLATFORM:DEVICE, cuda or "
             "cuda:N, separated by commas.",
     .fallback = "auto"},
    {.name = "network",
     .kind = OPTION_CHOICE,
     .choices = "live|beta|dev|test",
     .help = "Whose thresholds apply.",
     .fallback = "live"},
    {.name = "min-difficulty",
     .kind = OPTION_TEXT,
     .argument = "HEX",
     .help = "The lowest difficulty that is searched for, 16 hexadecimal digits; by default any."},
    {.name = "max-difficulty",
     .kind = OPTION_TEXT,
     .argument = "HEX",
     .help = "The highest; by default 64 times the send class, as a node's limit."},
    {.name = "queue",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 1,
     .high = 1e6,
     .help = "How many hashes may wait.",
     .fallback = "16384"},
    {.name = "share",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 1,
     .high = QUEUE_PLACES_MAX,
     .help = "How many hashes are searched at once when several wait, the devices divided among "
             "them; at most one for each thread and GPU.",
     .fallback = "1"},
    {.name = "shuffle",
     .kind = OPTION_FLAG,
     .help = "Takes the waiting hashes in random order, so that two servers behind one node rarely "
             "search the same; priorities do not count then."},
    {.name = "timeout",
     .kind = OPTION_NUMBER,
     .argument = "SECONDS",
     .low = 0,
     .high = 1e6,
     .help = "How long a request may take; 0 is for ever.",
     .fallback = "0"},
    {.name = "result-cache",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 0,
     .high = 1e6,
     .help = "How many works are remembered and given out again; 0 is none.",
     .fallback = "4096"},
    {.name = "connections",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 1,
     .high = 1e6,
     .help = "How many connections may be open.",
     .fallback = "1024"},
    {.name = "cors",
     .kind = OPTION_TEXT,
     .argument = "ORIGIN",
     .help = "Lets pages of that origin ask, * any; by default none."},
    {.name = "allow-control",
     .kind = OPTION_FLAG,
     .help = "Lets callers on this machine clear the queue and stop the server."},
    {.name = NULL},
};

static bool read_difficulty(const struct options *options, const char *name, uint64_t *difficulty,
                            struct error *error)
{
    const char *text = options_text(options, name);
    if (text == NULL || hex_u64_parse(slice_of(text), difficulty))
        return true;
    return error_set(error, ERROR_INVALID, "--%s must be 16 hexadecimal digits", name);
}

static bool read_rules(const struct options *options, struct rpc_rules *rules, struct error *error)
{
    rules->network = network_find(options_text(options, "network"));
    rules->difficulty_min = 0;
    rules->difficulty_max =
        difficulty_from_multiplier_saturating(multiplier_max, rules->network->send);
    if (!read_difficulty(options, "min-difficulty", &rules->difficulty_min, error) ||
        !read_difficulty(options, "max-difficulty", &rules->difficulty_max, error))
        return false;
    if (rules->difficulty_min <= rules->difficulty_max)
        return true;
    return error_set(error, ERROR_INVALID, "--min-difficulty is above --max-difficulty");
}

static struct queue_options read_queue(const struct options *options)
{
    enum { WAITERS_PER_ENTRY = 64, WAITERS = 65536 };
    return (struct queue_options){
        .entries_max = (size_t)options_number(options, "queue"),
        .waiters_per_entry_max = WAITERS_PER_ENTRY,
        .waiters_max = WAITERS,
        .results_max = (size_t)options_number(options, "result-cache"),
        .places = (unsigned)options_number(options, "share"),
        .shuffle = options_flag(options, "shuffle"),
        .timeout_us = (uint64_t)(options_number(options, "timeout") * 1e6),
    };
}

/* It is sent in a header: nothing that could end one. */
static bool read_origin(const struct options *options, const char **origin, struct error *error)
{
    const char *text = options_text(options, "cors");
    *origin = text;
    if (text == NULL ||
        (strlen(text) >= 1 && strlen(text) <= 200 && strpbrk(text, "\r\n \t,;\"") == NULL))
        return true;
    return error_set(error, ERROR_INVALID,
                     "--cors must be one origin of at most 200 characters, as https://example.org, "
                     "or *");
}

static bool read_listen(const struct options *options, struct listen_address *address,
                        struct error *error)
{
    struct error reason;
    if (listen_address_parse(options_text(options, "listen"), address, &reason))
        return true;
    return error_set(error, ERROR_INVALID, "--listen %s", reason.text);
}

static int run(const struct invocation *invocation)
{
    const struct options *options = invocation->options;
    struct workserver_options server = {.queue = read_queue(options)};
    char cache[DIRECTORY_SIZE];
    bool interrupted;
    struct error error;
    if (!read_listen(options, &server.listen, &error) ||
        !read_rules(options, &server.rules, &error) ||
        !read_origin(options, &server.cors_origin, &error) ||
        !device_list_parse(options_text(options, "devices"), NULL, &server.devices, &error))
        return command_misused(invocation, "%s", error.text);
    server.cache_dir = cache_directory_find(cache);
    server.connections_max = (size_t)options_number(options, "connections");
    server.allow_control = options_flag(options, "allow-control");
    if (!workserver_run(&server, &invocation->log, &interrupted, &error))
        return command_fail(invocation, &error);
    return interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
}

const struct command command_work_server = {
    .name = "work-server",
    .summary = "Serve work to Nano nodes and wallets from this machine",
    .synopsis = "[OPTIONS]",
    .description =
        "A work peer of Nano nodes: JSON-RPC over HTTP and WebSocket with work_generate, "
        "work_cancel, work_validate, benchmark and status.\n"
        "When requests can be served, one line of JSON is printed on standard output with the "
        "address.",
    .examples = "dpow work-server\n"
                "dpow work-server --listen [::1]:7076 --devices cuda,cpu:4\n"
                "curl -d '{\"action\":\"work_generate\",\"hash\":"
                "\"718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2\"}' "
                "http://127.0.0.1:7000",
    .options = work_server_options,
    .run = run,
};
