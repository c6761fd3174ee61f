/* statistics: the JSON, member by member. */
#include "test.h"

#include "hub/statistics.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(1700006400000)

static const uint8_t seed[TABLE_SEED_SIZE] = {1};
static char text[STATISTICS_SIZE];

/* A pool that has done nothing, unless a test says otherwise. */
struct pool {
    struct services *services;
    struct clients *clients;
    struct series *series;
    struct hub_core_stats core;
    struct statistics_source source;
};

static void set_up(struct pool *pool)
{
    struct error error;
    memset(pool, 0, sizeof *pool);
    pool->services = services_create(&error);
    pool->clients = clients_create(1000, seed, &error);
    pool->series = series_create(&error);
    series_advance(pool->series, NOW_MS);
    pool->source = (struct statistics_source){
        .services = pool->services,
        .clients = pool->clients,
        .series = pool->series,
        .core = &pool->core,
        .moment = {NOW_MS, 7200 * INT64_C(1000000)},
        .uptime_s = 50,
        .store_works = true,
        .broker_works = true,
    };
}

static void tear_down(struct pool *pool)
{
    services_destroy(pool->services);
    clients_destroy(pool->clients);
    series_destroy(pool->series);
}

static void add_service(struct pool *pool, int number, bool is_public, const char *display,
                        const char *website)
{
    struct error error;
    struct service_record record = {.id = number + 1, .is_public = is_public, .rate_per_s = 1};
    (void)snprintf(record.name, sizeof record.name, "s%d", number);
    (void)snprintf(record.display, sizeof record.display, "%s", display);
    (void)snprintf(record.website, sizeof record.website, "%s", website);
    record.answered.of[WORK_PRECACHE] = (uint64_t)number + 1;
    record.answered.of[WORK_ONDEMAND] = 10;
    assert_true(services_add(pool->services, &record, &error));
}

static size_t write(const struct pool *pool, enum statistics_extent extent)
{
    const size_t length = statistics_write(text, &pool->source, extent);
    assert_int_equal(length, strlen(text));
    return length;
}

static struct json_object *parse(const struct pool *pool, enum statistics_extent extent)
{
    (void)write(pool, extent);
    struct json_object *object = json_tokener_parse(text);
    assert_non_null(object);
    return object;
}

/* The value at a path of names with dots between them. */
static struct json_object *at(struct json_object *object, const char *path)
{
    char names[64];
    char *rest = names;
    (void)snprintf(names, sizeof names, "%s", path);
    for (char *name = strsep(&rest, "."); name != NULL; name = strsep(&rest, "."))
        if (!json_object_object_get_ex(object, name, &object))
            fail_msg("no %s", path);
    return object;
}

static double number(struct json_object *object, const char *path)
{
    return json_object_get_double(at(object, path));
}

static void the_original_comes_first_and_unchanged(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"services\":{\"public\":[{\"display\":\"<b>\\\"\",\"website\":\"https://e.org\","
        "\"precache\":2,\"ondemand\":10}],\"private\":{\"count\":2,\"precache\":4,"
        "\"ondemand\":20}},\"work\":{\"precache\":7,\"ondemand\":9},\"version\":";
    struct pool pool;
    set_up(&pool);
    pool.core.rewarded = (struct work_counts){{7, 9}};
    for (int i = 0; i < 3; i++)
        add_service(&pool, i, i == 1, "<b>\"", "https://e.org");
    for (int extent = STATISTICS_BRIEF; extent <= STATISTICS_FULL; extent++) {
        (void)write(&pool, (enum statistics_extent)extent);
        assert_memory_equal(text, expected, sizeof expected - 1);
    }
    tear_down(&pool);
}

static void a_pool_that_has_done_nothing_has_all_members(void **state)
{
    (void)state;
    static const char *const both[] = {"version",
                                       "time",
                                       "uptime_s",
                                       "state.hub",
                                       "workers.accounts_active_60min",
                                       "requests.last_minute.total",
                                       "requests.previous_24h.refused",
                                       "multiplier",
                                       "precache.chains"};
    static const char *const full[] = {"response_ms.precache.last_hour.p50", "clients", "series"};
    struct pool pool;
    struct json_object *ignored;
    set_up(&pool);
    struct json_object *object = parse(&pool, STATISTICS_FULL);
    for (size_t i = 0; i < COUNT(both); i++)
        (void)at(object, both[i]);
    for (size_t i = 0; i < COUNT(full); i++)
        (void)at(object, full[i]);
    assert_null(at(object, "requests.precache_share_24h"));
    assert_null(at(object, "multiplier.average_30min"));
    assert_int_equal(json_object_array_length(at(object, "series.minutes")), 60);
    assert_int_equal(json_object_array_length(at(object, "series.hours")), 24);
    assert_int_equal(json_object_array_length(at(object, "series.days")), 30);
    json_object_put(object);
    object = parse(&pool, STATISTICS_BRIEF);
    for (size_t i = 0; i < COUNT(both); i++)
        (void)at(object, both[i]);
    assert_false(json_object_object_get_ex(object, "series", &ignored));
    assert_false(json_object_object_get_ex(object, "clients", &ignored));
    json_object_put(object);
    tear_down(&pool);
}

