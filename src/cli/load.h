/**
 * load: asks a running hub for works as fast as it answers, or at a steady rate, and measures how
 * long each answer takes. What `dpow bench hub` runs.
 *
 *     OPENING   idle WebSockets, then one connection, and the broker for the instant worker
 *     WARMING   one request for each root of a cached run, otherwise one: the hub checks the key,
 *               which is slow the first time, and tells what is wrong
 *     OPENING   the other connections: a hub closes those on which nothing is asked for 10 s
 *     RUNNING   requests for as long as is asked
 *     DRAINING  answers to what has been sent
 *     CLOSING   every handle of the loop
 *
 * Files: load.c goes through these phases and counts; load_connection.c moves bytes; load_wire.c
 * makes requests and reads answers; load_worker.c answers the hub's own requests for work.
 */
#ifndef DPOW_CLI_LOAD_H
#define DPOW_CLI_LOAD_H

#include "base/error.h"
#include "base/histogram.h"
#include "base/log.h"
#include "net/url.h"

enum { LOAD_DEPTH_MAX = 64, LOAD_SOCKETS_MAX = 60000, LOAD_REASON_SIZE = 160 };

/** What to do. Borrowed for the call. */
struct load_options {
    const struct url *hub;    /**< http; the path is not used. */
    const struct url *broker; /**< mqtt or mqtts: be the hub's worker; NULL: do not. */
    const char *user;
    const char *api_key;
    const char *difficulty; /**< 16 hexadecimal digits to ask for; NULL: the hub's base. */
    bool websocket;
    bool cached; /**< Ask for the same few roots again and again. */
    bool verify; /**< Check that the answered works reach the threshold. */
    size_t connections;
    size_t depth; /**< Requests in flight on each connection; 1 without WebSocket. */
    size_t idle;  /**< WebSockets to hold open beside. */
    double seconds;
    double rate;  /**< Requests a second in all; 0: each follows an answer. */
    uint64_t pid; /**< Of the hub, to tell its memory; 0: do not. */
    const struct log *log;
};

/** What was measured. */
struct load_result {
    uint64_t requests; /**< Answered with a work while it ran. */
    double seconds;    /**< For how long it ran. */
    uint64_t errors;   /**< Answered with anything but a right work or "timeout". */
    uint64_t timeouts; /**< Answered with "timeout", or not at all by the end. */
    uint64_t unsent;   /**< Due by the rate, but no connection was free for them by the end. */
    /** Of requests answered with a work, also those answered after the end. With a rate, from when
     *  the request was due, so that a hub that stalls is not asked less for it. */
    struct histogram latency;
    size_t idle_open;                   /**< Idle WebSockets still open at the end. */
    uint64_t hub_before_kib;            /**< The hub's resident memory before the first idle… */
    uint64_t hub_after_kib;             /**< …and after the last was open. */
    char first_error[LOAD_REASON_SIZE]; /**< What the first error said; empty if there was none. */
};

/**
 * Runs the load on an event loop of its own, on the calling thread.
 * @param interrupted set if SIGINT or SIGTERM ended it, which is then no result
 * @return false with the error filled if the hub cannot be reached, refuses the first request, or
 *         closes a connection
 */
bool load_run(const struct load_options *options, struct load_result *result, bool *interrupted,
              struct error *error);

#endif
