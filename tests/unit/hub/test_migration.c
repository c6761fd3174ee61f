/* migration: scripted records of the original become records of a store. */
#include "test.h"

#include "hub/credential.h"
#include "hub/migration.h"
#include "hub/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};

#define NOW_MS ((int64_t)1 << 50)
#define SLICE(literal) ((struct slice){literal, sizeof(literal) - 1})

enum { RECORDS_MAX = 8 };

/* What the source tells; counts of 0 end the lists. */
struct script {
    const struct legacy_service *services;
    size_t service_count;
    const struct legacy_client *clients;
    size_t client_count;
    struct work_counts totals;
    const struct legacy_work *works;
    size_t work_count;
    const struct legacy_account *accounts;
    size_t account_count;
    size_t faults;
    bool fails; /* At the end. */
};

struct place {
    char directory[64];
    char url[112];
    struct store *store;
    struct script script;
    struct migration_options options;
    struct migration_report report;
    struct error error;
};

static bool read_script(void *context, const struct legacy_visitor *visitor, struct error *error)
{
    const struct script *script = context;
    bool good = true;
    for (size_t i = 0; good && i < script->service_count; i++)
        good = visitor->service(visitor->context, &script->services[i], error);
    for (size_t i = 0; good && i < script->client_count; i++)
        good = visitor->client(visitor->context, &script->clients[i], error);
    good = good && visitor->totals(visitor->context, &script->totals, error);
    for (size_t i = 0; good && i < script->work_count; i++)
        good = visitor->work(visitor->context, &script->works[i], error);
    for (size_t i = 0; good && i < script->account_count; i++)
        good = visitor->account(visitor->context, &script->accounts[i], error);
    for (size_t i = 0; i < script->faults; i++)
        visitor->fault(visitor->context, "fault");
    return good && (!script->fails || error_set(error, ERROR_SYSTEM, "the source is gone"));
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/dpow-migration-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->url, sizeof place->url, "sqlite:%s/dpow.db", place->directory);
    place->store = store_open(place->url, &quiet, &place->error);
    assert_non_null(place->store);
    place->options = (struct migration_options){
        .store = place->store,
        .log = quiet,
        .read = read_script,
        .context = &place->script,
        .rate_per_s = 7,
        .threshold = 0xf000000000000000,
        .now_ms = NOW_MS,
    };
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    struct place *place = *state;
    store_close(place->store);
    for (size_t i = 0; i < COUNT(endings); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/dpow.db%s", place->directory, endings[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->directory), 0);
    free(place);
    return 0;
}

static void run(struct place *place)
{
    if (!migration_run(&place->options, &place->report, &place->error))
        fail_msg("%s", place->error.text);
}

static void assert_tally(const struct migration_tally *tally, uint64_t imported, uint64_t existing,
                         uint64_t left_out)
{
    assert_int_equal(tally->imported, imported);
    assert_int_equal(tally->existing, existing);
    assert_int_equal(tally->left_out, left_out);
}

struct kept {
    size_t count;
    struct service_record services[RECORDS_MAX];
    struct client_record clients[RECORDS_MAX];
    struct work_record works[RECORDS_MAX];
    struct frontier_record frontiers[RECORDS_MAX];
};

static bool keep_service(void *context, const struct service_record *service)
{
    struct kept *kept = context;
    kept->services[kept->count++] = *service;
    return true;
}

static bool keep_client(void *context, const struct client_record *client)
{
    struct kept *kept = context;
    kept->clients[kept->count++] = *client;
    return true;
}

static bool keep_work(void *context, const struct work_record *work)
{
    struct kept *kept = context;
    kept->works[kept->count++] = *work;
    return true;
}

static bool keep_frontier(void *context, const struct frontier_record *frontier)
{
    struct kept *kept = context;
    kept->frontiers[kept->count++] = *frontier;
    return true;
}

static struct kept services_of(struct place *place)
{
    struct kept kept = {0};
    assert_true(store_each_service(place->store, keep_service, &kept, &place->error));
    return kept;
}

static const struct legacy_service wallet = {
    .name = {"wallet", 6},
    .display = {"The Wallet", 10},
    .website = {"w.example", 9},
    .is_public = true,
    .has_key = true,
    .key = {1, 2, 3},
    .answered = {{213, 1543}},
};

