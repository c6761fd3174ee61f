#include "store/redis_internal.h"

#include "base/random.h"
#include "base/table.h"
#include "nano/blake2b.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SEEN_MAX = 1 << 22,   /* Members of one scan that are remembered: 320 MiB at most. */
    ROUNDS_MAX = 1 << 24, /* Of one scan: a server that never ends it is no Redis. */
    CURSOR_SIZE = 24,
    CALLS_MAX = 8, /* Commands sent together. */
    KEY_SIZE = LEGACY_TEXT_MAX + 32,
    FAULT_SIZE = 256,
    COUNT_DIGITS_MAX = 31,
};

#define WORK_LIFE_MS ((int64_t)86400000) /* Where the original set no end. */
#define LIFE_MAX_MS LEGACY_ACCOUNT_MS

struct redis_source {
    struct redis_reader reader;
    const struct legacy_visitor *visitor;
    struct table *seen; /* What this scan has visited: SCAN may tell a member twice. */
};

/* A key or member, and what of it is shown. */
struct key {
    char text[KEY_SIZE];
    size_t length;
};

/* A field of a hash; absent, empty and too long ones have length 0. */
struct field {
    const char *name;
    size_t length;
    char data[LEGACY_TEXT_MAX];
};

typedef bool (*visit_member)(struct redis_source *source, struct slice member, struct error *error);

static void fault(const struct redis_source *source, struct slice key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(const struct redis_source *source, struct slice key, const char *format, ...)
{
    enum { SHOWN_MAX = 96 };
    char text[FAULT_SIZE];
    const int shown = (int)(key.length < SHOWN_MAX ? key.length : SHOWN_MAX);
    const int length = snprintf(text, sizeof text, "%.*s: ", shown, key.data);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    va_end(arguments);
    source->visitor->fault(source->visitor->context, text);
}

/* A key of the original's; the member has at most LEGACY_TEXT_MAX bytes. */
static struct key key_of(const char *prefix, struct slice member)
{
    struct key key;
    const size_t before = strlen(prefix);
    memcpy(key.text, prefix, before);
    memcpy(key.text + before, member.data, member.length);
    key.length = before + member.length;
    return key;
}

static struct slice slice_of_key(const struct key *key)
{
    return (struct slice){key->text, key->length};
}

static struct redis_command command_of(const char *name, struct slice key)
{
    return (struct redis_command){2, {slice_of(name), key}};
}

static struct redis_command field_command(const char *name, struct slice key, const char *field)
{
    return (struct redis_command){3, {slice_of(name), key, slice_of(field)}};
}

/* At most 64 bytes of a string, so that a longer one shows as such. */
static struct redis_command string_command(struct slice key)
{
    return (struct redis_command){4, {slice_of("GETRANGE"), key, slice_of("0"), slice_of("64")}};
}

static void free_answers(redisReply **answers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        freeReplyObject(answers[i]);
}

/* Sends commands together and waits for all their answers, which are the caller's to free. */
static bool call_all(struct redis_source *source, const struct redis_command *commands,
                     size_t count, redisReply **answers, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!redis_reader_ask(&source->reader, &commands[i], error))
            return false;
    for (size_t i = 0; i < count; i++) {
        answers[i] = redis_reader_answer(&source->reader, error);
        if (answers[i] == NULL) {
            free_answers(answers, i);
            return false;
        }
    }
    return true;
}

static bool call_number(struct redis_source *source, const struct redis_command *command,
                        long long *number, struct error *error)
{
    redisReply *answer = redis_reader_call(&source->reader, command, error);
    if (answer == NULL)
        return false;
    const bool good = answer->type == REDIS_REPLY_INTEGER;
    if (good)
        *number = answer->integer;
    else
        (void)redis_refused("number", answer, error);
    freeReplyObject(answer);
    return good;
}

/* A string's bytes; false, with a fault unless there is no such key, if it is none. */
static bool read_string(const struct redis_source *source, struct slice key,
                        const redisReply *answer, struct slice *text)
{
    if (answer->type != REDIS_REPLY_STRING) {
        fault(source, key, "is no string");
        return false;
    }
    *text = (struct slice){answer->str, answer->len};
    return text->length > 0;
}

