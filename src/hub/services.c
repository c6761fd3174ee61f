#include "hub/services.h"

#include "base/random.h"
#include "base/table.h"
#include "nano/blake2b.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

struct services {
    struct service **list;
    size_t count;
    size_t capacity;
    struct table *by_name;
    struct table *by_id;
};

static struct table_key name_key(const char *name)
{
    struct table_key key = {{0}};
    const size_t length = strlen(name);
    if (length < sizeof key.bytes) {
        memcpy(key.bytes, name, length);
        return key;
    }
    /* No short name ends in a byte over 127, nor does any name have one. */
    blake2b(name, length, key.bytes, sizeof key.bytes);
    key.bytes[sizeof key.bytes - 1] |= 0x80;
    return key;
}

struct services *services_create(struct error *error)
{
    uint8_t seed[16];
    random_system(seed, sizeof seed);
    struct services *services = calloc(1, sizeof *services);
    if (services != NULL) {
        services->by_name = table_create(SERVICES_MAX, seed);
        services->by_id = table_create(SERVICES_MAX, seed);
    }
    if (services == NULL || services->by_name == NULL || services->by_id == NULL) {
        services_destroy(services);
        (void)error_set(error, ERROR_MEMORY, "no memory for the directory of services");
        return NULL;
    }
    return services;
}

void services_destroy(struct services *services)
{
    if (services == NULL)
        return;
    for (size_t i = 0; i < services->count; i++)
        free(services->list[i]);
    table_destroy(services->by_name);
    table_destroy(services->by_id);
    free(services->list);
    free(services);
}

static bool grow(struct services *services)
{
    if (services->count < services->capacity)
        return true;
    const size_t capacity = services->capacity == 0 ? 16 : 2 * services->capacity;
    struct service **list = realloc(services->list, capacity * sizeof *list);
    if (list == NULL)
        return false;
    services->list = list;
    services->capacity = capacity;
    return true;
}

/* What no operator can have said, for a file may have been edited by other hands: no division by 0,
 * and nothing beyond what is counted with. */
static void make_valid(struct service_record *record)
{
    if (!service_rate_valid(record->rate_per_s))
        record->rate_per_s = SERVICE_RATE_DEFAULT;
    if (!service_weight_valid(record->weight))
        record->weight = 1;
}

bool services_add(struct services *services, const struct service_record *record,
                  struct error *error)
{
    if (services_find(services, record->name) != NULL)
        return error_set(error, ERROR_EXISTS, "service %s exists already", record->name);
    if (services->count >= SERVICES_MAX)
        return error_set(error, ERROR_LIMIT, "there are %d services already", SERVICES_MAX);
    struct service *service = calloc(1, sizeof *service);
    if (service == NULL || !grow(services)) {
        free(service);
        return error_set(error, ERROR_MEMORY, "no memory for service %s", record->name);
    }
    service->record = *record;
    make_valid(&service->record);
    const bool named = table_insert(services->by_name, name_key(record->name).bytes, service);
    const bool numbered =
        table_insert(services->by_id, table_key_of((uint64_t)record->id).bytes, service);
    assert(named && numbered && "the tables have room for SERVICES_MAX");
    (void)named;
    (void)numbered;
    service->place = services->count;
    services->list[services->count++] = service;
    return true;
}

static void destroy(struct service *service)
{
    sodium_memzero(service, sizeof *service);
    free(service);
}

void services_remove(struct services *services, struct service *service)
{
    table_remove(services->by_name, name_key(service->record.name).bytes);
    table_remove(services->by_id, table_key_of((uint64_t)service->record.id).bytes);
    services->list[service->place] = services->list[--services->count];
    services->list[service->place]->place = service->place;
    service->removed = true;
    if (service->open == 0)
        destroy(service);
}

struct service *services_find(const struct services *services, const char *name)
{
    return table_find(services->by_name, name_key(name).bytes);
}

struct service *services_by_id(const struct services *services, int64_t id)
{
    return table_find(services->by_id, table_key_of((uint64_t)id).bytes);
}

size_t services_count(const struct services *services)
{
    return services->count;
}

struct service *services_at(const struct services *services, size_t index)
{
    return services->list[index];
}

bool service_name_valid(struct slice name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (name.length == 0 || name.length >= SERVICE_NAME_SIZE)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] == '\0' || strchr(allowed, name.data[i]) == NULL)
            return false;
    return true;
}

struct service_record service_record_defaults(int64_t created_ms)
{
    return (struct service_record){
        .rate_per_s = SERVICE_RATE_DEFAULT,
        .weight = 1,
        .unlimited = true,
        .precache = {PRECACHE_ALWAYS, false, 10000, 3600, 7 * 86400},
        .keys = {{.expires_ms = STORE_FOREVER_MS}},
        .created_ms = created_ms,
    };
}

bool service_weight_valid(double weight)
{
    return weight >= 0.01 && weight <= 100;
}

bool service_rate_valid(double rate_per_s)
{
    return rate_per_s >= 0.01 && rate_per_s <= 1e6;
}

bool service_website_valid(struct slice website)
{
    if (website.length == 0)
        return true;
    const size_t scheme = website.length > 8 && memcmp(website.data, "https://", 8) == 0  ? 8
                          : website.length > 7 && memcmp(website.data, "http://", 7) == 0 ? 7
                                                                                          : 0;
    if (scheme == 0 || website.length >= SERVICE_WEBSITE_SIZE)
        return false;
    for (size_t i = scheme; i < website.length; i++)
        if (website.data[i] <= ' ' || website.data[i] == 127 ||
            strchr("\"'<>\\`", website.data[i]) != NULL)
            return false;
    return true;
}

bool service_banned(const struct service *service, int64_t wall_ms)
{
    return service->record.ban.until_ms > wall_ms;
}

/* Each request in hand may use a credit, so that no more are promised than there are. */
static bool can_pay(const struct service *service, const struct service_demand *demand)
{
    const struct service_record *record = &service->record;
    return record->unlimited || demand->cached ||
           (record->credits > 0 && (uint64_t)record->credits > service->open);
}

enum admission service_admit(struct service *service, const struct service_demand *demand,
                             uint64_t *start_us, unsigned *retry_after_s)
{
    const uint64_t now_us = demand->now_us;
    const double rate = service->record.rate_per_s;
    const uint64_t interval_us = (uint64_t)(1e6 / rate);
    const uint64_t rest_us =
        rate * SERVICE_BURST_SECONDS > 1 ? SERVICE_BURST_SECONDS * 1000000ULL - interval_us : 0;
    const uint64_t idle_since = now_us > rest_us ? now_us - rest_us : 0;
    const uint64_t slot_us =
        service->next_start_us > idle_since ? service->next_start_us : idle_since;
    const uint64_t wait_us = slot_us > now_us ? slot_us - now_us : 0;
    const double open_max = service->record.weight * SERVICE_OPEN_MAX;
    if (!can_pay(service, demand))
        return ADMISSION_NO_CREDIT;
    if (wait_us >= demand->timeout_us || (double)service->open >= open_max) {
        const uint64_t excess_us = wait_us >= demand->timeout_us ? wait_us - demand->timeout_us : 0;
        *retry_after_s = (unsigned)(excess_us / 1000000) + 1;
        return ADMISSION_TOO_MANY;
    }
    service->next_start_us = slot_us + interval_us;
    service->open++;
    *start_us = now_us + wait_us;
    return ADMISSION_OPEN;
}

void service_release(struct service *service)
{
    assert(service->open > 0);
    service->open--;
    if (service->removed && service->open == 0)
        destroy(service);
}