static void tell_services(struct place *place, const struct legacy_service *services, size_t count)
{
    place->script.services = services;
    place->script.service_count = count;
}

static void a_service_keeps_its_name_key_and_counts(void **state)
{
    struct place *place = *state;
    char hash[KEY_HASH_SIZE];
    tell_services(place, &wallet, 1);
    run(place);
    const struct kept kept = services_of(place);
    const struct service_record *service = &kept.services[0];
    credential_legacy_hash(wallet.key, hash);
    assert_int_equal(kept.count, 1);
    assert_string_equal(service->name, "wallet");
    assert_string_equal(service->display, "The Wallet");
    assert_string_equal(service->website, "https://w.example");
    assert_string_equal(service->keys[0].hash, hash);
    assert_true(service->keys[0].expires_ms == STORE_FOREVER_MS);
    assert_true(service->is_public && service->unlimited);
    assert_true(service->rate_per_s == 7 && service->weight == 1);
    assert_int_equal(service->precache.mode, PRECACHE_ALWAYS);
    assert_int_equal(service->precache.accounts_max, 10000);
    assert_int_equal(service->answered.of[WORK_PRECACHE], 213);
    assert_int_equal(service->answered.of[WORK_ONDEMAND], 1543);
    assert_tally(&place->report.services, 1, 0, 0);
    assert_int_equal(place->report.warnings, 0);
}

static void websites_get_a_scheme_or_are_left_out(void **state)
{
    static const struct {
        struct slice given;
        const char *expected;
    } cases[] = {
        {SLICE(""), ""},
        {SLICE("a.b/c"), "https://a.b/c"},
        {SLICE("http://a"), "http://a"},
        {SLICE("https://a"), "https://a"},
        {SLICE("ftp://a"), ""},
        {SLICE("a b"), ""},
        {SLICE("a\"b"), ""},
        {SLICE("a\0b"), ""},
    };
    struct place *place = *state;
    struct legacy_service services[COUNT(cases)];
    char names[COUNT(cases)][4];
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)snprintf(names[i], sizeof names[i], "s%zu", i);
        services[i] = wallet;
        services[i].name = slice_of(names[i]);
        services[i].website = cases[i].given;
    }
    tell_services(place, services, COUNT(cases));
    run(place);
    const struct kept kept = services_of(place);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(kept.services[i].website, cases[i].expected);
    assert_int_equal(place->report.warnings, 4);
}

static void displays_are_cut_to_whole_readable_characters(void **state)
{
    struct place *place = *state;
    char longest[200];
    struct legacy_service services[3] = {wallet, wallet, wallet};
    memset(longest, 'a', sizeof longest);
    longest[127] = '\xc3'; /* of a character of two bytes: one would fit */
    longest[128] = '\xa9';
    services[0].name = slice_of("long");
    services[0].display = (struct slice){longest, sizeof longest};
    services[1].name = slice_of("odd");
    services[1].display = SLICE("a\n\xff\0b\xc2\x9b");
    services[2].name = slice_of("none");
    services[2].display = SLICE("\x01");
    tell_services(place, services, 3);
    run(place);
    const struct kept kept = services_of(place);
    assert_int_equal(strlen(kept.services[0].display), 127);
    assert_string_equal(kept.services[1].display, "ab");
    assert_true(kept.services[1].is_public);
    assert_string_equal(kept.services[2].display, "none");
    assert_false(kept.services[2].is_public); /* its login name would be shown */
}

static void services_without_a_key_cannot_log_in_until_they_get_one(void **state)
{
    struct place *place = *state;
    const uint8_t zero[LEGACY_KEY_SIZE] = {0};
    char nothing[KEY_HASH_SIZE];
    struct legacy_service services[2] = {wallet, wallet};
    services[0].has_key = false;
    services[1].name = slice_of("gone");
    services[1].is_empty = true;
    credential_legacy_hash(zero, nothing);
    tell_services(place, services, 2);
    run(place);
    const struct kept kept = services_of(place);
    assert_int_equal(kept.count, 1);
    assert_string_not_equal(kept.services[0].keys[0].hash, nothing);
    assert_string_not_equal(kept.services[0].keys[0].hash, "");
    assert_tally(&place->report.services, 1, 0, 1);
    assert_int_equal(place->report.names_refused, 0);
    assert_int_equal(place->report.warnings, 2);
}

