/* services, answer: small parts without I/O. */
#include "test.h"

#include "hub/answer.h"
#include "hub/services.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct service_record record_named(const char *name, int64_t id, double rate)
{
    struct service_record record = {.id = id, .rate_per_s = rate, .weight = 1, .unlimited = true};
    (void)snprintf(record.name, sizeof record.name, "%s", name);
    return record;
}

static enum admission admit(struct service *service, uint64_t now_us, uint64_t timeout_us,
                            uint64_t *start_us, unsigned *retry_after_s)
{
    const struct service_demand demand = {.now_us = now_us, .timeout_us = timeout_us};
    return service_admit(service, &demand, start_us, retry_after_s);
}

static void services_are_found_by_name_and_number(void **state)
{
    (void)state;
    struct error error;
    struct services *services = services_create(&error);
    for (int i = 0; i < 100; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "s%d", i);
        const struct service_record record = record_named(name, i + 1, 1);
        assert_true(services_add(services, &record, &error));
    }
    const struct service_record again = record_named("s5", 1000, 1);
    assert_false(services_add(services, &again, &error));
    assert_int_equal(error.code, ERROR_EXISTS);
    assert_int_equal(services_count(services), 100);
    assert_ptr_equal(services_find(services, "s5"), services_by_id(services, 6));
    assert_ptr_equal(services_at(services, 5), services_find(services, "s5"));
    assert_null(services_find(services, "s100"));
    assert_null(services_by_id(services, 1000));
    services_destroy(services);
    services_destroy(NULL);
}

static void a_rate_that_cannot_be_counted_with_is_the_usual_one(void **state)
{
    (void)state;
    static const double rates[] = {0, -1, 1e-300, HUGE_VAL, -HUGE_VAL};
    struct error error;
    struct services *services = services_create(&error);
    for (size_t i = 0; i < COUNT(rates); i++) {
        struct service_record record = record_named("s", 1, rates[i]);
        record.weight = rates[i];
        assert_true(services_add(services, &record, &error));
        struct service *service = services_find(services, "s");
        assert_true(service->record.rate_per_s == SERVICE_RATE_DEFAULT);
        assert_true(service->record.weight == 1);
        services_remove(services, service);
    }
    services_destroy(services);
}

static void names_rates_and_websites_have_limits(void **state)
{
    (void)state;
    static const char *const good_names[] = {"a", "A-b_c.9"};
    static const char *const bad_names[] = {"", "a b", "a/b", "\xc3\xa9", "a\n"};
    static const char *const good_sites[] = {"", "http://a", "https://a.b/c?d=e#f"};
    static const char *const bad_sites[] = {"a.b",        "javascript:alert(1)", "https://",
                                            "http://a b", "https://a\"b",        "https://a<b",
                                            "ftp://a",    "http://a\n"};
    char longest[66];
    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < COUNT(good_names); i++)
        assert_true(service_name_valid(slice_of(good_names[i])));
    for (size_t i = 0; i < COUNT(bad_names); i++)
        assert_false(service_name_valid(slice_of(bad_names[i])));
    assert_true(service_name_valid((struct slice){longest, 64}));
    assert_false(service_name_valid((struct slice){longest, 65}));
    for (size_t i = 0; i < COUNT(good_sites); i++)
        assert_true(service_website_valid(slice_of(good_sites[i])));
    for (size_t i = 0; i < COUNT(bad_sites); i++)
        assert_false(service_website_valid(slice_of(bad_sites[i])));
    assert_true(service_rate_valid(0.01) && service_rate_valid(1e6));
    assert_false(service_rate_valid(0) || service_rate_valid(1e7) || service_rate_valid(-1));
}