static bool parse_count(struct slice text, uint64_t *count)
{
    uint64_t value = 0;
    if (text.length == 0 || text.length > COUNT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (isdigit((unsigned char)text.data[i]) == 0)
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
        if (value > LEGACY_COUNT_MAX)
            return false;
    }
    *count = value;
    return true;
}

/* A counter; what is wrong counts as 0. */
static uint64_t count_of(const struct redis_source *source, struct slice key, const char *name,
                         struct slice text)
{
    uint64_t count = 0;
    if (text.length > 0 && !parse_count(text, &count))
        fault(source, key, "%s is no number from 0 to 2^53; taken as 0", name);
    return count;
}

static struct slice slice_of_field(const struct field *field)
{
    return (struct slice){field->data, field->length};
}

/* How long each field is, for the values may have any length; false if it is no hash. */
static bool take_lengths(const struct redis_source *source, struct slice key, struct field *fields,
                         size_t count, redisReply *const *answers)
{
    for (size_t i = 0; i < count; i++) {
        if (answers[i]->type != REDIS_REPLY_INTEGER) {
            fault(source, key, "is no hash");
            return false;
        }
        const long long length = answers[i]->integer;
        if (length > LEGACY_TEXT_MAX)
            fault(source, key, "%s has more than %d bytes; taken as missing", fields[i].name,
                  LEGACY_TEXT_MAX);
        else if (length > 0)
            fields[i].length = (size_t)length;
    }
    return true;
}

static bool read_lengths(struct redis_source *source, struct slice key, struct field *fields,
                         size_t count, struct error *error)
{
    struct redis_command commands[CALLS_MAX];
    redisReply *answers[CALLS_MAX];
    for (size_t i = 0; i < count; i++)
        commands[i] = field_command("HSTRLEN", key, fields[i].name);
    if (!call_all(source, commands, count, answers, error))
        return false;
    if (!take_lengths(source, key, fields, count, answers))
        for (size_t i = 0; i < count; i++)
            fields[i].length = 0;
    free_answers(answers, count);
    return true;
}

/* Reads fields of a hash, at most CALLS_MAX, of which the names are filled. */
static bool read_fields(struct redis_source *source, struct slice key, struct field *fields,
                        size_t count, struct error *error)
{
    struct redis_command commands[CALLS_MAX];
    redisReply *answers[CALLS_MAX];
    struct field *asked[CALLS_MAX];
    size_t asking = 0;
    if (!read_lengths(source, key, fields, count, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].length == 0)
            continue;
        commands[asking] = field_command("HGET", key, fields[i].name);
        asked[asking++] = &fields[i];
    }
    if (!call_all(source, commands, asking, answers, error))
        return false;
    for (size_t i = 0; i < asking; i++) {
        const bool good =
            answers[i]->type == REDIS_REPLY_STRING && answers[i]->len <= LEGACY_TEXT_MAX;
        asked[i]->length = good ? answers[i]->len : 0;
        if (good)
            memcpy(asked[i]->data, answers[i]->str, answers[i]->len);
    }
    free_answers(answers, asking);
    return true;
}

/* Whether a member comes for the first time; beyond SEEN_MAX nobody remembers. */
static bool is_new(struct redis_source *source, const uint8_t key[TABLE_KEY_SIZE])
{
    if (table_find(source->seen, key) != NULL)
        return false;
    (void)table_insert(source->seen, key, source);
    return true;
}

/* One round's answer: the next cursor, and an array of members. */
static bool visit_round(struct redis_source *source, const redisReply *answer, char *cursor,
                        visit_member visit, struct error *error)
{
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements != 2 ||
        answer->element[0]->type != REDIS_REPLY_STRING || answer->element[0]->len == 0 ||
        answer->element[0]->len >= CURSOR_SIZE || answer->element[1]->type != REDIS_REPLY_ARRAY)
        return redis_refused("scan", answer, error);
    memcpy(cursor, answer->element[0]->str, answer->element[0]->len);
    cursor[answer->element[0]->len] = '\0';
    const redisReply *members = answer->element[1];
    for (size_t i = 0; i < members->elements; i++) {
        const redisReply *member = members->element[i];
        if (member->type != REDIS_REPLY_STRING)
            return redis_refused("scan", member, error);
        if (!visit(source, (struct slice){member->str, member->len}, error))
            return false;
    }
    return true;
}