static void names_that_are_not_possible_are_refused_or_changed(void **state)
{
    struct place *place = *state;
    struct legacy_service services[4] = {wallet, wallet, wallet, wallet};
    struct migration_rename renames[] = {
        {SLICE("a\0b"), "ab", false}, {SLICE("wallet"), "purse", false}, {SLICE("x"), "y", false}};
    services[1].name = SLICE("a\0b");
    services[2].name = SLICE("a b");
    services[3].name = SLICE("");
    tell_services(place, services, 4);
    run(place);
    assert_tally(&place->report.services, 1, 0, 3);
    assert_int_equal(place->report.names_refused, 3);
    place->options.renames = renames;
    place->options.rename_count = COUNT(renames);
    run(place);
    assert_tally(&place->report.services, 2, 0, 2);
    assert_true(renames[0].used && renames[1].used && !renames[2].used);
    const struct kept kept = services_of(place);
    assert_string_equal(kept.services[0].name, "wallet");
    assert_string_equal(kept.services[1].name, "purse");
    assert_string_equal(kept.services[2].name, "ab");
}

static void clients_keep_totals_and_snapshots(void **state)
{
    struct place *place = *state;
    const struct legacy_client clients[] = {
        {{{1}}, {.rewarded = {{40, 41}}, .snapshot = {{10, 11}}, .has_snapshot = true}},
        {{{2}}, {.rewarded = {{5, 6}}, .snapshot = {{7, 6}}, .has_snapshot = true}},
        {{{3}}, {.rewarded = {{0, LEGACY_COUNT_MAX * 2}}}},
    };
    struct kept kept = {0};
    place->script.clients = clients;
    place->script.client_count = COUNT(clients);
    run(place);
    assert_true(store_each_client(place->store, RECORDS_MAX, keep_client, &kept, &place->error));
    assert_int_equal(kept.count, 3);
    for (size_t i = 0; i < kept.count; i++) {
        const struct client_totals *totals = &kept.clients[i].totals;
        const size_t number = kept.clients[i].account.key[0] - 1;
        assert_memory_equal(&totals->rewarded, &clients[number].totals.rewarded,
                            sizeof totals->rewarded);
        assert_int_equal(totals->has_snapshot, number < 2);
        assert_int_equal(totals->snapshot.of[WORK_PRECACHE], number == 0   ? 10
                                                             : number == 1 ? 5
                                                                           : 0);
    }
    assert_int_equal(place->report.warnings, 1);
    run(place);
    assert_tally(&place->report.clients, 0, 3, 0);
}

static void totals_are_added_once(void **state)
{
    struct place *place = *state;
    struct work_counts totals;
    run(place);
    assert_tally(&place->report.totals, 0, 0, 0);
    place->script.totals = (struct work_counts){{93512, 23351}};
    run(place);
    assert_tally(&place->report.totals, 1, 0, 0);
    run(place);
    assert_tally(&place->report.totals, 0, 1, 0);
    assert_true(store_totals(place->store, &totals, &place->error));
    assert_int_equal(totals.of[WORK_PRECACHE], 93512);
}

static uint64_t find_nonce(const struct root *root, uint64_t threshold, bool valid)
{
    uint64_t nonce = 0;
    while (work_valid(nonce, root, threshold) != valid)
        nonce++;
    return nonce;
}

static void works_are_checked_and_live_on(void **state)
{
    struct place *place = *state;
    struct legacy_work works[2] = {{.root = {{1}}, .type = WORK_ONDEMAND, .left_ms = 5000},
                                   {.root = {{2}}, .type = WORK_PRECACHE, .left_ms = 5000}};
    struct kept kept = {0};
    works[0].nonce = find_nonce(&works[0].root, place->options.threshold, true);
    works[1].nonce = find_nonce(&works[1].root, place->options.threshold, false);
    place->script.works = works;
    place->script.work_count = 2;
    run(place);
    assert_tally(&place->report.works, 1, 0, 1);
    assert_true(store_each_work(place->store, 1, RECORDS_MAX, keep_work, &kept, &place->error));
    assert_int_equal(kept.count, 1);
    assert_int_equal(kept.works[0].nonce, works[0].nonce);
    assert_int_equal(kept.works[0].type, WORK_ONDEMAND);
    assert_int_equal(kept.works[0].expires_ms, NOW_MS + 5000);
    run(place);
    assert_tally(&place->report.works, 0, 1, 1);
}

