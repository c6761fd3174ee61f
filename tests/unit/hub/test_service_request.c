/* The table of dpow.md 3.1 and 3.2: one row a check and text. */
#include "test.h"

#include "hub/service_request.h"

#include <stdio.h>
#include <string.h>

#define HASH "718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2"
#define ACCOUNT "3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
#define LOGIN "\"user\":\"u\",\"api_key\":\"k\""
#define BEGIN "{" LOGIN ",\"hash\":\"" HASH "\""
#define TOO_HIGH "Difficulty too high. Maximum: fffffffe66666667 ( 5.0 multiplier )"
#define TOO_LOW "Difficulty too low. Minimum: 1.0"
#define BAD_TIMEOUT "Timeout must be an integer between 1 and 30"
#define BAD_JSON "Bad request (not json)"
#define MISSING "Incorrect submission. Required information: user, api_key, hash"

static struct service_limits limits(void)
{
    return (struct service_limits){network_find("live"), 0xfffffff800000000, 5.0, false};
}

/* Reads and checks; the error's text, or "" if the request is right. */
static const char *outcome(const char *text, struct service_request *request)
{
    static char error[SERVICE_ERROR_SIZE];
    static struct json_object object;
    static struct service_credentials credentials;
    const struct service_limits allowed = limits();
    error[0] = '\0';
    if (service_request_read(slice_of(text), &object, &credentials, error))
        (void)service_request_check(&object, &allowed, request, error);
    return error;
}

static void each_check_has_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"", BAD_JSON},
        {"hash=1&user=2", BAD_JSON},
        {"[]", BAD_JSON},
        {"null", BAD_JSON},
        {"{}", MISSING},
        {"{" LOGIN "}", MISSING},
        {"{\"user\":\"u\",\"hash\":\"" HASH "\"}", MISSING},
        {"{\"api_key\":\"k\",\"hash\":\"" HASH "\"}", MISSING},
        {BEGIN "}", ""},
        {BEGIN ",\"test\":{\"a\":[1]}}", ""},
        {BEGIN ",\"multiplier\":\"x\"}", "Multiplier must be a float"},
        {BEGIN ",\"multiplier\":[]}", "Multiplier must be a float"},
        {BEGIN ",\"multiplier\":true}", "Multiplier must be a float"},
        {BEGIN ",\"multiplier\":\"0x2\"}", "Multiplier must be a float"},
        {BEGIN ",\"multiplier\":\" \"}", "Multiplier must be a float"},
        {BEGIN ",\"multiplier\":-1}", TOO_LOW},
        {BEGIN ",\"multiplier\":\"0\"}", TOO_LOW},
        {BEGIN ",\"multiplier\":\"nan\"}", TOO_LOW},
        {BEGIN ",\"multiplier\":\"inf\"}", TOO_LOW},
        {BEGIN ",\"multiplier\":1e999}", TOO_LOW},
        {BEGIN ",\"multiplier\":0.99}", TOO_LOW},
        {BEGIN ",\"multiplier\":1e-300}", TOO_LOW},
        {BEGIN ",\"multiplier\":5.0001}", TOO_HIGH},
        {BEGIN ",\"multiplier\":1e300}", TOO_HIGH},
        {BEGIN ",\"multiplier\":5}", ""},
        {BEGIN ",\"multiplier\":1}", ""},
        {BEGIN ",\"multiplier\":0}", ""},
        {BEGIN ",\"multiplier\":null}", ""},
        {BEGIN ",\"multiplier\":\"\"}", ""},
        {BEGIN ",\"multiplier\":\" 2.5 \"}", ""},
        {"{" LOGIN ",\"hash\":1}", "Invalid hash"},
        {"{" LOGIN ",\"hash\":null}", "Invalid hash"},
        {"{" LOGIN ",\"hash\":\"\"}", "Invalid hash"},
        {"{" LOGIN ",\"hash\":\"" HASH "0\"}", "Invalid hash"},
        {"{" LOGIN
         ",\"hash\":\"X18CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2\"}",
         "Invalid hash"},
        {BEGIN ",\"account\":\"nano_" ACCOUNT "\"}", ""},
        {BEGIN ",\"account\":\"xrb_" ACCOUNT "\"}", ""},
        {BEGIN ",\"account\":null}", ""},
        {BEGIN ",\"account\":\"\"}", ""},
        {BEGIN ",\"account\":\"nano_" ACCOUNT "1\"}", "Invalid account"},
        {BEGIN ",\"account\":\"nano_1111\"}", "Invalid account"},
        {BEGIN ",\"account\":5}", "Invalid account"},
        {BEGIN ",\"difficulty\":\"x\"}", "Difficulty too low"},
        {BEGIN ",\"difficulty\":\"fffffff80000000\"}", "Difficulty too low"},
        {BEGIN ",\"difficulty\":\"0xfffffff800000000\"}", "Difficulty too low"},
        {BEGIN ",\"difficulty\":5}", "Difficulty too low"},
        {BEGIN ",\"difficulty\":\"\xc3\xa9\"}", "Invalid difficulty"},
        {BEGIN ",\"difficulty\":\"fffffff7ffffffff\"}", TOO_LOW},
        {BEGIN ",\"difficulty\":\"fffffff800000000\"}", ""},
        {BEGIN ",\"difficulty\":\"FFFFFFFE66666667\"}", ""},
        {BEGIN ",\"difficulty\":\"fffffffe66666668\"}", TOO_HIGH},
        {BEGIN ",\"difficulty\":null}", ""},
        {BEGIN ",\"multiplier\":2,\"difficulty\":\"x\"}", ""},
        {BEGIN ",\"class\":\"open\"}", "Class must be send or receive"},
        {BEGIN ",\"class\":5}", "Class must be send or receive"},
        {BEGIN ",\"class\":\"receive\",\"multiplier\":0.015625}", ""},
        {BEGIN ",\"class\":\"receive\",\"multiplier\":0.0156}",
         "Difficulty too low. Minimum: 0.015625"},
        {BEGIN ",\"class\":\"receive\",\"difficulty\":\"fffffdffffffffff\"}",
         "Difficulty too low. Minimum: 0.015625"},
        {BEGIN ",\"class\":\"send\",\"multiplier\":0.5}", TOO_LOW},
        {BEGIN ",\"timeout\":0}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":0.99}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":-1}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":31}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":null}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":\"\"}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":\"x\"}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":\"nan\"}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":true}", BAD_TIMEOUT},
        {BEGIN ",\"timeout\":1}", ""},
        {BEGIN ",\"timeout\":30.9}", ""},
        {BEGIN ",\"timeout\":\"5\"}", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct service_request request = {0};
        if (strcmp(outcome(rows[i].text, &request), rows[i].error) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", rows[i].text, outcome(rows[i].text, &request),
                     rows[i].error);
    }
}

