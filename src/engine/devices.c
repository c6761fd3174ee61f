#include "engine/devices.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 64 };

/* Threads as a number of one to four digits; 0 if it is none. */
static unsigned parse_threads(const char *text)
{
    const size_t length = strlen(text);
    if (length == 0 || length > 4 || strspn(text, "0123456789") != length)
        return 0;
    return (unsigned)strtoul(text, NULL, 10);
}

static bool parse_cpu(const char *name, struct device_choice *choice, struct error *error)
{
    choice->kind = DEVICE_CPU;
    choice->threads = engine_cpu_threads();
    if (strcmp(name, "cpu") == 0)
        return true;
    choice->threads = parse_threads(name + strlen("cpu:"));
    if (choice->threads >= 1 && choice->threads <= ENGINE_THREADS_MAX)
        return true;
    return error_set(error, ERROR_INVALID, "device %s: THREADS of cpu:THREADS must be 1 to %d",
                     name, ENGINE_THREADS_MAX);
}

static bool parse_device(const char *name, struct device_choice *choice, struct error *error)
{
    if (strcmp(name, "auto") == 0)
        return parse_cpu("cpu", choice, error);
    if (strcmp(name, "cpu") == 0 || strncmp(name, "cpu:", 4) == 0)
        return parse_cpu(name, choice, error);
    if (strncmp(name, "opencl", 6) == 0 || strncmp(name, "cuda", 4) == 0)
        return error_set(error, ERROR_INVALID, "device %s: this version searches on the CPU only",
                         name);
    return error_set(error, ERROR_INVALID, "device %s: it must be auto, cpu or cpu:THREADS", name);
}

bool device_list_parse(const char *text, const char *kernel, struct device_list *list,
                       struct error *error)
{
    struct device_list read = {.count = 0};
    while (true) {
        char name[NAME_SIZE];
        const size_t length = strcspn(text, ",");
        if (length == 0 || length >= sizeof name)
            return error_set(error, ERROR_INVALID,
                             "device list: a name of 1 to %d characters must stand between commas",
                             NAME_SIZE - 1);
        if (read.count == ENGINE_DEVICES_MAX)
            return error_set(error, ERROR_INVALID, "device list: at most %d devices",
                             ENGINE_DEVICES_MAX);
        (void)snprintf(name, sizeof name, "%.*s", (int)length, text);
        struct device_choice *choice = &read.choices[read.count];
        *choice = (struct device_choice){.kernel = kernel};
        if (!parse_device(name, choice, error))
            return false;
        read.count++;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *list = read;
    return true;
}