static void a_rested_service_has_a_burst_and_then_its_rate(void **state)
{
    (void)state;
    struct service service = {.record = record_named("s", 1, 10)};
    const uint64_t now_us = 1000000000;
    uint64_t start_us;
    unsigned retry_after_s;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(admit(&service, now_us, 1000000, &start_us, &retry_after_s),
                         ADMISSION_OPEN);
        assert_int_equal(start_us, now_us);
    }
    for (uint64_t i = 1; i < 10; i++) {
        assert_int_equal(admit(&service, now_us, 1000000, &start_us, &retry_after_s),
                         ADMISSION_OPEN);
        assert_int_equal(start_us, now_us + i * 100000);
    }
    assert_int_equal(admit(&service, now_us, 1000000, &start_us, &retry_after_s),
                     ADMISSION_TOO_MANY);
    assert_int_equal(retry_after_s, 1);
    assert_int_equal(admit(&service, now_us + 300000, 1000000, &start_us, &retry_after_s),
                     ADMISSION_OPEN);
    assert_int_equal(service.open, 30);
    service_release(&service);
    assert_int_equal(service.open, 29);
}

static void a_slow_rate_holds_from_the_second_request_on(void **state)
{
    (void)state;
    struct service service = {.record = record_named("s", 1, 0.1)};
    uint64_t start_us;
    unsigned retry_after_s;
    assert_int_equal(admit(&service, 1000000000, 5000000, &start_us, &retry_after_s),
                     ADMISSION_OPEN);
    assert_int_equal(start_us, 1000000000);
    assert_int_equal(admit(&service, 1000000000, 5000000, &start_us, &retry_after_s),
                     ADMISSION_TOO_MANY);
    assert_int_equal(retry_after_s, 6);
    assert_int_equal(admit(&service, 1000000000, 30000000, &start_us, &retry_after_s),
                     ADMISSION_OPEN);
    assert_int_equal(start_us, 1010000000);
}

static void a_service_has_only_so_many_requests_in_hand(void **state)
{
    (void)state;
    struct service service = {.record = record_named("s", 1, 1e6)};
    uint64_t start_us;
    unsigned retry_after_s;
    for (int i = 0; i < SERVICE_OPEN_MAX; i++)
        assert_int_equal(admit(&service, 1000000000, 5000000, &start_us, &retry_after_s),
                         ADMISSION_OPEN);
    assert_int_equal(admit(&service, 1000000000, 5000000, &start_us, &retry_after_s),
                     ADMISSION_TOO_MANY);
    assert_int_equal(retry_after_s, 1);
}

static void each_request_in_hand_promises_a_credit(void **state)
{
    (void)state;
    struct service service = {.record = record_named("s", 1, 1000)};
    service.record.unlimited = false;
    service.record.credits = 2;
    uint64_t start_us;
    unsigned retry_after_s;
    struct service_demand demand = {.now_us = 1000000000, .timeout_us = 1000000};
    assert_int_equal(service_admit(&service, &demand, &start_us, &retry_after_s), ADMISSION_OPEN);
    assert_int_equal(service_admit(&service, &demand, &start_us, &retry_after_s), ADMISSION_OPEN);
    assert_int_equal(service_admit(&service, &demand, &start_us, &retry_after_s),
                     ADMISSION_NO_CREDIT);
    demand.cached = true;
    assert_int_equal(service_admit(&service, &demand, &start_us, &retry_after_s), ADMISSION_OPEN);
    service_release(&service);
    service_release(&service);
    demand.cached = false;
    assert_int_equal(service_admit(&service, &demand, &start_us, &retry_after_s), ADMISSION_OPEN);
    service.record.credits = 0;
    assert_int_equal(service_admit(&service, &demand, &start_us, &retry_after_s),
                     ADMISSION_NO_CREDIT);
}

static void a_weight_gives_a_share_of_the_requests_in_hand(void **state)
{
    (void)state;
    struct service service = {.record = record_named("s", 1, 1e6)};
    uint64_t start_us;
    unsigned retry_after_s;
    service.record.weight = 0.01;
    for (int i = 0; i < 41; i++)
        assert_int_equal(admit(&service, 1000000000, 5000000, &start_us, &retry_after_s),
                         ADMISSION_OPEN);
    assert_int_equal(admit(&service, 1000000000, 5000000, &start_us, &retry_after_s),
                     ADMISSION_TOO_MANY);
    assert_true(service_weight_valid(0.01) && service_weight_valid(100));
    assert_false(service_weight_valid(0) || service_weight_valid(101) || service_weight_valid(NAN));
}

