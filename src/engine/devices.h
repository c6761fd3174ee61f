/**
 * devices: the list of devices a user names: `auto`, or `cpu`, `cpu:THREADS`, separated by commas
 * (cli.md).
 */
#ifndef DPOW_ENGINE_DEVICES_H
#define DPOW_ENGINE_DEVICES_H

#include "engine/engine.h"

/** Devices chosen; the first count are set. */
struct device_list {
    struct device_choice choices[ENGINE_DEVICES_MAX];
    size_t count;
};

/**
 * Reads a list; `auto` is the CPU with all its threads.
 * @param kernel forces a CPU kernel by name, as a benchmark wants; NULL for the fastest
 * @return false with the error naming the device and what it may be
 */
bool device_list_parse(const char *text, const char *kernel, struct device_list *list,
                       struct error *error);

#endif
