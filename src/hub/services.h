/**
 * services: the directory of who may ask for work, in memory, with their rates and counters.
 *
 * The store is the truth; the hub loads the directory at start and changes it when the store has
 * committed a change. One thread uses a directory. No I/O; the time is a parameter.
 */
#ifndef DPOW_HUB_SERVICES_H
#define DPOW_HUB_SERVICES_H

#include "base/error.h"
#include "store/store.h"

enum {
    SERVICES_MAX = 65536,
    SERVICE_OPEN_MAX = 4096,    /**< Requests of a service of weight 1 in hand at once. */
    SERVICE_BURST_SECONDS = 2,  /**< A rested service may start this much of its rate at once. */
    SERVICE_RATE_DEFAULT = 100, /**< Requests a second, where the operator names none. */
};

/** A service in the directory. Owned by the directory; its address never changes. */
struct service {
    struct service_record record; /**< Counters and credits included: what is durable. */
    uint64_t next_start_us;       /**< When the next request would start at the bare rate. */
    size_t open;                  /**< Requests in hand; each may use a credit. */
    size_t place;                 /**< In the list of all. */
    bool removed;                 /**< Out of the directory; freed with its last request. */
};

struct services;

/** @return owned by the caller, or NULL with ERROR_MEMORY */
struct services *services_create(struct error *error);
void services_destroy(struct services *services);

/** Adds a service as the store has it; copied, with a rate and a weight that are not acceptable
 * replaced by the usual ones. ERROR_EXISTS, ERROR_LIMIT, ERROR_MEMORY. */
bool services_add(struct services *services, const struct service_record *record,
                  struct error *error);

/** By login name, or NULL. */
struct service *services_find(const struct services *services, const char *name);

/** By the store's number, or NULL. */
struct service *services_by_id(const struct services *services, int64_t id);

/** Takes a service out of the directory; it is freed once none of its requests is in hand. */
void services_remove(struct services *services, struct service *service);

size_t services_count(const struct services *services);

/** The services, in the order they were added as long as none is removed. */
struct service *services_at(const struct services *services, size_t index);

/** Whether a text can be a login name: 1 to 64 of A–Z a–z 0–9 . _ - */
bool service_name_valid(struct slice name);

/** What a service is where the operator says nothing else: without name, display and key hash. */
struct service_record service_record_defaults(int64_t created_ms);

/** Whether a weight is acceptable: 0.01 to 100. */
bool service_weight_valid(double weight);

/** Whether a rate is acceptable: 0.01 to 1,000,000 requests a second. */
bool service_rate_valid(double rate_per_s);

/** Whether a text may be shown as a website: empty, or http(s):// with no white space or quotes. */
bool service_website_valid(struct slice website);

/** Whether a service is banned at a moment of the wall clock. */
bool service_banned(const struct service *service, int64_t wall_ms);

/** How a request fares that a service wants to make. */
enum admission {
    ADMISSION_OPEN,      /**< Admitted. */
    ADMISSION_TOO_MANY,  /**< It could not start in time, or too many are in hand. */
    ADMISSION_NO_CREDIT, /**< Each credit left is promised to a request in hand. */
};

/** A request that a service wants to make. */
struct service_demand {
    uint64_t now_us;
    uint64_t timeout_us;
    bool cached; /**< Its work is at hand: it may have been paid for, which the store knows. */
};

/**
 * Token bucket and credits (dpow.md 3.5): admits a request, at once or after a hold that counts
 * towards its time-out, or refuses it.
 * @param start_us when it may start, if admitted; service->open is then one more
 * @param retry_after_s if TOO_MANY: after how many seconds asking again can succeed, at least 1
 */
enum admission service_admit(struct service *service, const struct service_demand *demand,
                             uint64_t *start_us, unsigned *retry_after_s);

/** An admitted request has been answered or has left; the service may cease to exist. */
void service_release(struct service *service);

#endif