static void numbers_are_what_happened(void **state)
{
    (void)state;
    struct pool pool;
    set_up(&pool);
    const struct account account = {{0xab}};
    const struct client_totals totals = {.rewarded.of = {2, 3}, .hashes.of = {32, 48}};
    clients_reward(pool.clients, &pool.source.moment, &account, &totals);
    for (int i = 0; i < 4; i++)
        series_record_request(pool.series, NOW_MS - 25 * 3600000,
                              &(struct series_request){.outcome = SERIES_TIMEOUT});
    for (uint64_t i = 1; i <= 4; i++)
        series_record_request(pool.series, NOW_MS,
                              &(struct series_request){SERIES_ANSWERED,
                                                       i == 1 ? WORK_PRECACHE : WORK_ONDEMAND,
                                                       (double)i, i * 50});
    series_record_reward(pool.series, NOW_MS, WORK_ONDEMAND, 1000);
    series_record_request(pool.series, NOW_MS, &(struct series_request){.outcome = SERIES_REFUSED});
    pool.core.chains = 11;
    pool.core.precache_used = 12;
    pool.source.store_works = false;
    struct json_object *object = parse(&pool, STATISTICS_FULL);
    const struct {
        const char *path;
        double expected;
    } rows[] = {
        {"time", 1700006400},
        {"uptime_s", 50},
        {"workers.accounts_active_60min", 1},
        {"workers.accounts_total", 1},
        {"workers.hashes_per_s", 20},
        {"requests.last_minute.total", 5},
        {"requests.last_hour.precache", 1},
        {"requests.last_24h.ondemand", 3},
        {"requests.last_24h.timeouts", 0},
        {"requests.last_24h.refused", 1},
        {"requests.previous_24h.total", 4},
        {"requests.previous_24h.timeouts", 4},
        {"requests.precache_share_24h", 0.25},
        {"multiplier.average_30min", 2.5},
        {"response_ms.precache.last_hour.p99", 0.05},
        {"response_ms.ondemand.last_24h.p50", 0.15},
        {"precache.chains", 11},
        {"precache.used", 12},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (number(object, rows[i].path) != rows[i].expected)
            fail_msg("%s is %g", rows[i].path, number(object, rows[i].path));
    assert_string_equal(json_object_get_string(at(object, "state.hub")), "failing");
    struct json_object *client = json_object_array_get_idx(at(object, "clients"), 0);
    assert_int_equal(number(client, "hashes"), 80);
    assert_int_equal(number(client, "last"), 1700006400);
    assert_string_equal(json_object_to_json_string_ext(
                            json_object_array_get_idx(at(object, "series.minutes"), 59), 0),
                        "[1700006400,1,3,0,1,0,1,0.1,0.2,0.2]");
    json_object_put(object);
    tear_down(&pool);
}

/* Defect 20: many services, or hostile ones, cut the list and stop nothing. */
static void services_that_do_not_fit_are_summed(void **state)
{
    (void)state;
    enum { SERVICES = 3000 };
    char display[SERVICE_DISPLAY_SIZE];
    struct pool pool;
    uint64_t sum = 0;
    set_up(&pool);
    memset(display, 1, sizeof display - 1); /* each byte becomes six */
    display[sizeof display - 1] = '\0';
    for (int i = 0; i < SERVICES; i++)
        add_service(&pool, i, true, i % 2 == 0 ? display : "\xff\"</script>", "https://e.org");
    for (unsigned i = 0; i < 150; i++) {
        const struct account account = {{(uint8_t)i, 1}};
        const struct client_totals totals = {.rewarded.of = {UINT64_MAX / 2, i},
                                             .hashes.of = {UINT64_MAX / 2, UINT64_MAX / 2}};
        clients_reward(pool.clients, &pool.source.moment, &account, &totals);
    }
    struct json_object *object = parse(&pool, STATISTICS_FULL);
    struct json_object *listed = at(object, "services.public");
    const size_t count = json_object_array_length(listed);
    for (size_t i = 0; i < count; i++)
        sum += (uint64_t)number(json_object_array_get_idx(listed, i), "precache");
    assert_in_range(count, 100, SERVICES - 1);
    assert_int_equal(number(object, "services.left_out.count"), SERVICES - count);
    assert_int_equal(sum + (uint64_t)number(object, "services.left_out.precache"),
                     (uint64_t)SERVICES * (SERVICES + 1) / 2);
    assert_int_equal(json_object_array_length(at(object, "clients")), CLIENTS_TOP);
    assert_int_equal(json_object_array_length(at(object, "series.days")), 30);
    json_object_put(object);
    tear_down(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_original_comes_first_and_unchanged),
        cmocka_unit_test(a_pool_that_has_done_nothing_has_all_members),
        cmocka_unit_test(numbers_are_what_happened),
        cmocka_unit_test(services_that_do_not_fit_are_summed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
