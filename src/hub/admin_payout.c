#include "hub/admin_internal.h"

#include "base/clock.h"
#include "base/hex.h"
#include "hub/payout_share.h"

#include <stdlib.h>

enum {
    LINE_ROOM = 768,        /* One line of a payout as JSON. */
    PAYOUT_ROOM = 1024,     /* A payout's summary. */
    THRESHOLD_DEFAULT = 50, /* The original's (dpow.md 10.2). */
    LINES_MAX = 1000,       /* Lines of one answer. */
    EXCLUDED_MAX = 100,     /* As many fit into a request. */
    BLOCK_TEXT_SIZE = 2 * 32 + 1,
};

static void write_amount(struct json_writer *writer, const char *name, u128 raw)
{
    char text[U128_DECIMAL_MAX + 1];
    u128_format(raw, text);
    json_key(writer, name);
    json_write_text(writer, text);
}

static void write_account(struct json_writer *writer, const char *name,
                          const struct account *account)
{
    char text[ACCOUNT_TEXT_SIZE];
    account_format(account, text);
    json_key(writer, name);
    json_write_text(writer, text);
}

static const char *state_of(const struct payout_record *record)
{
    if (record->cancelled_ms != 0)
        return "cancelled";
    if (record->lines[PAYOUT_PLANNED] > 0)
        return record->has_source ||
                       record->lines[PAYOUT_SENT] + record->lines[PAYOUT_CONFIRMED] > 0
                   ? "begun"
                   : "planned";
    return record->lines[PAYOUT_SENT] > 0 ? "sent" : "confirmed";
}

static void write_payout(void *context, const struct payout_record *record)
{
    struct admin_call *call = context;
    struct json_writer *writer = &call->writer;
    u128 total = 0;
    call->found = true;
    json_begin_object(writer);
    json_key(writer, "id");
    json_write_i64(writer, record->id);
    json_key(writer, "state");
    json_write_text(writer, state_of(record));
    admin_write_time(writer, "time", record->created_ms);
    json_key(writer, "rule");
    json_write_text(writer, payout_rule_name(record->rule));
    write_amount(writer, "budget", record->budget);
    write_amount(writer, "minimum", record->minimum);
    json_key(writer, "threshold");
    json_write_u64(writer, record->threshold);
    for (int state = 0; state < PAYOUT_STATES; state++) {
        total += record->amounts[state];
        json_key(writer, payout_state_name((enum payout_state)state));
        json_write_u64(writer, record->lines[state]);
    }
    write_amount(writer, "amount", total);
    write_amount(writer, "left", record->amounts[PAYOUT_PLANNED]);
    if (record->has_source)
        write_account(writer, "source", &record->source);
    json_end_object(writer);
}

static void begin_answer(void *context)
{
    struct admin_call *call = context;
    call->found = false;
    admin_begin_result(&call->writer, call->list, call->list_size);
}

static void begin_rows(void *context)
{
    struct admin_call *call = context;
    begin_answer(context);
    json_begin_array(&call->writer);
}

/* A long answer of some rows; false if the call has failed. */
static bool allocate_rows(struct admin_call *call, size_t rows, size_t room)
{
    call->list_size = ADMIN_ANSWER_SIZE + rows * room;
    call->list = malloc(call->list_size);
    if (call->list == NULL)
        admin_fail(call, "no memory for an answer of %zu bytes", call->list_size);
    call->op.read.begin = begin_rows;
    call->op.read.context = call;
    call->op.read.limit = rows;
    return call->list != NULL;
}

static void on_rows(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    (void)op;
    if (!admin_stored(call, ""))
        return;
    json_end_array(&call->writer);
    admin_end_result(call, &call->writer);
}

static bool read_id(struct admin_call *call, int64_t *id)
{
    if (!admin_number(call, "id", 1, 1LL << 53, 0, id))
        return false;
    if (*id == 0)
        admin_fail(call, "id: a payout's number must be given");
    return *id != 0;
}

static bool read_account(struct admin_call *call, const char *name, struct account *account)
{
    char text[ACCOUNT_TEXT_SIZE + 2] = "";
    if (!admin_text(call, name, text, sizeof text)) {
        admin_fail(call, "%s: must be a text of at most %d bytes", name, ACCOUNT_TEXT_SIZE + 1);
        return false;
    }
    const enum account_fault fault = account_parse(slice_of(text), account);
    if (fault != ACCOUNT_OK)
        admin_fail(call, "%s: %s", name, account_fault_text(fault));
    return fault == ACCOUNT_OK;
}

/* A number of raw as decimal text; absent gives 0. */
static bool read_amount(struct admin_call *call, const char *name, u128 *amount)
{
    char text[U128_DECIMAL_MAX + 2] = "0";
    if (admin_text(call, name, text, sizeof text) && u128_parse(slice_of(text), amount))
        return true;
    admin_fail(call, "%s: must be a text of decimal digits, at most 2^128 - 1", name);
    return false;
}

