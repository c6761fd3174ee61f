/**
 * admin: the operator's commands, as JSON in and JSON out, on a running hub or a stopped one.
 *
 * A request is one object with `command`, `actor` (who gives it, for the audit log) and the fields
 * of the command; the answer is one object, `{"result":…}` or `{"error":…}`. admin.c has the table
 * of commands, admin_service.c those on services, admin_books.c those on credits, clients and
 * books, admin_payout.c those on payouts. What changes anything is written to the audit log in the
 * same transaction.
 *
 * One thread uses an admin.
 */
#ifndef DPOW_HUB_ADMIN_H
#define DPOW_HUB_ADMIN_H

#include "base/error.h"
#include "hub/services.h"

enum { ADMIN_REQUEST_MAX = 8192 };

/** What has happened to a service. */
enum admin_change {
    ADMIN_SERVICE_ADDED,
    ADMIN_SERVICE_EDITED,
    ADMIN_SERVICE_KEYS,    /**< It has another key. */
    ADMIN_SERVICE_BANNED,  /**< Whatever it has in hand must end. */
    ADMIN_SERVICE_REMOVED, /**< Likewise; it is freed when the call returns. */
};

/** What commands work on; borrowed until the reply. */
struct admin_options {
    struct services *services;
    /** Makes an operation durable, then calls done, at once or later. False when out of memory. */
    bool (*submit)(void *context, struct store_op *op,
                   void (*done)(void *done_context, struct store_op *op), void *done_context);
    /** The directory has changed: the rest of the hub must follow. */
    void (*service_changed)(void *context, enum admin_change change, struct service *service);
    /** A worker's account has been banned, or its ban has ended. */
    void (*client_changed)(void *context, const struct client_record *client);
    /** Ends a worker's connection and refuses its client id for so long. False if it cannot be: the
     *  hub or its broker does not run, or the broker is not its own. NULL: there is no hub. */
    bool (*ban_connection)(void *context, struct slice client_id, unsigned seconds);
    /** The pool's statistics as JSON, to be freed by the caller; NULL when out of memory. */
    char *(*statistics)(void *context, size_t *length);
    void *context;
};

/** Called once for each admin_execute(), at once or later; the text is borrowed until the return.
 */
typedef void (*admin_reply)(void *context, struct slice json);

/** Carries out one command. */
void admin_execute(const struct admin_options *options, struct slice request, admin_reply reply,
                   void *context);

/**
 * Carries out one command on the data directory of a hub that does not run.
 * @return false with the error filled if the store cannot be opened; the answer was then not given
 */
bool admin_execute_stopped(const char *store_url, const struct log *log, struct slice request,
                           admin_reply reply, void *context, struct error *error);

#endif
