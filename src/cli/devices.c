#include "cli/commands.h"

#include "base/json.h"
#include "engine/engine.h"
#include "engine/kernel.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

enum { MODEL_SIZE = 128, TEXT_SIZE = 1024 };

static const struct option_spec devices_options[] = {
    {.name = "json", .kind = OPTION_FLAG, .help = "Prints one JSON object."},
    {.name = NULL},
};

/* The processor's name as the kernel gives it; arm64 has none there, so the architecture stands
 * in.*/
static void read_model(char model[MODEL_SIZE])
{
    struct utsname names;
    (void)snprintf(model, MODEL_SIZE, "%s", uname(&names) == 0 ? names.machine : "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (file == NULL)
        return;
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        const char *colon = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        (void)snprintf(model, MODEL_SIZE, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    (void)fclose(file);
}

static void write_json(char text[TEXT_SIZE], const char *model)
{
    struct json_writer writer;
    json_writer_init(&writer, text, TEXT_SIZE);
    json_begin_object(&writer);
    json_key(&writer, "devices");
    json_begin_array(&writer);
    json_begin_object(&writer);
    json_key(&writer, "device");
    json_write_text(&writer, "cpu");
    json_key(&writer, "model");
    json_write_text(&writer, model);
    json_key(&writer, "threads");
    json_write_u64(&writer, engine_cpu_threads());
    json_key(&writer, "kernel");
    json_write_text(&writer, kernel_best()->name);
    json_key(&writer, "kernels");
    json_begin_array(&writer);
    for (const struct kernel *const *kernel = kernel_all(); *kernel != NULL; kernel++)
        if ((*kernel)->supported())
            json_write_text(&writer, (*kernel)->name);
    json_end_array(&writer);
    json_end_object(&writer);
    json_end_array(&writer);
    json_end_object(&writer);
}

static void write_text(char text[TEXT_SIZE], const char *model)
{
    size_t length = (size_t)snprintf(text, TEXT_SIZE, "cpu  %s, %u threads; kernels:", model,
                                     engine_cpu_threads());
    for (const struct kernel *const *kernel = kernel_all(); *kernel != NULL; kernel++)
        if ((*kernel)->supported() && length < TEXT_SIZE)
            length += (size_t)snprintf(text + length, TEXT_SIZE - length, " %s%s", (*kernel)->name,
                                       *kernel == kernel_best() ? " (used)" : "");
}

static int run_devices(const struct invocation *invocation)
{
    char model[MODEL_SIZE];
    char text[TEXT_SIZE];
    read_model(model);
    if (options_flag(invocation->options, "json"))
        write_json(text, model);
    else
        write_text(text, model);
    return command_print(invocation, text);
}

const struct command command_devices = {
    .name = "devices",
    .summary = "List what can search on this machine",
    .synopsis = "[OPTIONS]",
    .description = "For the CPU: its model, the threads this process may use, and the kernels "
                   "(implementations of the search) that it supports, fastest first.",
    .examples = "dpow devices\ndpow devices --json",
    .options = devices_options,
    .run = run_devices,
};
