/**
 * admin_internal: one command on its way, as the files of admin share it.
 */
#ifndef DPOW_HUB_ADMIN_INTERNAL_H
#define DPOW_HUB_ADMIN_INTERNAL_H

#include "base/json.h"
#include "broker/plugin.h"
#include "broker/screen.h"
#include "hub/admin.h"
#include "hub/credential.h"

enum {
    ADMIN_ANSWER_SIZE = 8192, /**< Room for the answer about one service. */
    CONNECTION_BAN_S = 600,
    ADMIN_ROWS_MAX = 10000, /**< Rows of a list. */
    ADMIN_ROWS_DEFAULT = 100,
    ADMIN_ROW_ROOM = 6 * (STORE_COMMAND_SIZE + STORE_ACTOR_SIZE) + 256,
};

/** A command between its arrival and its answer; freed by the answer. */
struct admin_call {
    struct admin_options options;
    admin_reply reply;
    void *context;
    struct json_object object; /**< The request; it is gone once the command waits. */
    struct audit_record audit;
    struct store_op op;
    struct service_record record; /**< ADD, EDIT, and by name whom the command is about. */
    char key[CREDENTIAL_KEY_SIZE];
    struct account account;
    char connection[SCREEN_ID_MAX + 1]; /**< A client id, or its label. */
    bool found;                         /**< READ_CLIENTS: there was one. */
    char *list;                         /**< Owned: a long answer, while it is written. */
    size_t list_size;
    struct json_writer writer;
};

/* admin.c */
void admin_fail(struct admin_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Begins `{"result":` in a buffer of the caller's. */
void admin_begin_result(struct json_writer *writer, char *data, size_t size);
/** Ends it, answers, frees. */
void admin_end_result(struct admin_call *call, struct json_writer *writer);
/** Answers `{"result":{"service":NAME}}`. */
void admin_done(struct admin_call *call);
/** Hands the operation to the store, with an entry in the audit log if it changes anything. */
void admin_submit(struct admin_call *call, bool audited,
                  void (*done)(void *context, struct store_op *op));
/** Whether the operation is durable; otherwise the call has failed with the reason. */
bool admin_stored(struct admin_call *call, const char *conflict);
/** A text member of at most size - 1 bytes without NUL; absent leaves the text as it is. */
bool admin_text(const struct admin_call *call, const char *name, char *text, size_t size);
/** The service that member `name` names; otherwise the call has failed. */
struct service *admin_service(struct admin_call *call);
/** A whole number within limits; absent gives `otherwise`. Otherwise the call has failed. */
bool admin_number(struct admin_call *call, const char *name, int64_t low, int64_t high,
                  int64_t otherwise, int64_t *number);
/** Members `reason` and `seconds` (absent: for good). Otherwise the call has failed. */
bool admin_ban(struct admin_call *call, struct ban_record *ban);
void admin_write_time(struct json_writer *writer, const char *name, int64_t ms);
void admin_write_ban(struct json_writer *writer, const struct ban_record *ban);

/* admin_service.c */
void admin_service_add(struct admin_call *call);
void admin_service_list(struct admin_call *call);
void admin_service_show(struct admin_call *call);
void admin_service_edit(struct admin_call *call);
void admin_service_rotate(struct admin_call *call);
void admin_service_ban(struct admin_call *call);
void admin_service_unban(struct admin_call *call);
void admin_service_remove(struct admin_call *call);

/* admin_payout.c */
void admin_payout_plan(struct admin_call *call);
void admin_payout_list(struct admin_call *call);
void admin_payout_show(struct admin_call *call);
void admin_payout_lines(struct admin_call *call);
void admin_payout_cancel(struct admin_call *call);
void admin_payout_try(struct admin_call *call);
void admin_payout_sent(struct admin_call *call);
void admin_payout_confirmed(struct admin_call *call);

/* admin_books.c */
void admin_credit_add(struct admin_call *call);
void admin_credit_list(struct admin_call *call);
void admin_client_list(struct admin_call *call);
void admin_client_show(struct admin_call *call);
void admin_client_ban(struct admin_call *call);
void admin_client_unban(struct admin_call *call);
void admin_connection_ban(struct admin_call *call);
void admin_audit(struct admin_call *call);
void admin_check(struct admin_call *call);
void admin_stats(struct admin_call *call);

#endif
