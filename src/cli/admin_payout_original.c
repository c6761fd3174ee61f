#include "cli/payout_book.h"

#include "base/clock.h"
#include "store/store.h"

#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The original counts in doubles' range, and so does JSON. */
#define WORKS_MAX 9007199254740992.0

/* A file of the original while it is read. */
struct original {
    char *text;
    struct payout_line *lines;
    size_t count;
    size_t room;
    struct error *error;
    bool failed;
};

static bool read_count(const struct json_object *object, const char *name, uint64_t *count)
{
    const struct json_value value = json_find(object, name);
    double number = 0;
    if (value.type != JSON_ABSENT && value.type != JSON_NULL && !json_number(value, &number))
        return false;
    if (!(number >= 0 && number <= WORKS_MAX) || number != floor(number))
        return false;
    *count = (uint64_t)number;
    return true;
}

/* What is wrong with a member; NULL if nothing is. */
static const char *read_line(struct json_value name, struct json_value value,
                             struct payout_line *line)
{
    struct json_object object;
    char account[ACCOUNT_TEXT_SIZE + 2];
    size_t length;
    memset(line, 0, sizeof *line);
    if (!json_string(name, account, sizeof account, &length) ||
        account_parse((struct slice){account, length}, &line->account) != ACCOUNT_OK)
        return "is no account";
    if (value.type != JSON_OBJECT || json_read_object(value.text, &object) != JSON_OK)
        return "has no object with precache, ondemand and id";
    for (int type = 0; type < WORK_TYPES; type++)
        if (!read_count(&object, work_type_name((enum work_type)type), &line->works.of[type]))
            return "has a number of works that is none";
    if (!json_string(json_find(&object, "id"), line->send_id, sizeof line->send_id, &length) ||
        length == 0 || strlen(line->send_id) != length)
        return "has no id of 1 to 36 characters";
    return NULL;
}

static bool add_line(void *context, struct json_value name, struct json_value value)
{
    struct original *original = context;
    if (original->count == original->room) {
        const size_t room = 2 * original->room + 64;
        struct payout_line *lines = realloc(original->lines, room * sizeof *lines);
        if (lines == NULL) {
            original->failed = true;
            return error_set(original->error, ERROR_MEMORY, "no memory for the file");
        }
        original->lines = lines;
        original->room = room;
    }
    const char *wrong = read_line(name, value, &original->lines[original->count]);
    if (wrong != NULL) {
        original->failed = true;
        return error_set(original->error, ERROR_INVALID, "%.*s %s: nothing is imported",
                         name.text.length < 80 ? (int)name.text.length : 80, name.text.data, wrong);
    }
    original->count++;
    return true;
}

static int compare_lines(const void *left, const void *right)
{
    const struct payout_line *a = left;
    const struct payout_line *b = right;
    return memcmp(a->account.key, b->account.key, sizeof a->account.key);
}

static int compare_ids(const void *left, const void *right)
{
    const struct payout_line *a = left;
    const struct payout_line *b = right;
    return strcmp(a->send_id, b->send_id);
}

/* Accounts and ids are each there once, and something is. */
static bool check_lines(struct original *original)
{
    struct payout_line *lines = original->lines;
    if (original->count == 0)
        return error_set(original->error, ERROR_INVALID, "the file has no payment");
    qsort(lines, original->count, sizeof *lines, compare_ids);
    for (size_t i = 1; i < original->count; i++)
        if (compare_ids(&lines[i - 1], &lines[i]) == 0)
            return error_set(original->error, ERROR_INVALID, "an id comes twice");
    qsort(lines, original->count, sizeof *lines, compare_lines);
    for (size_t i = 1; i < original->count; i++)
        if (compare_lines(&lines[i - 1], &lines[i]) == 0)
            return error_set(original->error, ERROR_INVALID, "an account comes twice");
    return true;
}

static bool read_original(const char *path, struct original *original)
{
    if (!payout_file_read(path, &original->text, original->error))
        return false;
    json_each_member(slice_of(original->text), add_line, original);
    return !original->failed && check_lines(original);
}

static void write_audit(const char *path, struct audit_record *audit)
{
    const struct passwd *self = getpwuid(getuid());
    memset(audit, 0, sizeof *audit);
    audit->at_ms = clock_wall_ms();
    (void)snprintf(audit->actor, sizeof audit->actor, "%.60s",
                   self != NULL ? self->pw_name : "unknown");
    (void)snprintf(audit->command, sizeof audit->command, "payout import-original %.400s", path);
}

/* The whole file in one transaction, on a hub that does not run: it may be longer than a request.
 */
static bool record(const struct invocation *invocation, const struct original *original,
                   struct store_op *op, struct error *error)
{
    struct audit_record audit;
    struct error reason;
    char url[4096];
    if (!admin_store_url(invocation, url, sizeof url, error))
        return false;
    struct store *store = store_open(url, &invocation->log, &reason);
    if (store == NULL)
        return error_set(error, reason.code, "%s%s", reason.text,
                         reason.code == ERROR_EXISTS ? "; stop the hub first" : "");
    write_audit(invocation->arguments[0], &audit);
    op->kind = STORE_PAYOUT_ORIGINAL;
    op->audit = &audit;
    op->payout_original.lines = original->lines;
    op->payout_original.count = original->count;
    op->payout_original.record.created_ms = audit.at_ms;
    const bool done = store_apply(store, op, error);
    store_close(store);
    op->audit = NULL;
    return done &&
           (op->status == STORE_DONE ||
            error_set(error, ERROR_EXISTS, "this file, or a payment of it, was imported already"));
}

static int run(const struct invocation *invocation)
{
    struct error error;
    struct original original = {.error = &error};
    struct store_op op = {.token = 0};
    char text[128];
    int status;
    if (read_original(invocation->arguments[0], &original) &&
        record(invocation, &original, &op, &error)) {
        const size_t imported = (size_t)op.payout_original.record.lines[PAYOUT_CONFIRMED];
        (void)snprintf(text, sizeof text, "{\"id\":%lld,\"imported\":%zu,\"left_out\":%zu}",
                       (long long)op.payout_original.record.id, imported,
                       original.count - imported);
        status = admin_print(invocation, (struct json_value){JSON_OBJECT, slice_of(text)});
    } else {
        status = command_fail(invocation, &error);
    }
    free(original.lines);
    free(original.text);
    return status;
}

const struct command command_payout_import_original = {
    .name = "payout import-original",
    .summary = "Record a payout of the original hub",
    .synopsis = "FILE [OPTIONS]",
    .description =
        "Reads a payouts_DATE.json of the original and records it as a payout that is finished. "
        "Where less is noted as paid than all such files say together, it is raised to that, but "
        "never above what was done; it is never lowered. Accounts that the hub does not know are "
        "left out. The hub must not run.",
    .examples = "dpow admin payout import-original payouts_2021-03-01_12-00-00.json",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
