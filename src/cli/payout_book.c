#include "cli/payout_book.h"

#include "base/hex.h"
#include "cli/render.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MAX = 256 << 20 };

/* Lines while they are read, page by page. */
struct reading {
    struct payout_book *book;
    size_t room;         /* Of the items. */
    size_t lines_length; /* Without the closing bracket, for which there is room. */
    bool failed;
};

bool payout_id_valid(const char *text)
{
    size_t length = 0;
    while (isdigit((unsigned char)text[length]) != 0)
        length++;
    return length > 0 && length < 16 && text[length] == '\0' && text[0] != '0';
}

void payout_request_begin(struct admin_request *request, const char *command, const char *id)
{
    admin_request_begin(request, command);
    json_key(&request->writer, "id");
    json_write_raw(&request->writer, slice_of(id));
}

static bool read_text(const struct json_object *object, const char *name, char *text, size_t size)
{
    size_t length;
    return json_string(json_find(object, name), text, size, &length) && strlen(text) == length;
}

static bool read_state(const struct json_object *object, enum payout_state *state)
{
    char text[16];
    if (!read_text(object, "state", text, sizeof text))
        return false;
    for (int i = 0; i < PAYOUT_STATES; i++) {
        *state = (enum payout_state)i;
        if (strcmp(text, payout_state_name(*state)) == 0)
            return true;
    }
    return false;
}

static bool read_item(struct slice text, struct payout_item *item)
{
    struct json_object object;
    char amount[U128_DECIMAL_MAX + 1];
    memset(item, 0, sizeof *item);
    if (json_read_object(text, &object) != JSON_OK ||
        !read_text(&object, "account", item->account_text, sizeof item->account_text) ||
        account_parse(slice_of(item->account_text), &item->account) != ACCOUNT_OK ||
        !read_text(&object, "amount", amount, sizeof amount) ||
        !u128_parse(slice_of(amount), &item->amount) ||
        !read_text(&object, "id", item->send_id, sizeof item->send_id) ||
        !read_state(&object, &item->state))
        return false;
    item->tried = json_find(&object, "tried").type == JSON_STRING;
    return json_find(&object, "block").type == JSON_NULL ||
           read_text(&object, "block", item->block, sizeof item->block);
}

static bool keep_text(struct reading *reading, struct slice text)
{
    struct payout_book *book = reading->book;
    const size_t length = reading->lines_length;
    char *lines = realloc(book->lines, length + text.length + 3);
    if (lines == NULL)
        return false;
    lines[length] = book->count > 0 ? ',' : '[';
    memcpy(lines + length + 1, text.data, text.length);
    reading->lines_length = length + 1 + text.length;
    lines[reading->lines_length] = ']';
    lines[reading->lines_length + 1] = '\0';
    book->lines = lines;
    return true;
}

static bool add_item(void *context, struct json_value element)
{
    struct reading *reading = context;
    struct payout_book *book = reading->book;
    if (book->count == reading->room) {
        const size_t room = 2 * reading->room + 64;
        struct payout_item *items = realloc(book->items, room * sizeof *items);
        if (items != NULL) {
            book->items = items;
            reading->room = room;
        }
    }
    reading->failed = book->count == reading->room ||
                      !read_item(element.text, &book->items[book->count]) ||
                      !keep_text(reading, element.text);
    book->count += reading->failed ? 0 : 1;
    return !reading->failed;
}

/* One page of lines, after those that are there. */
static bool read_page(const struct invocation *invocation, struct reading *reading,
                      struct error *error)
{
    struct payout_book *book = reading->book;
    struct admin_request request;
    struct admin_answer answer;
    struct json_value result;
    payout_request_begin(&request, "payout lines", book->id);
    if (book->count > 0) {
        json_key(&request.writer, "after");
        json_write_text(&request.writer, book->items[book->count - 1].account_text);
    }
    bool done = admin_ask(invocation, &request, &answer, &result, error);
    if (done) {
        json_each_element(result, add_item, reading);
        done = !reading->failed ||
               error_set(error, ERROR_SYSTEM, "the hub's list of payments cannot be read");
    }
    free(answer.text);
    return done;
}

