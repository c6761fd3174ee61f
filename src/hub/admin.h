/**
 * admin: the operator's commands, as JSON in and JSON out, on a running hub or a stopped one.
 *
 * A request is one object with `command` and its fields; the answer is one object, `{"result":…}`
 * or `{"error":…}`:
 *
 *     {"command":"service add","name":N[,"display":T][,"website":U][,"public":B][,"rate":R]}
 *         → {"result":{"service":N,"api_key":K}}
 *     {"command":"service list"} → {"result":[{"service","display","website","public","rate",
 *         "precache","ondemand"},…]}
 *
 * One thread uses an admin.
 */
#ifndef DPOW_HUB_ADMIN_H
#define DPOW_HUB_ADMIN_H

#include "base/error.h"
#include "hub/services.h"

enum { ADMIN_REQUEST_MAX = 8192 };

/** What commands work on; borrowed. */
struct admin_options {
    struct services *services;
    /** Makes an operation durable, then calls done, at once or later. False when out of memory. */
    bool (*submit)(void *context, struct store_op *op,
                   void (*done)(void *done_context, struct store_op *op), void *done_context);
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
