/**
 * workserver_internal: the server's state, and what its files offer each other. All of it belongs
 * to the loop's thread.
 */
#ifndef DPOW_WORKSERVER_WORKSERVER_INTERNAL_H
#define DPOW_WORKSERVER_WORKSERVER_INTERNAL_H

#include "base/random.h"
#include "net/http_server.h"
#include "workserver/searches.h"
#include "workserver/workserver.h"

struct call;

/** The benchmark that is running: random roots one after another through the queue. */
struct benchmark {
    struct call *call; /**< Who asked; NULL: none is running. */
    uint64_t left;     /**< Roots to search. */
    uint64_t begun_us;
    struct rpc_request request;
    queue_waiter waiter; /**< Of the root in the queue; 0 between two. */
    bool due;            /**< The next root is to be asked for. */
    bool failed;
};

struct workserver {
    uv_loop_t loop;
    const struct workserver_options *options;
    struct log log;
    struct queue_core *core;
    struct searches *searches;
    struct http_server *http;
    struct random random; /**< Of benchmarks' roots. */
    struct benchmark benchmark;
    uv_signal_t on_terminate;
    uv_signal_t on_interrupt;
    uv_timer_t core_timer;
    bool interrupted;
    bool stopping;
};

/** Carries out the actions of the core's last event, and whatever follows from that. */
void workserver_act(struct workserver *server);

/** Answers all that waits and closes everything: then the loop ends. */
void workserver_stop(struct workserver *server);

/** The handlers of the HTTP server (calls.c). */
struct http_handlers calls_handlers(struct workserver *server);

/** A request has its answer (calls.c). */
void calls_answer(struct workserver *server, const struct queue_action *action);

/** Asks for the next root of the benchmark, if one is due; @return whether it did (calls.c) */
bool calls_continue_benchmark(struct workserver *server);

/** Sends a body of JSON (calls.c). */
void calls_respond(struct workserver *server, struct http_exchange *exchange, int status,
                   struct slice body);

/** Whether a peer is on this machine (calls.c). */
bool calls_is_local(const char *peer);

/** Serves a GET, HEAD or DELETE, or a POST of control; false if there is no such page (pages.c). */
bool pages_serve(struct workserver *server, struct http_exchange *exchange,
                 const struct http_request *request);

#endif
