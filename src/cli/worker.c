#include "cli/commands.h"
#include "cli/directories.h"

#include "worker/worker.h"

#include <unistd.h>

static const struct option_spec worker_options[] = {
    {.name = "hub",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "The hub: mqtt://USER:PASSWORD@HOST:PORT, or mqtts:// with TLS.",
     .secret = true},
    {.name = "account",
     .kind = OPTION_TEXT,
     .argument = "ACCOUNT",
     .help = "The Nano account that is credited."},
    {.name = "types",
     .kind = OPTION_TEXT,
     .argument = "LIST",
     .help = "Which types of work to take: ondemand, precache or both, separated by a comma.",
     .fallback = "ondemand,precache"},
    {.name = "devices",
     .kind = OPTION_TEXT,
     .argument = "LIST",
     .help = "What searches: auto, cpu, cpu:THREADS, opencl, opencl:PLATFORM:DEVICE, cuda or "
             "cuda:N, separated by commas.",
     .fallback = "auto"},
    {.name = "data-dir",
     .kind = OPTION_TEXT,
     .argument = "DIR",
     .help = "Where the worker's name is kept between runs; created if missing. By default "
             "/var/lib/dpow for root, otherwise $XDG_STATE_HOME/dpow."},
    {.name = NULL},
};

static bool read_types(const char *text, struct worker_options *worker, struct error *error)
{
    while (true) {
        const struct slice name = {text, strcspn(text, ",")};
        bool known = false;
        for (int type = 0; type < WORK_TYPES; type++) {
            const bool is_it = slice_is(name, work_type_name((enum work_type)type));
            worker->types[type] |= is_it;
            known |= is_it;
        }
        if (!known)
            return error_set(error, ERROR_INVALID,
                             "--types must be ondemand, precache, or both with a comma between");
        if (text[name.length] == '\0')
            return true;
        text += name.length + 1;
    }
}

static bool read_account(const char *text, struct worker_options *worker, struct error *error)
{
    if (text == NULL)
        return error_set(error, ERROR_INVALID, "--account is missing: whom should it be for?");
    const enum account_fault fault = account_parse(slice_of(text), &worker->account);
    if (fault == ACCOUNT_OK)
        return true;
    return error_set(error, ERROR_INVALID, "--account %.70s is no Nano account: %s", text,
                     account_fault_text(fault));
}

static bool read_hub(const char *text, struct worker_options *worker, struct error *error)
{
    struct error reason;
    if (text == NULL)
        return error_set(error, ERROR_INVALID, "--hub is missing: mqtt://USER:PASSWORD@HOST:PORT");
    if (!url_parse(text, &worker->hub, &reason))
        return error_set(error, ERROR_INVALID, "--hub: %s", reason.text);
    if (strcmp(worker->hub.scheme, "mqtt") == 0 || strcmp(worker->hub.scheme, "mqtts") == 0)
        return true;
    return error_set(error, ERROR_INVALID,
                     "--hub: this version's worker speaks MQTT over TCP or TLS: the URL must begin "
                     "with mqtt:// or mqtts://, not %s://",
                     worker->hub.scheme);
}

static int run(const struct invocation *invocation)
{
    struct worker_options worker = {.screen = isatty(STDERR_FILENO) != 0};
    struct error error;
    char directory[DIRECTORY_SIZE];
    char cache[DIRECTORY_SIZE];
    bool interrupted;
    const struct options *options = invocation->options;
    if (!read_hub(options_text(options, "hub"), &worker, &error) ||
        !read_account(options_text(options, "account"), &worker, &error) ||
        !read_types(options_text(options, "types"), &worker, &error) ||
        !device_list_parse(options_text(options, "devices"), NULL, &worker.devices, &error) ||
        !state_directory_find(options_text(options, "data-dir"), directory, &error))
        return command_misused(invocation, "%s", error.text);
    worker.identity_directory = directory;
    worker.cache_dir = cache_directory_find(cache);
    if (!worker_run(&worker, &invocation->log, &interrupted, &error))
        return command_fail(invocation, &error);
    return interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
}

const struct command command_worker = {
    .name = "worker",
    .summary = "Find work for a hub",
    .synopsis = "--hub URL --account ACCOUNT [OPTIONS]",
    .description = "Connects to a hub, searches for the work it is given, and sends what it finds; "
                   "each accepted work is credited to the account.",
    .examples = "dpow worker --hub mqtt://client:client@127.0.0.1:1883 --account "
                "nano_1qato4k7z3spc8gq1zyd8xeqfbzsoxwo36a45ozbrxcatut7up8ohyardu1z",
    .options = worker_options,
    .run = run,
};
