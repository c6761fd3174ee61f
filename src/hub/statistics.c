#include "hub/statistics.h"

#include "base/json.h"

#include <stdlib.h>

/* Escapes may make six bytes of one. */
enum { FIXED_ROOM = 512, SERVICE_ROOM = 6 * (SERVICE_DISPLAY_SIZE + SERVICE_WEBSITE_SIZE) + 128 };

static void write_counts(struct json_writer *writer, const uint64_t counts[WORK_TYPES])
{
    for (int type = 0; type < WORK_TYPES; type++) {
        json_key(writer, work_type_name((enum work_type)type));
        json_write_u64(writer, counts[type]);
    }
}

static void write_public(struct json_writer *writer, const struct services *services)
{
    json_key(writer, "public");
    json_begin_array(writer);
    for (size_t i = 0; i < services_count(services); i++) {
        const struct service_record *record = &services_at(services, i)->record;
        if (!record->is_public)
            continue;
        json_begin_object(writer);
        json_key(writer, "display");
        json_write_text(writer, record->display);
        json_key(writer, "website");
        json_write_text(writer, record->website);
        write_counts(writer, record->answered.of);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void write_private(struct json_writer *writer, const struct services *services)
{
    uint64_t count = 0;
    uint64_t sums[WORK_TYPES] = {0};
    for (size_t i = 0; i < services_count(services); i++) {
        const struct service_record *record = &services_at(services, i)->record;
        if (record->is_public)
            continue;
        count++;
        for (int type = 0; type < WORK_TYPES; type++)
            sums[type] += record->answered.of[type];
    }
    json_key(writer, "private");
    json_begin_object(writer);
    json_key(writer, "count");
    json_write_u64(writer, count);
    write_counts(writer, sums);
    json_end_object(writer);
}

char *statistics_write(const struct services *services, const struct work_counts *rewarded,
                       size_t *length)
{
    const size_t size = FIXED_ROOM + services_count(services) * SERVICE_ROOM;
    char *data = malloc(size);
    struct json_writer writer;
    if (data == NULL)
        return NULL;
    json_writer_init(&writer, data, size);
    json_begin_object(&writer);
    json_key(&writer, "services");
    json_begin_object(&writer);
    write_public(&writer, services);
    write_private(&writer, services);
    json_end_object(&writer);
    json_key(&writer, "work");
    json_begin_object(&writer);
    write_counts(&writer, rewarded->of);
    json_end_object(&writer);
    json_end_object(&writer);
    *length = writer.length;
    return data;
}
