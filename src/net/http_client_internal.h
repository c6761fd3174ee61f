/**
 * http_client_internal: what the HTTP client and the WebSocket client share. dial.c looks a name up
 * and connects to one of its addresses; request_head.c writes the first lines of a request.
 */
#ifndef DPOW_NET_HTTP_CLIENT_INTERNAL_H
#define DPOW_NET_HTTP_CLIENT_INTERNAL_H

#include "base/error.h"
#include "net/url.h"

#include <uv.h>

enum {
    CLIENT_HTTP_PORT = 80,     /**< Of http and ws, where a URL names none. */
    CLIENT_READ_BYTES = 16384, /**< What is taken from a socket at once. */
    CLIENT_REASON_SIZE = 160,
    REQUEST_HEAD_MAX = 2048, /**< Room for request_head() and some lines more. */
};

struct dial; /**< One attempt to reach a host by its name. */

/** Whom to reach, and whom to tell. */
struct dial_options {
    const char *host; /**< Name or numeric address, at most 255 bytes; copied. */
    uint16_t port;
    uint64_t limit_ms; /**< For all addresses together, each gets its share. A look-up that takes
                            longer is waited for, and then counts as failed. */
    /** Exactly once, from the loop, never from within dial_start(). The connection is handed over:
     *  its owner ends it with uv_close() and then free(); its data is unset. NULL: the reason,
     *  borrowed, says why. No handle of the attempt is open any more. */
    void (*on_done)(void *context, uv_tcp_t *tcp, const char *reason);
    void *context;
};

/** Starts an attempt; it frees itself after on_done. @return NULL when the system refuses */
struct dial *dial_start(uv_loop_t *loop, const struct dial_options *options);

/** Gives the attempt up; on_done comes all the same, later, without a connection. */
void dial_cancel(struct dial *dial);

/**
 * Writes the request line, Host and, if the URL has a user, Authorization, each line ended by CR
 * LF; the empty line that ends the head is left to the caller.
 * @param method borrowed, a literal
 * @return bytes written, not NUL-terminated text; 0 with the error filled if the URL's path or user
 *         cannot stand in a head
 */
size_t request_head(const char *method, const struct url *url, char head[REQUEST_HEAD_MAX],
                    struct error *error);

#endif
