/* Every row of the tables in docs/protocol/work-server.md: what is read, and what is told. */
#include "test.h"

#include "workserver/rpc.h"

#include <stdio.h>
#include <string.h>

#define HASH "718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2"
#define GENERATE "{\"action\":\"work_generate\",\"hash\":\"" HASH "\""
#define VALIDATE "{\"action\":\"work_validate\",\"hash\":\"" HASH "\""

static const char bad_json[] = "Failed to deserialize JSON";

static struct rpc_rules rules(void)
{
    return (struct rpc_rules){network_find("live"), 0, 0xffffffffe0000000};
}

static bool parse(const char *body, struct rpc_request *request, struct rpc_fault *fault)
{
    const struct rpc_rules live = rules();
    return rpc_parse(slice_of(body), &live, request, fault);
}

static void faults_have_their_texts_and_the_first_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int status;
        const char *error;
        const char *hint;
    } rows[] = {
        {"", 400, bad_json, NULL},
        {"{", 400, bad_json, NULL},
        {"{\"action\":\"status\",\"action\":\"status\"}", 400, bad_json, NULL},
        {"[]", 400, bad_json, "Work field missing"},
        {"7", 400, bad_json, "Work field missing"},
        {"{}", 400, bad_json, "Work field missing"},
        {"{\"action\":7}", 400, bad_json, "Work field missing"},
        {"{\"action\":\"work_stop\"}", 400, "Unknown command",
         "Supported commands: work_generate, work_cancel, work_validate, benchmark, status"},
        {"{\"action\":\"work_generate\"}", 400, bad_json, "Hash field missing"},
        {"{\"action\":\"work_cancel\",\"hash\":null}", 400, bad_json, "Hash field missing"},
        {"{\"action\":\"work_generate\",\"hash\":\"\"}", 400, "Bad block hash",
         "Hash is empty. Expecting a hex string"},
        {"{\"action\":\"work_generate\",\"hash\":\"xyz\"}", 400, "Bad block hash",
         "Expecting a hex string"},
        {"{\"action\":\"work_generate\",\"hash\":\"0x00\"}", 400, "Bad block hash",
         "Expecting a hex string"},
        {"{\"action\":\"work_generate\",\"hash\":\"718C\"}", 400, "Bad block hash",
         "Hash is too short (should be 32 bytes)"},
        {"{\"action\":\"work_cancel\",\"hash\":\"" HASH "0\"}", 400, "Bad block hash",
         "Hash is too long (should be 32 bytes)"},
        {"{\"action\":\"work_cancel\",\"hash\":\"" HASH HASH HASH "\"}", 400, "Bad block hash",
         "Hash is too long (should be 32 bytes)"},
        {VALIDATE "}", 400, bad_json, "Work field missing"},
        {VALIDATE ",\"work\":\"\"}", 400, bad_json, "Work is empty. Expecting a hex string"},
        {VALIDATE ",\"work\":\"g0\"}", 400, bad_json, "Expecting a hex string for work"},
        {VALIDATE ",\"work\":\"00000000000000000\"}", 400, bad_json,
         "Work is too long (should be 8 bytes)"},
        {GENERATE ",\"difficulty\":7}", 400, bad_json, "Expecting a hex string for difficulty"},
        {GENERATE ",\"difficulty\":\"\"}", 400, bad_json,
         "Threshold not a valid unsigned long (u64). Example: 'ffffffc000000000'"},
        {GENERATE ",\"difficulty\":\"+ff\"}", 400, bad_json,
         "Threshold not a valid unsigned long (u64). Example: 'ffffffc000000000'"},
        {GENERATE ",\"difficulty\":\"10000000000000000\"}", 400, bad_json,
         "Threshold not a valid unsigned long (u64). Example: 'ffffffc000000000'"},
        {GENERATE ",\"multiplier\":\"0\"}", 400, bad_json,
         "Expecting a positive number for multiplier"},
        {GENERATE ",\"multiplier\":\"-1\"}", 400, bad_json,
         "Expecting a positive number for multiplier"},
        {GENERATE ",\"multiplier\":\"inf\"}", 400, bad_json,
         "Expecting a positive number for multiplier"},
        {GENERATE ",\"multiplier\":1e30}", 400, bad_json,
         "Expecting a positive number for multiplier"},
        {GENERATE ",\"multiplier\":1e-30}", 400, bad_json,
         "Expecting a positive number for multiplier"},
        {"{\"action\":\"benchmark\"}", 400, bad_json, "count field missing"},
        {"{\"action\":\"benchmark\",\"count\":\"0\"}", 400, bad_json,
         "Expecting a positive number for count"},
        {"{\"action\":\"benchmark\",\"count\":1.5}", 400, bad_json,
         "Expecting a positive number for count"},
        {"{\"action\":\"benchmark\",\"count\":10001}", 400, bad_json,
         "Expecting a positive number for count"},
        {GENERATE ",\"priority\":-1}", 400, bad_json,
         "Expecting a number from 0 to 4294967295 for priority"},
        {GENERATE ",\"version\":\"work_2\"}", 200, "Bad work version", NULL},
        {GENERATE ",\"difficulty\":\"ffffffffe0000001\"}", 200,
         "Difficulty above config limit or below publish threshold", NULL},
        {GENERATE ",\"multiplier\":\"65\"}", 200,
         "Difficulty above config limit or below publish threshold", NULL},
        /* The first fault in the order of checks. */
        {"{\"hash\":\"\",\"count\":0,\"action\":\"benchmark\",\"difficulty\":\"x\"}", 400, bad_json,
         "Threshold not a valid unsigned long (u64). Example: 'ffffffc000000000'"},
        {"{\"action\":\"work_validate\",\"hash\":\"\",\"work\":\"\"}", 400, "Bad block hash",
         "Hash is empty. Expecting a hex string"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rpc_request request;
        struct rpc_fault fault;
        assert_false(parse(rows[i].body, &request, &fault));
        assert_string_equal(fault.error, rows[i].error);
        assert_int_equal(fault.status, rows[i].status);
        assert_int_equal(fault.hint == NULL, rows[i].hint == NULL);
        if (fault.hint != NULL)
            assert_string_equal(fault.hint, rows[i].hint);
    }
}

