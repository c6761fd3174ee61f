#include "test.h"

#include "nano/message.h"

#include <string.h>

#define HASH "718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2"
#define LOWER "718cc2121c3e641059bc1c2cfc45666c99e8ae922f7a807b7d07b62c995d79e2"
#define ACCOUNT "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"

static void only_the_protocols_topics_are_known(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "work",
                                         "work/",
                                         "work/any",
                                         "work/#",
                                         "work/ondemand/",
                                         "Work/ondemand",
                                         "client/x",
                                         "xwork/ondemand",
                                         "work/ondemandx"};
    enum message_kind kind;
    enum work_type type;
    for (int k = MESSAGE_WORK; k <= MESSAGE_CANCEL; k++) {
        for (int t = 0; t < WORK_TYPES; t++) {
            char topic[MESSAGE_TOPIC_SIZE];
            message_topic_format((enum message_kind)k, (enum work_type)t, topic);
            assert_true(message_topic_parse(slice_of(topic), &kind, &type));
            assert_int_equal(kind, k);
            assert_int_equal(type, t);
        }
    }
    char topic[MESSAGE_TOPIC_SIZE];
    message_topic_format(MESSAGE_RESULT, WORK_PRECACHE, topic);
    assert_string_equal(topic, "result/precache");
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(message_topic_parse(slice_of(others[i]), &kind, &type));
}

static void payloads_are_written_by_the_grammar_and_read_in_any_case(void **state)
{
    (void)state;
    struct root root;
    struct account account;
    uint64_t threshold = 0;
    struct message_result result;
    char work[MESSAGE_WORK_SIZE];
    char cancel[MESSAGE_CANCEL_SIZE];
    char answer[MESSAGE_RESULT_SIZE];
    assert_true(message_work_parse(slice_of(LOWER ",FFFFFFF800000000"), &root, &threshold));
    assert_true(threshold == 0xfffffff800000000);
    const size_t work_length = message_work_format(&root, threshold, work);
    assert_int_equal(work_length, strlen(work));
    assert_string_equal(work, HASH ",fffffff800000000");
    assert_true(message_cancel_parse(slice_of(LOWER), &root));
    const size_t cancel_length = message_cancel_format(&root, cancel);
    assert_int_equal(cancel_length, strlen(cancel));
    assert_string_equal(cancel, HASH);
    assert_int_equal(account_parse(slice_of(ACCOUNT), &account), ACCOUNT_OK);
    const size_t answer_length = message_result_format(&root, 0x2BF29EF00786A6BC, &account, answer);
    assert_int_equal(answer_length, strlen(answer));
    assert_string_equal(answer, HASH ",2bf29ef00786a6bc," ACCOUNT);
    assert_true(message_result_parse(slice_of(answer), &result));
    assert_true(result.nonce == 0x2bf29ef00786a6bc);
    assert_memory_equal(&result.root, &root, sizeof root);
    assert_true(slice_is(result.account, ACCOUNT));
    assert_true(message_result_parse(slice_of(HASH ",2bf29ef00786a6bc,"), &result));
    assert_int_equal(result.account.length, 0);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const works[] = {"",
                                        ",",
                                        HASH,
                                        HASH ",",
                                        HASH ",fffffff80000000",
                                        HASH ",fffffff8000000000",
                                        HASH ",fffffff800000000,",
                                        " " HASH ",fffffff800000000",
                                        HASH ",0xffffff80000000"};
    static const char *const results[] = {"",
                                          HASH,
                                          HASH ",2bf29ef00786a6bc",
                                          HASH ",2bf29ef00786a6b," ACCOUNT,
                                          HASH ",2bf29ef00786a6bc," ACCOUNT ",",
                                          "X" HASH ",2bf29ef00786a6bc," ACCOUNT};
    static const char *const cancels[] = {"", HASH "0", " " HASH, HASH ","};
    struct root root;
    uint64_t threshold;
    struct message_result result;
    for (size_t i = 0; i < COUNT(works); i++)
        assert_false(message_work_parse(slice_of(works[i]), &root, &threshold));
    for (size_t i = 0; i < COUNT(results); i++)
        assert_false(message_result_parse(slice_of(results[i]), &result));
    for (size_t i = 0; i < COUNT(cancels); i++)
        assert_false(message_cancel_parse(slice_of(cancels[i]), &root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_protocols_topics_are_known),
        cmocka_unit_test(payloads_are_written_by_the_grammar_and_read_in_any_case),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
