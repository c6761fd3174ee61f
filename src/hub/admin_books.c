#include "hub/admin_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>

static void begin_rows(void *context)
{
    struct admin_call *call = context;
    call->found = false;
    admin_begin_result(&call->writer, call->list, call->list_size);
    json_begin_array(&call->writer);
}

static void begin_client(void *context)
{
    struct admin_call *call = context;
    call->found = false;
    admin_begin_result(&call->writer, call->list, call->list_size);
}

static bool allocate_list(struct admin_call *call, size_t size)
{
    call->list = malloc(size);
    call->list_size = size;
    if (call->list == NULL)
        admin_fail(call, "no memory for an answer of %zu bytes", size);
    return call->list != NULL;
}

/* Member `limit`, and room for as many rows; false if the call has failed. */
static bool begin_list(struct admin_call *call)
{
    int64_t limit;
    if (!admin_number(call, "limit", 1, ADMIN_ROWS_MAX, ADMIN_ROWS_DEFAULT, &limit))
        return false;
    call->op.read.limit = (size_t)limit;
    call->op.read.begin = begin_rows;
    call->op.read.context = call;
    return allocate_list(call, ADMIN_ANSWER_SIZE + (size_t)limit * ADMIN_ROW_ROOM);
}

static void on_listed(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    (void)op;
    if (!admin_stored(call, "there is no such row"))
        return;
    json_end_array(&call->writer);
    admin_end_result(call, &call->writer);
}

static void on_credited(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    char data[256];
    struct json_writer writer;
    if (!admin_stored(call, "amount: the service would have less than 0 or more than 2^53 credits"))
        return;
    struct service *service = services_by_id(call->options.services, call->record.id);
    if (service != NULL)
        service->record.credits += op->credit.record.amount;
    admin_begin_result(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "service");
    json_write_text(&writer, call->record.name);
    json_key(&writer, "credits");
    json_write_i64(&writer, op->credit.balance);
    json_end_object(&writer);
    admin_end_result(call, &writer);
}

static bool read_kind(struct admin_call *call, enum credit_kind *kind)
{
    char text[16] = "bought";
    if (admin_text(call, "kind", text, sizeof text)) {
        for (int i = 0; i < CREDIT_KINDS; i++) {
            *kind = (enum credit_kind)i;
            if (strcmp(text, credit_kind_name(*kind)) == 0)
                return true;
        }
    }
    admin_fail(call, "kind: must be bought, granted or corrected");
    return false;
}

void admin_credit_add(struct admin_call *call)
{
    struct credit_record *record = &call->op.credit.record;
    int64_t amount;
    if (admin_service(call) == NULL || !read_kind(call, &record->kind))
        return;
    const int64_t low = record->kind == CREDIT_CORRECTED ? -(1LL << 53) : 1;
    if (!admin_number(call, "amount", low, 1LL << 53, 0, &amount))
        return;
    if (amount == 0 || !admin_text(call, "note", record->note, sizeof record->note)) {
        admin_fail(call, amount == 0 ? "amount: must be given, and not 0"
                                     : "note: must be a text of at most 128 bytes");
        return;
    }
    record->service_id = call->record.id;
    record->amount = amount;
    record->created_ms = clock_wall_ms();
    call->op.kind = STORE_CREDIT;
    admin_submit(call, true, on_credited);
}

static void write_credit(void *context, const struct credit_record *record)
{
    struct admin_call *call = context;
    struct json_writer *writer = &call->writer;
    json_begin_object(writer);
    json_key(writer, "id");
    json_write_i64(writer, record->id);
    json_key(writer, "service_id");
    json_write_i64(writer, record->service_id);
    admin_write_time(writer, "time", record->created_ms);
    json_key(writer, "kind");
    json_write_text(writer, credit_kind_name(record->kind));
    json_key(writer, "amount");
    json_write_i64(writer, record->amount);
    json_key(writer, "note");
    json_write_text(writer, record->note);
    json_end_object(writer);
}

void admin_credit_list(struct admin_call *call)
{
    const bool named = json_find(&call->object, "name").type != JSON_ABSENT;
    if ((named && admin_service(call) == NULL) || !begin_list(call))
        return;
    call->op.kind = STORE_READ_CREDITS;
    call->op.read.service_id = named ? call->record.id : 0;
    call->op.read.visit.credit = write_credit;
    admin_submit(call, false, on_listed);
}

static void write_client(void *context, const struct client_record *client)
{
    struct admin_call *call = context;
    struct json_writer *writer = &call->writer;
    const struct client_totals *totals = &client->totals;
    char account[ACCOUNT_TEXT_SIZE];
    static const char *const hashes[WORK_TYPES] = {"hashes_precache", "hashes_ondemand"};
    static const char *const snapshots[WORK_TYPES] = {"snapshot_precache", "snapshot_ondemand"};
    account_format(&client->account, account);
    call->found = true;
    json_begin_object(writer);
    json_key(writer, "account");
    json_write_text(writer, account);
    for (int type = 0; type < WORK_TYPES; type++) {
        json_key(writer, work_type_name((enum work_type)type));
        json_write_u64(writer, totals->rewarded.of[type]);
        json_key(writer, hashes[type]);
        json_write_u64(writer, totals->hashes.of[type]);
        if (!totals->has_snapshot)
            continue;
        json_key(writer, snapshots[type]);
        json_write_u64(writer, totals->snapshot.of[type]);
    }
    json_key(writer, "invalid");
    json_write_u64(writer, client->invalid);
    admin_write_time(writer, "last", client->last_ms);
    admin_write_ban(writer, &client->ban);
    json_end_object(writer);
}