static void accounts_need_somebody_to_belong_to(void **state)
{
    struct place *place = *state;
    const struct legacy_account accounts[] = {{{{1}}, {{2}}, 1000}, {{{3}}, {{0}}, 1000}};
    struct kept kept = {0};
    tell_services(place, &wallet, 1);
    place->script.accounts = accounts;
    place->script.account_count = 2;
    place->options.accounts_to = "nobody";
    assert_false(migration_run(&place->options, &place->report, &place->error));
    assert_int_equal(place->error.code, ERROR_NOT_FOUND);
    assert_int_equal(services_of(place).count, 0);
    place->options.accounts_to = NULL;
    run(place);
    assert_tally(&place->report.accounts, 0, 0, 2);
    place->options.accounts_to = "wallet";
    run(place);
    assert_tally(&place->report.accounts, 1, 0, 1);
    assert_true(store_each_frontier(place->store, 1, keep_frontier, &kept, &place->error));
    assert_int_equal(kept.count, 1);
    assert_int_equal(kept.frontiers[0].service_id, services_of(place).services[0].id);
    assert_int_equal(kept.frontiers[0].expires_ms, NOW_MS + 1000);
    assert_int_equal(kept.frontiers[0].used_ms, NOW_MS + 1000 - LEGACY_ACCOUNT_MS);
}

static void a_source_that_fails_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct work_counts totals;
    tell_services(place, &wallet, 1);
    place->script.totals = (struct work_counts){{1, 2}};
    place->script.fails = true;
    assert_false(migration_run(&place->options, &place->report, &place->error));
    assert_string_equal(place->error.text, "the source is gone");
    assert_int_equal(services_of(place).count, 0);
    assert_true(store_totals(place->store, &totals, &place->error));
    assert_int_equal(totals.of[WORK_ONDEMAND], 0);
    place->script.fails = false;
    run(place);
    assert_tally(&place->report.services, 1, 0, 0);
    assert_tally(&place->report.totals, 1, 0, 0);
}

static void no_line_yet(void *context)
{
    *(size_t *)context = 0;
}

static void count_audit(void *context, const struct audit_record *record)
{
    assert_string_equal(record->command, "migrate");
    ++*(size_t *)context;
}

static void the_audit_log_says_once_that_something_was_imported(void **state)
{
    struct place *place = *state;
    const struct audit_record audit = {.at_ms = 1, .actor = "me", .command = "migrate"};
    size_t lines = 0;
    struct store_op read = {
        .kind = STORE_READ_AUDIT,
        .read = {.limit = 9, .begin = no_line_yet, .visit.audit = count_audit, .context = &lines}};
    tell_services(place, &wallet, 1);
    place->script.totals = (struct work_counts){{1, 2}};
    place->options.audit = &audit;
    run(place);
    run(place);
    assert_true(store_apply(place->store, &read, &place->error));
    assert_int_equal(lines, 1);
}

static void faults_of_the_source_are_counted(void **state)
{
    struct place *place = *state;
    place->script.faults = 250;
    run(place);
    assert_int_equal(place->report.warnings, 250);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_service_keeps_its_name_key_and_counts),
        TEST(websites_get_a_scheme_or_are_left_out),
        TEST(displays_are_cut_to_whole_readable_characters),
        TEST(services_without_a_key_cannot_log_in_until_they_get_one),
        TEST(names_that_are_not_possible_are_refused_or_changed),
        TEST(clients_keep_totals_and_snapshots),
        TEST(totals_are_added_once),
        TEST(works_are_checked_and_live_on),
        TEST(accounts_need_somebody_to_belong_to),
        TEST(a_source_that_fails_leaves_nothing),
        TEST(the_audit_log_says_once_that_something_was_imported),
        TEST(faults_of_the_source_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
