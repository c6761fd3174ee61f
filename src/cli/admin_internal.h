/**
 * admin_internal: what the files of `dpow admin` share. A subcommand writes a request
 * (hub/admin.h), has it carried out, and prints the result. admin.c has the frame, admin_service.c
 * the commands on services, admin_books.c those on credits, clients and books, admin_payout.c
 * those on payouts (payout_book.h), admin_payout_run.c pays them; admin_migrate.c works on the
 * store itself.
 */
#ifndef DPOW_CLI_ADMIN_INTERNAL_H
#define DPOW_CLI_ADMIN_INTERNAL_H

#include "base/json.h"
#include "cli/cli.h"
#include "hub/admin.h"

/** A request while it is written. */
struct admin_request {
    char text[ADMIN_REQUEST_MAX];
    struct json_writer writer;
};

/** Begins a request: the command and who gives it. */
void admin_request_begin(struct admin_request *request, const char *command);

/** Writes an option's value under a member's name, if the option was given. */
void admin_request_text(struct admin_request *request, const struct invocation *invocation,
                        const char *option, const char *member);
void admin_request_u64(struct admin_request *request, const struct invocation *invocation,
                       const char *option, const char *member);
void admin_request_number(struct admin_request *request, const struct invocation *invocation,
                          const char *option, const char *member);

/** Has a request carried out and prints the result: JSON if asked for, otherwise for people. */
int admin_run(const struct invocation *invocation, struct admin_request *request);

/** The same, and then says `note` to people. */
int admin_run_noting(const struct invocation *invocation, struct admin_request *request,
                     const char *note);

/** The same for a list of faults: prints `none` and succeeds if it is empty, otherwise fails. */
int admin_run_check(const struct invocation *invocation, struct admin_request *request,
                    const char *none);

/** The hub's answer to one request. */
struct admin_answer {
    char *text; /**< Owned by the caller: free() it. */
    struct json_object object;
};

/**
 * Has a request carried out; what then is done with the result is the caller's.
 * @param answer its text is set in any case
 * @param result the member `result`; borrows the answer
 * @return false with the hub's own words if it refused
 */
bool admin_ask(const struct invocation *invocation, struct admin_request *request,
               struct admin_answer *answer, struct json_value *result, struct error *error);

/** Prints a result: JSON if asked for, otherwise for people. @return an exit_status */
int admin_print(const struct invocation *invocation, struct json_value result);

/** The URL of the store that the options name, in a buffer. */
bool admin_store_url(const struct invocation *invocation, char *url, size_t size,
                     struct error *error);

extern const struct command command_service_add;
extern const struct command command_service_list;
extern const struct command command_service_show;
extern const struct command command_service_edit;
extern const struct command command_service_rotate;
extern const struct command command_service_ban;
extern const struct command command_service_unban;
extern const struct command command_service_remove;
extern const struct command command_credit_add;
extern const struct command command_credit_list;
extern const struct command command_client_list;
extern const struct command command_client_show;
extern const struct command command_client_ban;
extern const struct command command_client_unban;
extern const struct command command_connection_ban;
extern const struct command command_payout_plan;
extern const struct command command_payout_list;
extern const struct command command_payout_show;
extern const struct command command_payout_run;
extern const struct command command_payout_cancel;
extern const struct command command_payout_export;
extern const struct command command_payout_import;
extern const struct command command_payout_import_original;
extern const struct command command_audit;
extern const struct command command_check;
extern const struct command command_stats;
extern const struct command command_backup;
extern const struct command command_migrate;

#endif