void admin_client_list(struct admin_call *call)
{
    if (!begin_list(call))
        return;
    call->op.kind = STORE_READ_CLIENTS;
    call->op.read.visit.client = write_client;
    admin_submit(call, false, on_listed);
}

static bool read_account(struct admin_call *call)
{
    char text[ACCOUNT_TEXT_SIZE + 2] = "";
    if (!admin_text(call, "account", text, sizeof text)) {
        admin_fail(call, "account: must be a text of at most %d bytes", ACCOUNT_TEXT_SIZE + 1);
        return false;
    }
    const enum account_fault fault = account_parse(slice_of(text), &call->account);
    if (fault != ACCOUNT_OK)
        admin_fail(call, "account: %s", account_fault_text(fault));
    return fault == ACCOUNT_OK;
}

static void on_client(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    (void)op;
    if (!admin_stored(call, ""))
        return;
    if (call->found)
        admin_end_result(call, &call->writer);
    else
        admin_fail(call, "no work of this account has been rewarded, nor has it been banned");
}

void admin_client_show(struct admin_call *call)
{
    if (!read_account(call) || !allocate_list(call, ADMIN_ANSWER_SIZE))
        return;
    call->op.read.begin = begin_client;
    call->op.kind = STORE_READ_CLIENTS;
    call->op.read.account = &call->account;
    call->op.read.limit = 1;
    call->op.read.visit.client = write_client;
    call->op.read.context = call;
    admin_submit(call, false, on_client);
}

static void on_client_banned(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    char data[1024];
    char account[ACCOUNT_TEXT_SIZE];
    struct json_writer writer;
    if (!admin_stored(call, ""))
        return;
    call->options.client_changed(call->options.context, &op->client);
    account_format(&op->client.account, account);
    admin_begin_result(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "account");
    json_write_text(&writer, account);
    admin_write_ban(&writer, &op->client.ban);
    json_end_object(&writer);
    admin_end_result(call, &writer);
}

static void submit_client(struct admin_call *call)
{
    call->op.kind = STORE_CLIENT_BAN;
    call->op.client.account = call->account;
    admin_submit(call, true, on_client_banned);
}

void admin_client_ban(struct admin_call *call)
{
    if (read_account(call) && admin_ban(call, &call->op.client.ban))
        submit_client(call);
}

void admin_client_unban(struct admin_call *call)
{
    if (read_account(call))
        submit_client(call);
}

static void on_noted(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    char data[512];
    struct json_writer writer;
    (void)op;
    if (!admin_stored(call, ""))
        return;
    admin_begin_result(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "connection");
    json_write_text(&writer, call->connection);
    json_end_object(&writer);
    admin_end_result(call, &writer);
}

/* The broker forgets bans when it ends, so the store keeps only that it was commanded. */
void admin_connection_ban(struct admin_call *call)
{
    int64_t seconds;
    if (!admin_text(call, "connection", call->connection, sizeof call->connection) ||
        call->connection[0] == '\0') {
        admin_fail(call, "connection: must be a client id of 1 to %zu characters, or its label",
                   sizeof call->connection - 1);
        return;
    }
    if (!admin_number(call, "seconds", 1, BROKER_BAN_MAX_S, CONNECTION_BAN_S, &seconds))
        return;
    if (call->options.ban_connection == NULL ||
        !call->options.ban_connection(call->options.context, slice_of(call->connection),
                                      (unsigned)seconds)) {
        admin_fail(call, "a connection can be banned only while the hub runs with its own broker");
        return;
    }
    call->op.kind = STORE_NOTE;
    admin_submit(call, true, on_noted);
}

static void write_audit(void *context, const struct audit_record *record)
{
    struct admin_call *call = context;
    struct json_writer *writer = &call->writer;
    json_begin_object(writer);
    json_key(writer, "id");
    json_write_i64(writer, record->id);
    admin_write_time(writer, "time", record->at_ms);
    json_key(writer, "actor");
    json_write_text(writer, record->actor);
    json_key(writer, "command");
    json_write_text(writer, record->command);
    json_end_object(writer);
}

void admin_audit(struct admin_call *call)
{
    if (!begin_list(call))
        return;
    call->op.kind = STORE_READ_AUDIT;
    call->op.read.visit.audit = write_audit;
    admin_submit(call, false, on_listed);
}

static void write_fault(void *context, const char *text)
{
    struct admin_call *call = context;
    json_write_text(&call->writer, text);
}

void admin_check(struct admin_call *call)
{
    if (!begin_list(call))
        return;
    call->op.kind = STORE_CHECK;
    call->op.read.visit.fault = write_fault;
    admin_submit(call, false, on_listed);
}

void admin_stats(struct admin_call *call)
{
    size_t length = 0;
    char *json = call->options.statistics(call->options.context, &length);
    if (json == NULL) {
        admin_fail(call, "no memory for the statistics");
        return;
    }
    if (allocate_list(call, length + ADMIN_ANSWER_SIZE)) {
        admin_begin_result(&call->writer, call->list, call->list_size);
        json_write_raw(&call->writer, (struct slice){json, length});
        admin_end_result(call, &call->writer);
    }
    free(json);
}