static bool scan_all(struct redis_source *source, const char *set, visit_member visit,
                     struct error *error)
{
    static const char members_a_round[] = "200";
    char cursor[CURSOR_SIZE] = "0";
    for (long round = 0; round < ROUNDS_MAX; round++) {
        const struct slice at = slice_of(cursor);
        const struct slice count = slice_of("COUNT");
        const struct slice number = slice_of(members_a_round);
        const struct redis_command command =
            set != NULL
                ? (struct redis_command){5, {slice_of("SSCAN"), slice_of(set), at, count, number}}
                : (struct redis_command){4, {slice_of("SCAN"), at, count, number}};
        redisReply *answer = redis_reader_call(&source->reader, &command, error);
        const bool good = answer != NULL && visit_round(source, answer, cursor, visit, error);
        freeReplyObject(answer);
        if (!good)
            return false;
        if (strcmp(cursor, "0") == 0)
            return true;
    }
    return error_set(error, ERROR_LIMIT, "redis: a scan does not end");
}

/* Visits each member of a set, or each key if set is NULL. */
static bool scan(struct redis_source *source, const char *set, visit_member visit,
                 struct error *error)
{
    const struct redis_command size = set != NULL ? command_of("SCARD", slice_of(set))
                                                  : (struct redis_command){1, {slice_of("DBSIZE")}};
    uint8_t seed[TABLE_SEED_SIZE];
    long long members;
    if (!call_number(source, &size, &members, error))
        return false;
    const size_t capacity = members < 1 ? 1 : members < SEEN_MAX ? (size_t)members : SEEN_MAX;
    random_system(seed, sizeof seed);
    source->seen = table_create(capacity, seed);
    if (source->seen == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to remember what has been read");
    const bool done = scan_all(source, set, visit, error);
    table_destroy(source->seen);
    source->seen = NULL;
    return done;
}

enum service_field { PUBLIC, DISPLAY, WEBSITE, API_KEY, PRECACHE, ONDEMAND, SERVICE_FIELDS };

static void take_key(const struct redis_source *source, struct slice key, const struct field *field,
                     struct legacy_service *service)
{
    service->has_key = field->length == LEGACY_KEY_SIZE;
    if (service->has_key)
        memcpy(service->key, field->data, LEGACY_KEY_SIZE);
    else if (field->length > 0)
        fault(source, key, "api_key has %zu bytes instead of %d", field->length, LEGACY_KEY_SIZE);
}

static bool visit_long_name(struct redis_source *source, struct slice name, struct error *error)
{
    const struct legacy_service service = {.name = {name.data, LEGACY_TEXT_MAX}, .is_empty = true};
    return source->visitor->service(source->visitor->context, &service, error);
}

static bool visit_service(struct redis_source *source, struct slice name, struct error *error)
{
    struct field fields[SERVICE_FIELDS] = {
        [PUBLIC] = {.name = "public"},     [DISPLAY] = {.name = "display"},
        [WEBSITE] = {.name = "website"},   [API_KEY] = {.name = "api_key"},
        [PRECACHE] = {.name = "precache"}, [ONDEMAND] = {.name = "ondemand"},
    };
    uint8_t digest[TABLE_KEY_SIZE];
    blake2b(name.data, name.length, digest, sizeof digest);
    if (!is_new(source, digest))
        return true;
    if (name.length > LEGACY_TEXT_MAX)
        return visit_long_name(source, name, error);
    const struct key key = key_of("service:", name);
    const struct slice shown = slice_of_key(&key);
    if (!read_fields(source, shown, fields, SERVICE_FIELDS, error))
        return false;
    struct legacy_service service = {
        .name = name,
        .display = slice_of_field(&fields[DISPLAY]),
        .website = slice_of_field(&fields[WEBSITE]),
        .is_public = slice_is(slice_of_field(&fields[PUBLIC]), "Y"),
        .is_empty = true,
    };
    for (int i = 0; i < SERVICE_FIELDS; i++)
        service.is_empty = service.is_empty && fields[i].length == 0;
    take_key(source, shown, &fields[API_KEY], &service);
    service.answered.of[WORK_PRECACHE] =
        count_of(source, shown, "precache", slice_of_field(&fields[PRECACHE]));
    service.answered.of[WORK_ONDEMAND] =
        count_of(source, shown, "ondemand", slice_of_field(&fields[ONDEMAND]));
    return source->visitor->service(source->visitor->context, &service, error);
}

enum client_field { REWARDED, SNAPSHOT = REWARDED + WORK_TYPES, CLIENT_FIELDS = 2 * WORK_TYPES };

/* Adds what is counted under one spelling of an account. */
static bool add_client(struct redis_source *source, struct slice account, bool *exists,
                       struct client_totals *totals, struct error *error)
{
    struct field fields[CLIENT_FIELDS] = {
        [REWARDED + WORK_PRECACHE] = {.name = "precache"},
        [REWARDED + WORK_ONDEMAND] = {.name = "ondemand"},
        [SNAPSHOT + WORK_PRECACHE] = {.name = "snapshot_precache"},
        [SNAPSHOT + WORK_ONDEMAND] = {.name = "snapshot_ondemand"},
    };
    const struct key key = key_of("client:", account);
    const struct slice shown = slice_of_key(&key);
    if (!read_fields(source, shown, fields, CLIENT_FIELDS, error))
        return false;
    for (int type = 0; type < WORK_TYPES; type++) {
        const struct field *rewarded = &fields[REWARDED + type];
        const struct field *snapshot = &fields[SNAPSHOT + type];
        totals->rewarded.of[type] +=
            count_of(source, shown, rewarded->name, slice_of_field(rewarded));
        totals->snapshot.of[type] +=
            count_of(source, shown, snapshot->name, slice_of_field(snapshot));
        totals->has_snapshot |= snapshot->length > 0;
        *exists |= rewarded->length > 0 || snapshot->length > 0;
    }
    return true;
}

/* The original kept nano_X and xrb_X apart; they are one account. */
static bool visit_client(struct redis_source *source, struct slice member, struct error *error)
{
    struct legacy_client client = {0};
    char spelled[ACCOUNT_TEXT_SIZE];
    char older[ACCOUNT_TEXT_SIZE];
    bool exists = false;
    const enum account_fault wrong = account_parse(member, &client.account);
    if (wrong != ACCOUNT_OK) {
        fault(source, member, "client left out: %s", account_fault_text(wrong));
        return true;
    }
    if (!is_new(source, client.account.key))
        return true;
    account_format(&client.account, spelled);
    (void)snprintf(older, sizeof older, "xrb_%s", spelled + strlen("nano_"));
    if (!add_client(source, slice_of(spelled), &exists, &client.totals, error) ||
        !add_client(source, slice_of(older), &exists, &client.totals, error))
        return false;
    if (exists)
        return source->visitor->client(source->visitor->context, &client, error);
    fault(source, member, "client left out: nothing is counted for it");
    return true;
}

static bool visit_totals(struct redis_source *source, struct error *error)
{
    static const char *const keys[WORK_TYPES] = {
        [WORK_PRECACHE] = "stats:precache", [WORK_ONDEMAND] = "stats:ondemand"};
    struct work_counts totals = {{0}};
    for (int type = 0; type < WORK_TYPES; type++) {
        const struct slice key = slice_of(keys[type]);
        const struct redis_command command = string_command(key);
        redisReply *answer;
        struct slice text;
        if (!call_all(source, &command, 1, &answer, error))
            return false;
        if (read_string(source, key, answer, &text))
            totals.of[type] = count_of(source, key, "it", text);
        freeReplyObject(answer);
    }
    return source->visitor->totals(source->visitor->context, &totals, error);
}

/* What is left of a key's life by PTTL's answer; 0 if it is over. */
static int64_t life_of(const redisReply *answer, int64_t endless_ms)
{
    if (answer->type != REDIS_REPLY_INTEGER || answer->integer == 0 || answer->integer < -1)
        return 0;
    if (answer->integer == -1)
        return endless_ms;
    return answer->integer < LIFE_MAX_MS ? answer->integer : LIFE_MAX_MS;
}

static bool take_work(const struct redis_source *source, struct slice key,
                      redisReply *const answers[3], struct legacy_work *work)
{
    static const char pending[] = "0";
    struct slice text;
    if (!read_string(source, key, answers[0], &text) || slice_is(text, pending))
        return false;
    if (!work_parse(text, &work->nonce)) {
        fault(source, key, "is no work of 16 hexadecimal digits");
        return false;
    }
    work->left_ms = life_of(answers[1], WORK_LIFE_MS);
    const bool precached = answers[2]->type == REDIS_REPLY_STRING &&
                           slice_is((struct slice){answers[2]->str, answers[2]->len}, "precache");
    work->type = precached ? WORK_PRECACHE : WORK_ONDEMAND;
    return work->left_ms > 0;
}

static bool visit_work(struct redis_source *source, struct slice key, struct slice hash,
                       struct error *error)
{
    struct legacy_work work;
    redisReply *answers[3];
    if (!root_parse(hash, &work.root)) {
        fault(source, key, "is no hash of 64 hexadecimal digits");
        return true;
    }
    if (!is_new(source, work.root.bytes))
        return true;
    const struct key type_key = key_of("work-type:", hash);
    const struct redis_command commands[] = {string_command(key), command_of("PTTL", key),
                                             string_command(slice_of_key(&type_key))};
    if (!call_all(source, commands, 3, answers, error))
        return false;
    const bool good = take_work(source, key, answers, &work);
    free_answers(answers, 3);
    return !good || source->visitor->work(source->visitor->context, &work, error);
}

static bool take_account(const struct redis_source *source, struct slice key,
                         redisReply *const answers[2], struct legacy_account *account)
{
    struct slice text;
    if (!read_string(source, key, answers[0], &text))
        return false;
    if (!root_parse(text, &account->frontier)) {
        fault(source, key, "has no frontier of 64 hexadecimal digits");
        return false;
    }
    account->left_ms = life_of(answers[1], LEGACY_ACCOUNT_MS);
    return account->left_ms > 0;
}

static bool visit_account(struct redis_source *source, struct slice key, struct slice name,
                          struct error *error)
{
    struct legacy_account account;
    redisReply *answers[2];
    uint8_t digest[TABLE_KEY_SIZE];
    const enum account_fault wrong = account_parse(name, &account.account);
    if (wrong != ACCOUNT_OK) {
        fault(source, key, "left out: %s", account_fault_text(wrong));
        return true;
    }
    const struct redis_command commands[] = {string_command(key), command_of("PTTL", key)};
    if (!call_all(source, commands, 2, answers, error))
        return false;
    const bool good = take_account(source, key, answers, &account);
    free_answers(answers, 2);
    /* The key itself may have been seen as a root: that of the account's first block. */
    blake2b(account.account.key, sizeof account.account.key, digest, sizeof digest);
    return !good || !is_new(source, digest) ||
           source->visitor->account(source->visitor->context, &account, error);
}

static bool begins(struct slice text, const char *prefix, struct slice *rest)
{
    const size_t length = strlen(prefix);
    if (text.length < length || memcmp(text.data, prefix, length) != 0)
        return false;
    *rest = (struct slice){text.data + length, text.length - length};
    return true;
}

static bool visit_key(struct redis_source *source, struct slice key, struct error *error)
{
    struct slice rest;
    if (begins(key, "block:", &rest))
        return visit_work(source, key, rest, error);
    if (begins(key, "account:", &rest))
        return visit_account(source, key, rest, error);
    return true;
}

static bool holds_data(struct redis_source *source, struct error *error)
{
    const struct redis_command exists = {4,
                                         {slice_of("EXISTS"), slice_of("services"),
                                          slice_of("clients"), slice_of("stats:ondemand")}};
    long long found;
    if (!call_number(source, &exists, &found, error))
        return false;
    return found > 0 ||
           error_set(error, ERROR_NOT_FOUND,
                     "redis: this database has no data of the original hub (another number?)");
}

struct redis_source *redis_source_open(const struct redis_address *address, struct error *error)
{
    struct redis_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory to read from Redis");
        return NULL;
    }
    if (redis_reader_open(&source->reader, address, error) && holds_data(source, error))
        return source;
    redis_source_close(source);
    return NULL;
}

bool redis_source_read(struct redis_source *source, const struct legacy_visitor *visitor,
                       struct error *error)
{
    source->visitor = visitor;
    return scan(source, "services", visit_service, error) &&
           scan(source, "clients", visit_client, error) && visit_totals(source, error) &&
           scan(source, NULL, visit_key, error);
}

void redis_source_close(struct redis_source *source)
{
    if (source == NULL)
        return;
    redis_reader_close(&source->reader);
    free(source);
}
