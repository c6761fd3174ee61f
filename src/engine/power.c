#include "engine/power.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 512, NAME_SIZE = 64 };

static bool read_line(const char *zones, size_t package, const char *file, char line[NAME_SIZE])
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/intel-rapl:%zu/%s", zones, package, file);
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return false;
    const bool read = fgets(line, NAME_SIZE, stream) != NULL;
    (void)fclose(stream);
    return read;
}

static bool read_number(const char *zones, size_t package, const char *file, uint64_t *number)
{
    char line[NAME_SIZE];
    return read_line(zones, package, file, line) && sscanf(line, "%" SCNu64, number) == 1;
}

/* Zones are numbered from 0; those that are no package ("psys") count what packages count too. */
bool power_read(const char *zones, struct power_reading *reading)
{
    struct power_reading read = {.packages = 0};
    char name[NAME_SIZE];
    for (size_t zone = 0; zone < POWER_PACKAGES_MAX; zone++) {
        if (!read_line(zones, zone, "name", name))
            break;
        if (strncmp(name, "package", strlen("package")) != 0)
            continue;
        if (!read_number(zones, zone, "energy_uj", &read.microjoules[read.packages]) ||
            !read_number(zones, zone, "max_energy_range_uj", &read.range[read.packages]))
            return false;
        read.packages++;
    }
    if (read.packages == 0)
        return false;
    *reading = read;
    return true;
}

double power_joules(const struct power_reading *before, const struct power_reading *after)
{
    double microjoules = 0;
    for (size_t i = 0; i < before->packages && i < after->packages; i++) {
        const uint64_t from = before->microjoules[i];
        const uint64_t to = after->microjoules[i];
        microjoules += to >= from ? (double)(to - from) : (double)(after->range[i] - from + to);
    }
    return microjoules / 1e6;
}
