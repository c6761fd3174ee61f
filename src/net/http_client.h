/**
 * http_client: one HTTP/1.1 request per call on a libuv loop, each on a connection of its own.
 *
 * For a node's RPC and other services that answer soon. The server is not trusted: the answer's
 * size and the time it takes are bounded, and whatever is malformed ends the call. Redirections are
 * not followed. All functions belong to the loop's thread; the process ignores SIGPIPE.
 */
#ifndef DPOW_NET_HTTP_CLIENT_H
#define DPOW_NET_HTTP_CLIENT_H

#include "base/bytes.h"
#include "base/error.h"
#include "net/url.h"

#include <uv.h>

struct http_call; /**< One request, until its answer. */

/** What to ask, and whom to tell. */
struct http_call_options {
    const struct url *url;    /**< Scheme http; port 80 if absent. A user is sent as HTTP Basic
                                   authorization. Copied. */
    const char *method;       /**< "POST" or "GET"; a literal. */
    const char *content_type; /**< Of the body, a literal; NULL for none. */
    struct slice body;        /**< Copied. */
    uint64_t timeout_ms;      /**< From the start to the last byte of the answer. */
    size_t response_max;      /**< Bytes of the answer's body; more is a failure. */
    /** A complete answer, with a status of 200 to 599; the body is borrowed until the return.
     *  Exactly one of these two callbacks comes, once, from the loop, never from within
     *  http_call_start(). The call must not be used any more after its return. */
    void (*on_response)(void *context, int status, struct slice body);
    /** There will be no answer. The reason is a sentence for people, borrowed until the return. */
    void (*on_failure)(void *context, const char *reason);
    void *context;
};

/**
 * Starts a call.
 * @return the call, which frees itself after its callback, or NULL with the error filled: another
 *         scheme than http or a URL that cannot be sent (ERROR_INVALID), no memory, or the system
 *         refuses to look the name up
 */
struct http_call *http_call_start(uv_loop_t *loop, const struct http_call_options *options,
                                  struct error *error);

/**
 * Gives a call up: no callback follows. Its handles close on the loop, and it frees itself, so the
 * loop must run on for that. Within a callback of the call it does nothing.
 */
void http_call_cancel(struct http_call *call);

#endif
