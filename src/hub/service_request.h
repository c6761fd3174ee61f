/**
 * service_request: what a service sends, read and checked in the order and with the texts of
 * dpow.md 3.1 and 3.2, for POST and WebSocket alike. No I/O.
 *
 * Reading is in two steps, because the credentials are checked between them (row 4):
 * service_request_read() does rows 1 to 3, service_request_check() rows 6 to 13.
 */
#ifndef DPOW_HUB_SERVICE_REQUEST_H
#define DPOW_HUB_SERVICE_REQUEST_H

#include "base/json.h"
#include "nano/account.h"
#include "nano/difficulty.h"
#include "nano/work.h"

enum {
    SERVICE_USER_SIZE = 65, /**< Names have at most 64 bytes; longer ones cannot exist. */
    SERVICE_KEY_SIZE = 257, /**< Likewise for keys, imported ones included. */
    SERVICE_ERROR_SIZE = 128,
};

/** Who asks, by its own account. Wipe after use. */
struct service_credentials {
    char user[SERVICE_USER_SIZE];
    struct slice api_key; /**< Points into api_key_buffer. */
    char api_key_buffer[SERVICE_KEY_SIZE];
    bool well_formed; /**< Both are strings of possible length. */
};

/** What a request may ask for. */
struct service_limits {
    const struct network *network;
    uint64_t base;         /**< Threshold of multiplier 1.0. */
    double max_multiplier; /**< At least 1. */
    bool clamp;            /**< What exceeds it is lowered to it instead of being refused. */
};

/** A request whose every field is right. */
struct service_request {
    struct root root;
    uint64_t threshold;
    bool clamped;       /**< The threshold is lower than what was asked for. */
    unsigned timeout_s; /**< 1 to 30. */
    bool has_account;
    struct account account;
};

/**
 * Rows 1 to 3.
 * @param text borrowed as long as the object is used
 * @param object the request's members; valid also when false is returned because of row 3
 * @param error the text to answer with
 * @return false if the request is refused
 */
bool service_request_read(struct slice text, struct json_object *object,
                          struct service_credentials *credentials, char error[SERVICE_ERROR_SIZE]);

/** Rows 6 to 13; error as above. */
bool service_request_check(const struct json_object *object, const struct service_limits *limits,
                           struct service_request *request, char error[SERVICE_ERROR_SIZE]);

#endif