void admin_payout_list(struct admin_call *call)
{
    int64_t limit;
    if (!admin_number(call, "limit", 1, ADMIN_ROWS_MAX, ADMIN_ROWS_DEFAULT, &limit) ||
        !allocate_rows(call, (size_t)limit, PAYOUT_ROOM))
        return;
    call->op.kind = STORE_READ_PAYOUTS;
    call->op.read.visit.payout = write_payout;
    admin_submit(call, false, on_rows);
}

static void on_shown(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    (void)op;
    if (!admin_stored(call, ""))
        return;
    if (call->found)
        admin_end_result(call, &call->writer);
    else
        admin_fail(call, "there is no such payout");
}

void admin_payout_show(struct admin_call *call)
{
    int64_t id;
    if (!read_id(call, &id) || !allocate_rows(call, 1, PAYOUT_ROOM))
        return;
    call->op.kind = STORE_READ_PAYOUTS;
    call->op.read.begin = begin_answer;
    call->op.read.payout_id = id;
    call->op.read.visit.payout = write_payout;
    admin_submit(call, false, on_shown);
}

static void write_line(void *context, const struct payout_line *line)
{
    static const char *const hashes[WORK_TYPES] = {"hashes_precache", "hashes_ondemand"};
    struct admin_call *call = context;
    struct json_writer *writer = &call->writer;
    char block[BLOCK_TEXT_SIZE];
    json_begin_object(writer);
    write_account(writer, "account", &line->account);
    for (int type = 0; type < WORK_TYPES; type++) {
        json_key(writer, work_type_name((enum work_type)type));
        json_write_u64(writer, line->works.of[type]);
        json_key(writer, hashes[type]);
        json_write_u64(writer, line->hashes.of[type]);
    }
    write_amount(writer, "amount", line->amount);
    json_key(writer, "id");
    json_write_text(writer, line->send_id);
    json_key(writer, "state");
    json_write_text(writer, payout_state_name(line->state));
    json_key(writer, "block");
    if (!line->has_block) {
        json_write_null(writer);
    } else {
        hex_encode_upper(line->block.bytes, sizeof line->block.bytes, block);
        json_write_text(writer, block);
    }
    admin_write_time(writer, "tried", line->tried_ms);
    admin_write_time(writer, "sent", line->sent_ms);
    admin_write_time(writer, "confirmed", line->confirmed_ms);
    json_end_object(writer);
}

/* Lines in ascending order of the accounts' keys, so that `after` can go on where one ended. */
void admin_payout_lines(struct admin_call *call)
{
    int64_t id;
    const bool after = json_find(&call->object, "after").type != JSON_ABSENT;
    if (!read_id(call, &id) || (after && !read_account(call, "after", &call->account)) ||
        !allocate_rows(call, LINES_MAX, LINE_ROOM))
        return;
    call->op.kind = STORE_READ_PAYOUT_LINES;
    call->op.read.account = after ? &call->account : NULL;
    call->op.read.payout_id = id;
    call->op.read.visit.payout_line = write_line;
    admin_submit(call, false, on_rows);
}

static int compare_line(const void *key, const void *element)
{
    const struct payout_line *line = element;
    return memcmp(key, line->account.key, sizeof line->account.key);
}

/* The lines' amounts by payout_share_divide(), which has an order of its own. */
static bool divide(const struct payout_record *record, struct payout_line *lines, size_t count)
{
    struct payout_share *shares = calloc(count, sizeof *shares);
    if (shares == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct work_counts *counts =
            record->rule == PAYOUT_WORKS ? &lines[i].works : &lines[i].hashes;
        lines[i].amount = 0;
        shares[i].account = lines[i].account;
        shares[i].weight = (u128)counts->of[WORK_PRECACHE] + counts->of[WORK_ONDEMAND];
    }
    const long paid = payout_share_divide(record->budget, record->minimum, shares, count);
    for (long i = 0; i < paid; i++) {
        struct payout_line *line =
            bsearch(&shares[i].account, lines, count, sizeof *lines, compare_line);
        if (line != NULL)
            line->amount = shares[i].amount;
    }
    free(shares);
    return paid >= 0;
}

/* Whom a plan leaves out, while it waits for the store; in the call's list. */
struct excluded {
    size_t count;
    const char *fault; /* Of one that cannot be read. */
    struct account accounts[EXCLUDED_MAX];
};

static bool read_one_excluded(void *context, struct json_value element)
{
    struct excluded *excluded = context;
    char text[ACCOUNT_TEXT_SIZE + 2];
    size_t length;
    enum account_fault fault = ACCOUNT_LONG;
    if (excluded->count == EXCLUDED_MAX) {
        excluded->fault = "at most 100 accounts can be left out";
        return false;
    }
    if (json_string(element, text, sizeof text, &length))
        fault = account_parse((struct slice){text, length}, &excluded->accounts[excluded->count]);
    excluded->fault = fault != ACCOUNT_OK ? account_fault_text(fault) : NULL;
    excluded->count++;
    return fault == ACCOUNT_OK;
}

