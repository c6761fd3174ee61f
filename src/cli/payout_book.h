/**
 * payout_book: a payout as `dpow admin` has it from the hub, and how it tells the hub what has
 * become of a line. Every function asks the running hub, or opens the stopped one's store, once or
 * several times.
 */
#ifndef DPOW_CLI_PAYOUT_BOOK_H
#define DPOW_CLI_PAYOUT_BOOK_H

#include "cli/admin_internal.h"
#include "store/records.h"

enum { BLOCK_TEXT_SIZE = 65 };

/** A payment. */
struct payout_item {
    struct account account;
    char account_text[ACCOUNT_TEXT_SIZE];
    u128 amount; /**< Raw. */
    char send_id[PAYOUT_SEND_ID_SIZE];
    enum payout_state state;
    bool tried;                  /**< A wallet may have sent it already. */
    char block[BLOCK_TEXT_SIZE]; /**< Upper-case; empty if it is not sent. */
};

/** A payout. */
struct payout_book {
    char id[24];
    struct json_value summary;  /**< As the hub tells it; borrows the answer. */
    struct admin_answer answer; /**< Owned. */
    char *lines;                /**< All lines, as a JSON array; owned. */
    struct payout_item *items;  /**< Likewise; owned. */
    size_t count;
    bool cancelled;
};

/** Starts a request about a payout: the command and member `id`. */
void payout_request_begin(struct admin_request *request, const char *command, const char *id);

/** Whether a text is a payout's number. */
bool payout_id_valid(const char *text);

/**
 * Reads a payout and all its lines.
 * @return false with the error filled; the book is to be freed in any case
 */
bool payout_book_read(const struct invocation *invocation, const char *id, struct payout_book *book,
                      struct error *error);

void payout_book_free(struct payout_book *book);

/** Prints the payout and its lines. @return an exit_status */
int payout_book_print(const struct invocation *invocation, const struct payout_book *book);

/** Makes durable that a wallet is about to be told to send a line from an account. */
bool payout_try(const struct invocation *invocation, const struct payout_book *book,
                struct payout_item *item, const char *source, struct error *error);

/** Makes durable that a block sends a line. @param block 64 hexadecimal digits */
bool payout_sent(const struct invocation *invocation, const struct payout_book *book,
                 struct payout_item *item, const char *block, struct error *error);

/** Makes durable that a line's block is confirmed. */
bool payout_confirmed(const struct invocation *invocation, const struct payout_book *book,
                      struct payout_item *item, struct error *error);

/**
 * Reads a file that is one JSON object.
 * @param text for the caller to free(), also after a failure if it is set
 */
bool payout_file_read(const char *path, char **text, struct error *error);

#endif