static void what_can_be_read_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum rpc_kind kind;
        uint64_t threshold;
        uint64_t number; /* Nonce, count or priority. */
        bool has_difficulty;
    } rows[] = {
        {GENERATE "}", RPC_GENERATE, 0xfffffff800000000, 0, false},
        {GENERATE ",\"difficulty\":\"FFFFFE0000000000\"}", RPC_GENERATE, 0xfffffe0000000000, 0,
         true},
        {GENERATE ",\"difficulty\":\"000000000000000000001\"}", RPC_GENERATE, 1, 0, true},
        {GENERATE ",\"difficulty\":\"0\"}", RPC_GENERATE, 0, 0, true},
        {GENERATE ",\"multiplier\":\"8\"}", RPC_GENERATE, 0xffffffff00000000, 0, false},
        {GENERATE ",\"multiplier\":3}", RPC_GENERATE, 0xfffffffd55555556, 0, false},
        {GENERATE ",\"multiplier\":64,\"difficulty\":\"1\"}", RPC_GENERATE, 0xffffffffe0000000, 0,
         true},
        {GENERATE ",\"multiplier\":0.015625}", RPC_GENERATE, 0xfffffe0000000000, 0, false},
        {GENERATE ",\"priority\":\"9\",\"account\":\"nano_1\",\"use_peers\":true,\"block\":{},"
                  "\"version\":\"work_1\"}",
         RPC_GENERATE, 0xfffffff800000000, 9, false},
        {VALIDATE ",\"work\":\"1f\"}", RPC_VALIDATE, 0xfffffff800000000, 0x1f, false},
        {VALIDATE ",\"work\":\"F\"}", RPC_VALIDATE, 0xfffffff800000000, 15, false},
        {VALIDATE ",\"work\":\"2bf29ef00786a6bc\",\"difficulty\":\"ffffffffffffffff\"}",
         RPC_VALIDATE, UINT64_MAX, 0x2bf29ef00786a6bc, true},
        {"{\"action\":\"work_cancel\",\"hash\":\"" HASH "\"}", RPC_CANCEL, 0xfffffff800000000, 0,
         false},
        {"{\"action\":\"benchmark\",\"count\":\"10000\",\"multiplier\":\"1\"}", RPC_BENCHMARK,
         0xfffffff800000000, 10000, false},
        {" {\"action\":\"status\",\"hash\":7}\n", RPC_STATUS, 0xfffffff800000000, 0, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rpc_request request;
        struct rpc_fault fault;
        assert_true(parse(rows[i].body, &request, &fault));
        assert_int_equal(request.kind, rows[i].kind);
        assert_true(request.threshold == rows[i].threshold);
        assert_true(request.nonce + request.count + request.priority == rows[i].number);
        assert_int_equal(request.has_difficulty, rows[i].has_difficulty);
    }
}

