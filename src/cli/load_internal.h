/**
 * load_internal: what the files of the load generator share. All of it belongs to the one thread of
 * its loop.
 */
#ifndef DPOW_CLI_LOAD_INTERNAL_H
#define DPOW_CLI_LOAD_INTERNAL_H

#include "base/random.h"
#include "cli/load.h"
#include "cli/load_wire.h"
#include "nano/work.h"
#include "net/mqtt_client.h"

#include <uv.h>

enum {
    LOAD_CACHED_ROOTS = 8,
    LOAD_INPUT_SIZE = 65536,
    LOAD_OUTPUT_SIZE = (LOAD_DEPTH_MAX + 1) * LOAD_REQUEST_SIZE,
};

enum load_phase { LOAD_OPENING, LOAD_WARMING, LOAD_RUNNING, LOAD_DRAINING, LOAD_CLOSING };

/** A request that waits for its answer. */
struct load_flight {
    bool waits;
    struct root root;
    uint64_t since_us; /**< When it was sent, or due. */
};

struct load_connection {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    struct load *load;
    bool idle; /**< Nothing is asked on it. */
    bool open; /**< Connected, and upgraded if it is to be. */
    bool upgrading;
    bool lost;
    struct load_flight *flights; /**< Among the load's, as many as the depth; NULL if idle. */
    char *rest;                  /**< The beginning of a message that is not complete; NULL. */
    size_t rest_length;
};

/** One place for a request, free to be used. */
struct load_slot {
    uint32_t connection;
    uint32_t flight;
};

/** The instant worker. */
struct load_worker {
    struct mqtt_client *client; /**< NULL if there is none. */
    bool ready;                 /**< Subscribed, or not wanted. */
    uint64_t threshold;         /**< What the hub last asked for; 0 if it has not. */
};

struct load {
    const struct load_options *options;
    struct load_result *result;
    struct error *error;
    bool failed;
    bool interrupted;
    uv_loop_t loop;
    uv_timer_t timer; /**< Ends the present phase. */
    uv_signal_t signals[2];
    uv_poll_t ticker; /**< With a rate: says that requests are due. */
    int ticker_file;  /**< -1 without. */
    struct sockaddr_storage address;
    enum load_phase phase;
    struct load_connection *connections; /**< The idle ones first. */
    size_t connection_count;
    struct load_flight *flights; /**< Of all connections. */
    size_t begun;                /**< Connections that were begun to be opened. */
    size_t open;                 /**< How many of them are. */
    struct load_worker worker;
    struct load_request request;
    char upgrade[512]; /**< The request for a WebSocket. */
    size_t upgrade_length;
    struct random random;
    struct root roots[LOAD_CACHED_ROOTS]; /**< Of a cached run. */
    uint64_t sent;
    size_t in_flight;
    size_t warmed; /**< Requests of the warming that have been answered. */
    unsigned attempts;
    uint64_t start_us;
    struct load_slot *free; /**< With a rate: a ring of free slots, the longest free first. */
    size_t free_first;
    size_t free_count;
    size_t slot_count;
    size_t output_length;
    char input[LOAD_INPUT_SIZE];
    char output[LOAD_OUTPUT_SIZE]; /**< Of the connection being served; empty between events. */
};

/* load.c */

/** Ends everything with an error; only the first one counts. */
void load_fail(struct load *load, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** A connection is open, or the worker is ready. */
void load_advance(struct load *load);

/** An answer has come; borrowed for the call. Requests that follow from it are in the output. */
void load_answered(struct load *load, struct load_connection *connection, unsigned status,
                   struct slice body);

/** All that came at once has been told. */
void load_settled(struct load *load);

/** The peer has closed, or the connection failed. */
void load_lost(struct load *load, struct load_connection *connection, const char *reason);

/* load_connection.c */

/** Begins to open a connection. */
void load_connection_open(struct load *load, struct load_connection *connection);

/** Sends what is in the output. */
void load_connection_flush(struct load *load, struct load_connection *connection);

/** Closes it for good; nothing is told any more. */
void load_connection_close(struct load_connection *connection);

/* load_worker.c */

/** Connects to the broker, if there is one; load_advance() follows when it works. */
bool load_worker_start(struct load *load, struct error *error);
void load_worker_close(struct load *load);

#endif