static void the_first_fault_in_the_order_of_the_checks_is_told(void **state)
{
    (void)state;
    struct service_request request = {0};
    assert_string_equal(
        outcome("{" LOGIN ",\"hash\":1,\"multiplier\":\"x\",\"timeout\":0}", &request),
        "Multiplier must be a float");
    assert_string_equal(outcome("{" LOGIN ",\"hash\":1,\"account\":1,\"timeout\":0}", &request),
                        "Invalid hash");
    assert_string_equal(outcome(BEGIN ",\"account\":1,\"difficulty\":1,\"timeout\":0}", &request),
                        "Invalid account");
    assert_string_equal(outcome(BEGIN ",\"difficulty\":1,\"timeout\":0}", &request),
                        "Difficulty too low");
    assert_string_equal(outcome(BEGIN ",\"multiplier\":6,\"timeout\":0}", &request), TOO_HIGH);
}

static void a_right_request_has_its_values(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        uint64_t threshold;
        unsigned timeout_s;
    } rows[] = {
        {"", 0xfffffff800000000, 5},
        {",\"multiplier\":5", 0xfffffffe66666667, 5},
        {",\"multiplier\":\"1.5\"", 0xfffffffaaaaaaaab, 5},
        {",\"difficulty\":\"fffffffc00000000\"", 0xfffffffc00000000, 5},
        {",\"difficulty\":\"fffffffc00000000\",\"multiplier\":1", 0xfffffff800000000, 5},
        {",\"class\":\"receive\"", 0xfffffe0000000000, 5},
        {",\"class\":\"receive\",\"multiplier\":1", 0xfffffff800000000, 5},
        {",\"timeout\":1.9", 0xfffffff800000000, 1},
        {",\"timeout\":\"30.9\"", 0xfffffff800000000, 30},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[512];
        struct service_request request = {0};
        (void)snprintf(text, sizeof text, BEGIN "%s}", rows[i].fields);
        assert_string_equal(outcome(text, &request), "");
        assert_true(request.threshold == rows[i].threshold);
        assert_int_equal(request.timeout_s, rows[i].timeout_s);
        assert_int_equal(request.root.bytes[0], 0x71);
        assert_false(request.has_account);
    }
}

static void escapes_and_old_prefixes_mean_the_same(void **state)
{
    (void)state;
    struct service_request request = {0};
    struct service_request plain = {0};
    assert_string_equal(outcome(BEGIN ",\"account\":\"nano_" ACCOUNT "\"}", &plain), "");
    assert_string_equal(
        outcome("{\"\\u0068ash\":\"\\u003718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C99"
                "5D79E2\"," LOGIN ",\"account\":\"xrb_" ACCOUNT "\"}",
                &request),
        "");
    assert_memory_equal(&request, &plain, sizeof plain);
    assert_true(plain.has_account);
}

static void credentials_of_a_wrong_type_or_length_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *user;
        bool well_formed;
    } rows[] = {
        {"\"u\"", true},
        {"5", false},
        {"null", false},
        {"\"u\\u0000\"", false},
        {"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[512];
        char error[SERVICE_ERROR_SIZE];
        struct json_object object;
        struct service_credentials credentials;
        (void)snprintf(text, sizeof text, "{\"user\":%s,\"api_key\":\"k\",\"hash\":1}",
                       rows[i].user);
        assert_true(service_request_read(slice_of(text), &object, &credentials, error));
        assert_int_equal(credentials.well_formed, rows[i].well_formed);
        if (rows[i].well_formed)
            assert_true(slice_is(credentials.api_key, "k"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_check_has_its_text),
        cmocka_unit_test(the_first_fault_in_the_order_of_the_checks_is_told),
        cmocka_unit_test(a_right_request_has_its_values),
        cmocka_unit_test(escapes_and_old_prefixes_mean_the_same),
        cmocka_unit_test(credentials_of_a_wrong_type_or_length_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