static void ids_are_echoed_to_the_letter_in_errors_too(void **state)
{
    (void)state;
    static const char *const ids[] = {"7", "\"a\\u0041\"", "null", "[1,{\"x\":2}]", "1.50"};
    for (size_t i = 0; i < COUNT(ids); i++) {
        char body[256];
        char expected[256];
        char buffer[RPC_ANSWER_ROOM + 64];
        struct rpc_request request;
        struct rpc_fault fault;
        (void)snprintf(body, sizeof body, "{\"id\":%s,\"action\":\"x\"}", ids[i]);
        assert_false(parse(body, &request, &fault));
        (void)snprintf(expected, sizeof expected, "{\"error\":\"Cancelled\",\"id\":%s}", ids[i]);
        buffer[rpc_write_fault(buffer, &rpc_cancelled, request.id)] = '\0';
        assert_string_equal(buffer, expected);
    }
}

static void answers_are_strings_in_alphabetical_order(void **state)
{
    (void)state;
    char buffer[RPC_ANSWER_ROOM + 8];
    struct rpc_request request;
    struct rpc_fault fault;
    const struct slice none = {NULL, 0};
    const struct slice id = slice_of("4");
    assert_true(parse(VALIDATE
                      ",\"work\":\"2bf29ef00786a6bc\",\"difficulty\":\"ffffffc000000000\"}",
                      &request, &fault));
    buffer[rpc_write_validation(buffer, &request, network_find("live"))] = '\0';
    assert_string_equal(
        buffer, "{\"difficulty\":\"ffffffd21c3933f4\",\"multiplier\":\"0.17433086091718653\","
                "\"valid\":\"1\",\"valid_all\":\"0\",\"valid_receive\":\"1\"}");
    assert_true(
        parse(VALIDATE ",\"work\":\"2bf29ef00786a6bc\",\"multiplier\":1}", &request, &fault));
    buffer[rpc_write_validation(buffer, &request, network_find("live"))] = '\0';
    assert_null(strstr(buffer, "\"valid\":"));
    buffer[rpc_write_work(buffer, &request.root, 0x1f, 0xfffffff800000000, 0xfffffff800000000,
                          id)] = '\0';
    assert_string_equal(buffer, "{\"difficulty\":\"fffffff800000000\",\"hash\":\"" HASH
                                "\",\"id\":4,\"multiplier\":\"1\",\"work\":\"000000000000001f\"}");
    buffer[rpc_write_cancel(buffer, none)] = '\0';
    assert_string_equal(buffer, "{}");
    buffer[rpc_write_status(buffer, true, 12, none)] = '\0';
    assert_string_equal(buffer, "{\"generating\":\"1\",\"queue_size\":\"12\"}");
    buffer[rpc_write_benchmark(buffer, 1, 1, 4, 10, none)] = '\0';
    assert_string_equal(buffer, "{\"average\":\"2.500\",\"count\":\"4\",\"difficulty\":"
                                "\"0000000000000001\",\"duration\":\"10.000\",\"hint\":\"Times in "
                                "milliseconds\",\"multiplier\":\"1\"}");
    buffer[rpc_write_fault(buffer, &rpc_benchmark_failed, none)] = '\0';
    assert_string_equal(buffer,
                        "{\"error\":\"Benchmark failed\",\"hint\":\"Work generation failure\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_have_their_texts_and_the_first_is_told),
        cmocka_unit_test(what_can_be_read_is_read),
        cmocka_unit_test(ids_are_echoed_to_the_letter_in_errors_too),
        cmocka_unit_test(answers_are_strings_in_alphabetical_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