bool payout_book_read(const struct invocation *invocation, const char *id, struct payout_book *book,
                      struct error *error)
{
    struct admin_request request;
    struct json_object object;
    struct reading reading = {.book = book};
    char state[16];
    size_t before;
    memset(book, 0, sizeof *book);
    if (!payout_id_valid(id))
        return error_set(error, ERROR_INVALID, "ID must be the number of a payout");
    (void)snprintf(book->id, sizeof book->id, "%s", id);
    payout_request_begin(&request, "payout show", id);
    if (!admin_ask(invocation, &request, &book->answer, &book->summary, error))
        return false;
    if (json_read_object(book->summary.text, &object) != JSON_OK ||
        !read_text(&object, "state", state, sizeof state))
        return error_set(error, ERROR_SYSTEM, "the hub's answer cannot be read");
    book->cancelled = strcmp(state, "cancelled") == 0;
    do {
        before = book->count;
        if (!read_page(invocation, &reading, error))
            return false;
    } while (book->count > before);
    return true;
}

void payout_book_free(struct payout_book *book)
{
    free(book->answer.text);
    free(book->lines);
    free(book->items);
}

static int print_json(const struct invocation *invocation, const struct payout_book *book)
{
    const char *lines = book->lines != NULL ? book->lines : "[]";
    const size_t size = book->summary.text.length + strlen(lines) + 64;
    char *text = malloc(size);
    int status;
    if (text == NULL)
        return command_fail(invocation, &(struct error){ERROR_MEMORY, "no memory to print"});
    (void)snprintf(text, size, "{\"payout\":%.*s,\"lines\":%s}", (int)book->summary.text.length,
                   book->summary.text.data, lines);
    status = command_print(invocation, text);
    free(text);
    return status;
}

int payout_book_print(const struct invocation *invocation, const struct payout_book *book)
{
    const char *lines = book->lines != NULL ? book->lines : "[]";
    if (options_flag(invocation->options, "json"))
        return print_json(invocation, book);
    int status = admin_print(invocation, book->summary);
    if (status == EXIT_DONE)
        status = command_print(invocation, "");
    if (status == EXIT_DONE)
        status = admin_print(invocation, (struct json_value){JSON_ARRAY, slice_of(lines)});
    return status;
}

static bool tell(const struct invocation *invocation, const char *command,
                 const struct payout_book *book, const struct payout_item *item,
                 const char *const member[2], struct error *error)
{
    struct admin_request request;
    struct admin_answer answer;
    struct json_value result;
    payout_request_begin(&request, command, book->id);
    json_key(&request.writer, "account");
    json_write_text(&request.writer, item->account_text);
    json_key(&request.writer, member[0]);
    json_write_text(&request.writer, member[1]);
    const bool done = admin_ask(invocation, &request, &answer, &result, error);
    free(answer.text);
    return done;
}

bool payout_try(const struct invocation *invocation, const struct payout_book *book,
                struct payout_item *item, const char *source, struct error *error)
{
    const char *const member[2] = {"source", source};
    if (!tell(invocation, "payout try", book, item, member, error))
        return false;
    item->tried = true;
    return true;
}

bool payout_sent(const struct invocation *invocation, const struct payout_book *book,
                 struct payout_item *item, const char *block, struct error *error)
{
    const char *const member[2] = {"block", block};
    if (!tell(invocation, "payout sent", book, item, member, error))
        return false;
    item->state = PAYOUT_SENT;
    (void)snprintf(item->block, sizeof item->block, "%s", block);
    return true;
}

bool payout_confirmed(const struct invocation *invocation, const struct payout_book *book,
                      struct payout_item *item, struct error *error)
{
    const char *const member[2] = {"block", item->block};
    if (!tell(invocation, "payout confirmed", book, item, member, error))
        return false;
    item->state = PAYOUT_CONFIRMED;
    return true;
}

static bool read_file(const char *path, char **text, struct error *error)
{
    FILE *file = fopen(path, "re");
    struct stat status;
    if (file == NULL)
        return error_set(error, ERROR_SYSTEM, "cannot open %.160s: %s", path, strerror(errno));
    if (fstat(fileno(file), &status) != 0 || status.st_size > FILE_MAX) {
        (void)fclose(file);
        return error_set(error, ERROR_LIMIT, "%.160s is larger than 256 MiB", path);
    }
    const size_t size = (size_t)status.st_size;
    *text = calloc(1, size + 1);
    const bool done = *text != NULL && fread(*text, 1, size, file) == size;
    (void)fclose(file);
    if (!done)
        (void)error_set(error, ERROR_SYSTEM, "cannot read %.160s", path);
    return done;
}

bool payout_file_read(const char *path, char **text, struct error *error)
{
    if (!read_file(path, text, error))
        return false;
    const char *first = *text + strspn(*text, " \t\r\n");
    return (json_valid(slice_of(*text)) && *first == '{') ||
           error_set(error, ERROR_INVALID, "%.160s is no JSON object", path);
}
