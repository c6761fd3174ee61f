#include "test.h"

#include "base/json.h"
#include "node/frontiers_reply.h"

#include <string.h>

#define FIRST "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
#define FIRST_OLD "xrb_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
#define SECOND "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9"
#define THIRD "nano_1dzcca9ycmtx3q79mocmu95zdduxptp3gp5fqkmb1ownscpweggzah8cb4rb"
#define HASH "81991F4544E61BA7B3FCB9AC045EBEACDBE3304ED7150D92C994FE22F2900F93"

enum { U = FRONTIER_UNKNOWN, K = FRONTIER_KNOWN, N = FRONTIER_UNOPENED };

static void ask_two(struct frontier_question questions[2])
{
    memset(questions, 0, 2 * sizeof *questions);
    assert_int_equal(account_parse(slice_of(FIRST), &questions[0].account), ACCOUNT_OK);
    assert_int_equal(account_parse(slice_of(SECOND), &questions[1].account), ACCOUNT_OK);
}

static void answers_of_every_version_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int answers[2];
    } cases[] = {
        {"{\"frontiers\":{\"" FIRST "\":\"" HASH "\",\"" SECOND "\":\"" HASH "\"}}", {K, K}},
        {"{\"frontiers\":{\"" FIRST "\":\"" HASH "\"}}", {K, U}},
        {"{\"frontiers\":{\"" FIRST_OLD "\":\"" HASH "\"}}", {K, U}},
        {"{\"frontiers\":\"\"}", {U, U}},
        {"{\"frontiers\":{}}", {U, U}},
        {"{\"frontiers\":{\"" SECOND "\":\"error: Account not found\"}}", {U, N}},
        {"{\"frontiers\":{\"" SECOND "\":\"error: Bad account number\"}}", {U, U}},
        {"{\"frontiers\":{\"" FIRST "\":\"" HASH "\"},"
         "\"errors\":{\"" SECOND "\":\"Account not found\"}}",
         {K, N}},
        {"{\"errors\":{\"" SECOND "\":\"Account not found\"}}", {U, N}},
        {"{\"frontiers\":\"\",\"errors\":\"\"}", {U, U}},
        {"{\"frontiers\":{\"" THIRD "\":\"" HASH "\",\"x\":\"" HASH "\",\"\":1},\"more\":[]}",
         {U, U}},
        {"{\"frontiers\":{\"" FIRST "\":7,\"" SECOND "\":\"00\"}}", {U, U}},
        {"{\"frontiers\":{\"" FIRST "\":[\"" HASH "\"],\"" SECOND "\":\"" HASH "0\"}}", {U, U}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct frontier_question questions[2];
        ask_two(questions);
        assert_null(frontiers_read(slice_of(cases[i].body), questions, 2));
        for (int q = 0; q < 2; q++)
            if ((int)questions[q].answer != cases[i].answers[q])
                fail_msg("%s: %d", cases[i].body, q);
    }
}

static void what_is_no_answer_is_said_to_be_none(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "{",
        "{}",
        "{\"error\":\"Unable to parse JSON\"}",
        "{\"frontiers\":\"\",\"error\":\"x\"}",
        "{\"frontiers\":[]}",
        "{\"frontiers\":\"x\"}",
        "{\"errors\":7}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct frontier_question questions[2];
        ask_two(questions);
        assert_non_null(frontiers_read(slice_of(bodies[i]), questions, 2));
    }
}

static void a_question_of_the_most_accounts_fits(void **state)
{
    (void)state;
    struct frontier_question questions[FRONTIERS_MAX];
    char body[FRONTIERS_BODY_SIZE];
    struct json_object object;
    for (size_t i = 0; i < FRONTIERS_MAX; i++)
        memset(questions[i].account.key, (int)(0xff - i), 32);
    const size_t length = frontiers_write(questions, FRONTIERS_MAX, body);
    assert_int_equal(json_read_object((struct slice){body, length}, &object), JSON_OK);
    assert_true(slice_is(json_find(&object, "action").text, "\"accounts_frontiers\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_every_version_are_read),
        cmocka_unit_test(what_is_no_answer_is_said_to_be_none),
        cmocka_unit_test(a_question_of_the_most_accounts_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