static bool read_excluded(struct admin_call *call)
{
    struct excluded *excluded = calloc(1, sizeof *excluded);
    if (excluded == NULL) {
        admin_fail(call, "no memory for the command");
        return false;
    }
    call->list = (char *)excluded;
    json_each_element(json_find(&call->object, "exclude"), read_one_excluded, excluded);
    call->op.payout_plan.excluded = excluded->accounts;
    call->op.payout_plan.excluded_count = excluded->count;
    if (excluded->fault == NULL)
        return true;
    admin_fail(call, "exclude: %s", excluded->fault);
    return false;
}

static void on_planned(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    char data[PAYOUT_ROOM];
    if (!admin_stored(call, "nothing is due, or nobody would get as much as the minimum: nothing "
                            "is planned"))
        return;
    admin_begin_result(&call->writer, data, sizeof data);
    write_payout(call, &op->payout_plan.record);
    admin_end_result(call, &call->writer);
}

static bool read_rule(struct admin_call *call, enum payout_rule *rule)
{
    char text[16] = "works";
    if (admin_text(call, "rule", text, sizeof text)) {
        for (int i = 0; i < PAYOUT_ORIGINAL; i++) {
            *rule = (enum payout_rule)i;
            if (strcmp(text, payout_rule_name(*rule)) == 0)
                return true;
        }
    }
    admin_fail(call, "rule: must be works or hashes");
    return false;
}

void admin_payout_plan(struct admin_call *call)
{
    struct payout_record *record = &call->op.payout_plan.record;
    int64_t threshold;
    if (!read_amount(call, "budget", &record->budget) ||
        !read_amount(call, "minimum", &record->minimum) || !read_rule(call, &record->rule) ||
        !admin_number(call, "threshold", 0, 1LL << 53, THRESHOLD_DEFAULT, &threshold))
        return;
    if (record->budget == 0) {
        admin_fail(call, "budget: must be given, and not 0");
        return;
    }
    if (!read_excluded(call))
        return;
    record->threshold = (uint64_t)threshold;
    record->created_ms = clock_wall_ms();
    call->op.kind = STORE_PAYOUT_PLAN;
    call->op.payout_plan.divide = divide;
    admin_submit(call, true, on_planned);
}

static void on_changed(struct admin_call *call, const char *conflict)
{
    char data[256];
    struct json_writer writer;
    if (!admin_stored(call, conflict))
        return;
    admin_begin_result(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "id");
    json_write_i64(&writer, call->op.payout.id);
    json_end_object(&writer);
    admin_end_result(call, &writer);
}

static void on_cancelled(void *context, struct store_op *op)
{
    (void)op;
    on_changed(context, "there is no such payout, it is cancelled already, or its payment has "
                        "begun: then it can only be finished");
}

void admin_payout_cancel(struct admin_call *call)
{
    if (!read_id(call, &call->op.payout.id))
        return;
    call->op.payout.now_ms = clock_wall_ms();
    call->op.kind = STORE_PAYOUT_CANCEL;
    admin_submit(call, true, on_cancelled);
}

static bool read_line(struct admin_call *call)
{
    call->op.payout.now_ms = clock_wall_ms();
    return read_id(call, &call->op.payout.id) &&
           read_account(call, "account", &call->op.payout.account);
}

static bool read_block(struct admin_call *call)
{
    char text[BLOCK_TEXT_SIZE + 1] = "";
    struct root *block = &call->op.payout.block;
    if (admin_text(call, "block", text, sizeof text) &&
        hex_decode(slice_of(text), block->bytes, sizeof block->bytes))
        return true;
    admin_fail(call, "block: must be 64 hexadecimal digits");
    return false;
}

static void on_tried(void *context, struct store_op *op)
{
    (void)op;
    on_changed(context, "this line cannot be sent: it is sent already, the payout is cancelled, or "
                        "it was begun from another account");
}

void admin_payout_try(struct admin_call *call)
{
    if (!read_line(call) || !read_account(call, "source", &call->op.payout.source))
        return;
    call->op.kind = STORE_PAYOUT_TRY;
    admin_submit(call, true, on_tried);
}

static void on_sent(void *context, struct store_op *op)
{
    (void)op;
    on_changed(context, "this line cannot have this block: there is no such line in force, it has "
                        "another block, or the block is another line's");
}

void admin_payout_sent(struct admin_call *call)
{
    if (!read_line(call) || !read_block(call))
        return;
    call->op.kind = STORE_PAYOUT_SENT;
    admin_submit(call, true, on_sent);
}

void admin_payout_confirmed(struct admin_call *call)
{
    if (!read_line(call) || !read_block(call))
        return;
    call->op.kind = STORE_PAYOUT_CONFIRMED;
    admin_submit(call, true, on_sent);
}