static void a_ban_ends_by_the_wall_clock(void **state)
{
    (void)state;
    struct service service = {.record = record_named("s", 1, 1)};
    assert_false(service_banned(&service, 0));
    service.record.ban.until_ms = 1000;
    assert_true(service_banned(&service, 999));
    assert_false(service_banned(&service, 1000));
    service.record.ban.until_ms = STORE_FOREVER_MS;
    assert_true(service_banned(&service, INT64_MAX - 1));
}

static void a_removed_service_lives_until_its_last_request(void **state)
{
    (void)state;
    struct error error;
    struct services *services = services_create(&error);
    for (int i = 0; i < 3; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s%d",
                       i == 1 ? "a-name-of-more-than-thirty-one-characters" : "s", i);
        const struct service_record record = record_named(name, i + 1, 1000);
        assert_true(services_add(services, &record, &error));
    }
    struct service *busy = services_find(services, "s0");
    uint64_t start_us;
    unsigned retry_after_s;
    assert_int_equal(admit(busy, 1000000000, 5000000, &start_us, &retry_after_s), ADMISSION_OPEN);
    services_remove(services, busy);
    assert_null(services_find(services, "s0"));
    assert_null(services_by_id(services, 1));
    assert_int_equal(services_count(services), 2);
    struct service *named = services_find(services, "a-name-of-more-than-thirty-one-characters1");
    assert_non_null(named);
    services_remove(services, named);
    assert_int_equal(services_count(services), 1);
    assert_ptr_equal(services_at(services, 0), services_find(services, "s2"));
    service_release(busy);
    services_destroy(services);
}

static void answers_have_the_keys_of_the_protocol_and_the_id_to_the_letter(void **state)
{
    (void)state;
    char data[ANSWER_ROOM + 512];
    struct root root = {{0xab}};
    const struct answer_frame none = {{NULL, 0}, 0};
    size_t length = answer_work(data, &root, 0x2bf29ef00786a6bc, false, &none);
    assert_int_equal(length, strlen(data));
    char expected[160];
    char hash[65];
    root_format(&root, hash);
    (void)snprintf(expected, sizeof expected, "{\"work\":\"2bf29ef00786a6bc\",\"hash\":\"%s\"}",
                   hash);
    assert_string_equal(data, expected);
    (void)answer_error(data, "No \"x\"", &(struct answer_frame){slice_of("[1, 2.50]"), 0});
    assert_string_equal(data, "{\"error\":\"No \\\"x\\\"\",\"id\":[1, 2.50]}");
    (void)answer_timeout(data, &(struct answer_frame){slice_of("0"), 0});
    assert_string_equal(data,
                        "{\"error\":\"Timeout reached without work\",\"timeout\":true,\"id\":0}");
    (void)answer_too_many(data, 3, &none);
    assert_string_equal(data, "{\"error\":\"Too many requests\",\"retry_after\":3}");
    (void)answer_internal(data, 1700000000123456, 42, &(struct answer_frame){slice_of("null"), 0});
    assert_non_null(strstr(data,
                           "{\"error\":\"Unknown error, please report the following timestamp to "
                           "the maintainers: 2023-11-1"));
    assert_non_null(strstr(data, ".123456 42\",\"id\":null}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_found_by_name_and_number),
        cmocka_unit_test(a_rate_that_cannot_be_counted_with_is_the_usual_one),
        cmocka_unit_test(names_rates_and_websites_have_limits),
        cmocka_unit_test(a_rested_service_has_a_burst_and_then_its_rate),
        cmocka_unit_test(a_slow_rate_holds_from_the_second_request_on),
        cmocka_unit_test(a_service_has_only_so_many_requests_in_hand),
        cmocka_unit_test(each_request_in_hand_promises_a_credit),
        cmocka_unit_test(a_weight_gives_a_share_of_the_requests_in_hand),
        cmocka_unit_test(a_ban_ends_by_the_wall_clock),
        cmocka_unit_test(a_removed_service_lives_until_its_last_request),
        cmocka_unit_test(answers_have_the_keys_of_the_protocol_and_the_id_to_the_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
