#include "cli/commands.h"

#include "base/json.h"
#include "engine/devices.h"
#include "engine/kernel.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

enum { MODEL_SIZE = 128, LINE_SIZE = 1024, TEXT_SIZE = 16384 };

static const struct option_spec devices_options[] = {
    {.name = "json", .kind = OPTION_FLAG, .help = "Prints one JSON object."},
    {.name = NULL},
};

/* All that can search, and why a kind has nothing. */
struct inventory {
    char model[MODEL_SIZE];
    const struct kernel *best;
    struct gpu_info gpus[ENGINE_DEVICES_MAX];
    size_t count;
    size_t cuda_count; /* They are the first. */
    size_t automatic;  /* How many of them auto uses. */
    struct error no_cuda;
    struct error no_opencl;
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

static void take_inventory(struct inventory *all)
{
    const char *why;
    *all = (struct inventory){.best = kernel_best()};
    read_model(all->model);
    all->cuda_count = cuda_list(all->gpus, ENGINE_DEVICES_MAX, &all->no_cuda);
    all->count =
        all->cuda_count + opencl_list(all->gpus + all->cuda_count,
                                      ENGINE_DEVICES_MAX - all->cuda_count, &all->no_opencl);
    for (size_t i = 0; i < all->count; i++)
        all->automatic += device_is_automatic(&all->gpus[i], all->cuda_count > 0, &why);
}

static const char *cpu_reason(const struct inventory *all)
{
    return all->automatic == 0 ? "there is no GPU"
                               : "there is a GPU, and auto leaves the processor alone then";
}

static void name_gpu(const struct gpu_info *gpu, char name[DEVICE_NAME_SIZE])
{
    if (gpu->kind == DEVICE_CUDA)
        (void)snprintf(name, DEVICE_NAME_SIZE, "cuda:%u", gpu->device);
    else
        (void)snprintf(name, DEVICE_NAME_SIZE, "opencl:%u:%u", gpu->platform, gpu->device);
}

static void write_use(struct json_writer *writer, bool used, const char *why)
{
    json_key(writer, "auto");
    json_write_bool(writer, used);
    json_key(writer, "why");
    json_write_text(writer, why);
}

static void write_cpu(struct json_writer *writer, const struct inventory *all)
{
    json_begin_object(writer);
    json_key(writer, "device");
    json_write_text(writer, "cpu");
    json_key(writer, "model");
    json_write_text(writer, all->model);
    json_key(writer, "threads");
    json_write_u64(writer, engine_cpu_threads());
    json_key(writer, "kernel");
    json_write_text(writer, all->best->family);
    json_key(writer, "variant");
    json_write_text(writer, all->best->name);
    json_key(writer, "kernels");
    json_begin_array(writer);
    for (const struct kernel *const *kernel = kernel_all(); *kernel != NULL; kernel++)
        if ((*kernel)->supported())
            json_write_text(writer, (*kernel)->name);
    json_end_array(writer);
    write_use(writer, all->automatic == 0, cpu_reason(all));
    json_end_object(writer);
}

static void write_gpu(struct json_writer *writer, const struct inventory *all,
                      const struct gpu_info *gpu)
{
    char name[DEVICE_NAME_SIZE];
    const char *why;
    const bool used = device_is_automatic(gpu, all->cuda_count > 0, &why);
    name_gpu(gpu, name);
    json_begin_object(writer);
    json_key(writer, "device");
    json_write_text(writer, name);
    json_key(writer, "model");
    json_write_text(writer, gpu->name);
    json_key(writer, "vendor");
    json_write_text(writer, gpu->vendor);
    json_key(writer, "driver");
    json_write_text(writer, gpu->driver);
    json_key(writer, "memory_bytes");
    json_write_u64(writer, gpu->memory_bytes);
    json_key(writer, "compute_units");
    json_write_u64(writer, gpu->compute_units);
    write_use(writer, used, why);
    json_end_object(writer);
}

static void write_missing(struct json_writer *writer, const char *kind, const struct error *error)
{
    json_begin_object(writer);
    json_key(writer, "kind");
    json_write_text(writer, kind);
    json_key(writer, "why");
    json_write_text(writer, error->text);
    json_end_object(writer);
}

static int print_json(const struct invocation *invocation, const struct inventory *all)
{
    char text[TEXT_SIZE];
    struct json_writer writer;
    json_writer_init(&writer, text, sizeof text);
    json_begin_object(&writer);
    json_key(&writer, "devices");
    json_begin_array(&writer);
    write_cpu(&writer, all);
    for (size_t i = 0; i < all->count; i++)
        write_gpu(&writer, all, &all->gpus[i]);
    json_end_array(&writer);
    json_key(&writer, "missing");
    json_begin_array(&writer);
    if (all->cuda_count == 0)
        write_missing(&writer, "cuda", &all->no_cuda);
    if (all->count == all->cuda_count)
        write_missing(&writer, "opencl", &all->no_opencl);
    json_end_array(&writer);
    json_end_object(&writer);
    return command_print(invocation, text);
}

static int print_cpu(const struct invocation *invocation, const struct inventory *all)
{
    char text[LINE_SIZE];
    size_t length = (size_t)snprintf(text, sizeof text, "cpu  %s, %u threads; kernels:", all->model,
                                     engine_cpu_threads());
    for (const struct kernel *const *kernel = kernel_all(); *kernel != NULL; kernel++)
        if ((*kernel)->supported() && length < sizeof text)
            length +=
                (size_t)snprintf(text + length, sizeof text - length, " %s%s", (*kernel)->name,
                                 *kernel == all->best ? " (the fastest)" : "");
    if (length < sizeof text)
        (void)snprintf(text + length, sizeof text - length, "\n     auto: %s, because %s",
                       all->automatic == 0 ? "used" : "not used", cpu_reason(all));
    return command_print(invocation, text);
}

static int print_gpu(const struct invocation *invocation, const struct inventory *all,
                     const struct gpu_info *gpu)
{
    char text[LINE_SIZE];
    char name[DEVICE_NAME_SIZE];
    const char *why;
    const bool used = device_is_automatic(gpu, all->cuda_count > 0, &why);
    name_gpu(gpu, name);
    (void)snprintf(text, sizeof text,
                   "%s  %s (%s), %u compute units, %.1f GiB, driver %s\n     auto: %s, because %s",
                   name, gpu->name, gpu->vendor, gpu->compute_units,
                   (double)gpu->memory_bytes / (1 << 30), gpu->driver, used ? "used" : "not used",
                   why);
    return command_print(invocation, text);
}

static int print_text(const struct invocation *invocation, const struct inventory *all)
{
    char text[LINE_SIZE];
    int status = print_cpu(invocation, all);
    for (size_t i = 0; status == EXIT_DONE && i < all->count; i++)
        status = print_gpu(invocation, all, &all->gpus[i]);
    if (status == EXIT_DONE && all->cuda_count == 0) {
        (void)snprintf(text, sizeof text, "cuda  none: %s", all->no_cuda.text);
        status = command_print(invocation, text);
    }
    if (status == EXIT_DONE && all->count == all->cuda_count) {
        (void)snprintf(text, sizeof text, "opencl  none: %s", all->no_opencl.text);
        status = command_print(invocation, text);
    }
    return status;
}

static int run_devices(const struct invocation *invocation)
{
    struct inventory all;
    take_inventory(&all);
    return options_flag(invocation->options, "json") ? print_json(invocation, &all)
                                                     : print_text(invocation, &all);
}

const struct command command_devices = {
    .name = "devices",
    .summary = "List what can search on this machine",
    .synopsis = "[OPTIONS]",
    .description = "For the CPU: its model, the threads this process may use, and the kernels "
                   "(implementations of the search) that it supports. For OpenCL and CUDA: each "
                   "device with its driver. For each: whether the list of devices auto uses it, "
                   "and why.",
    .examples = "dpow devices\ndpow devices --json",
    .options = devices_options,
    .run = run_devices,
};
