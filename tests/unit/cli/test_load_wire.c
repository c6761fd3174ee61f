#include "test.h"

#include "cli/load_wire.h"

#include <stdio.h>
#include <stdlib.h>

static const char hash[] = "718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2";
static const char body[] =
    "{\"user\":\"a\\\"b\",\"api_key\":\"K\",\"hash\":"
    "\"718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2\",\"id\":73}";

static struct load_request_options request_options(bool websocket)
{
    return (struct load_request_options){
        .websocket = websocket,
        .host = "h:1",
        .user = "a\"b",
        .api_key = "K",
        .mask = {0x12, 0x34, 0x56, 0x78},
    };
}

static void a_post_request_has_its_hash_and_id_put_in(void **state)
{
    (void)state;
    char out[LOAD_REQUEST_SIZE];
    char expected[LOAD_REQUEST_SIZE];
    struct load_request request;
    const struct load_request_options options = request_options(false);
    assert_true(load_request_make(&options, &request, NULL));
    const size_t length = load_request_write(&request, out, hash, 63);
    const int expected_length =
        snprintf(expected, sizeof expected,
                 "POST /service/ HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 sizeof body - 1, body);
    assert_int_equal(length, expected_length);
    assert_memory_equal(out, expected, length);
}

static void a_websocket_request_is_one_masked_text_frame(void **state)
{
    (void)state;
    char out[LOAD_REQUEST_SIZE];
    struct load_request request;
    const struct load_request_options options = request_options(true);
    assert_true(load_request_make(&options, &request, NULL));
    const size_t length = load_request_write(&request, out, hash, 63);
    const size_t size = sizeof body - 1;
    assert_true(size < 126);
    assert_int_equal(length, 6 + size);
    assert_int_equal((uint8_t)out[0], 0x81);
    assert_int_equal((uint8_t)out[1], 0x80 | size);
    assert_memory_equal(out + 2, options.mask, 4);
    for (size_t i = 0; i < size; i++)
        out[6 + i] = (char)((uint8_t)out[6 + i] ^ options.mask[i % 4]);
    assert_memory_equal(out + 6, body, size);
}

static void a_longer_message_tells_its_length_in_two_bytes(void **state)
{
    (void)state;
    char out[LOAD_REQUEST_SIZE];
    char key[301];
    struct load_request request;
    struct load_request_options options = request_options(true);
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    options.api_key = key;
    assert_true(load_request_make(&options, &request, NULL));
    const size_t length = load_request_write(&request, out, hash, 0);
    assert_int_equal((uint8_t)out[1], 0x80 | 126);
    assert_int_equal((uint8_t)out[2] << 8 | (uint8_t)out[3], length - 8);
}

static void what_no_hub_would_take_is_refused(void **state)
{
    (void)state;
    char key[2001];
    struct error error;
    struct load_request request;
    struct load_request_options options = request_options(false);
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    options.api_key = key;
    assert_false(load_request_make(&options, &request, &error));
    assert_int_equal(error.code, ERROR_LIMIT);
}

/* Each beginning of the bytes stands in memory of its own, so that reading past it is seen. */
static enum load_reading read_response(const char *text, size_t length,
                                       struct load_response *response)
{
    char *copy = malloc(length + 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    const enum load_reading reading = load_response_read((struct slice){copy, length}, response);
    free(copy);
    return reading;
}

static void a_response_is_complete_with_its_last_byte(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: x\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nDate: x\r\ncontent-length:5\r\n\r\nhello",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct load_response response;
        const size_t length = strlen(texts[i]);
        for (size_t part = 0; part < length; part++)
            assert_int_equal(read_response(texts[i], part, &response), LOAD_PARTIAL);
        assert_int_equal(load_response_read(slice_of(texts[i]), &response), LOAD_COMPLETE);
        assert_int_equal(response.status, 200);
        assert_true(slice_is(response.body, "hello"));
        assert_int_equal(response.size, length);
    }
}

static void a_response_without_a_length_has_no_body(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81";
    struct load_response response;
    assert_int_equal(load_response_read(slice_of(text), &response), LOAD_COMPLETE);
    assert_int_equal(response.status, 101);
    assert_int_equal(response.body.length, 0);
    assert_int_equal(response.size, sizeof text - 2);
}

static void what_is_no_response_is_told(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        "\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct load_response response;
        if (load_response_read(slice_of(texts[i]), &response) != LOAD_MALFORMED)
            fail_msg("%s", texts[i]);
    }
}

static void frames_are_read_to_their_end(void **state)
{
    (void)state;
    char text[4 + 300] = "\x81\x7e\x01\x2c";
    const size_t length = sizeof text;
    struct load_frame frame;
    memset(text + 4, 'x', 300);
    for (size_t part = 0; part < length; part++)
        assert_int_equal(load_frame_read((struct slice){text, part}, &frame), LOAD_PARTIAL);
    assert_int_equal(load_frame_read((struct slice){text, length}, &frame), LOAD_COMPLETE);
    assert_int_equal(frame.opcode, 1);
    assert_int_equal(frame.payload.length, 300);
    assert_int_equal(frame.size, 304);
    assert_int_equal(load_frame_read((struct slice){"\x89\x02hi", 4}, &frame), LOAD_COMPLETE);
    assert_int_equal(frame.opcode, 9);
    assert_true(slice_is(frame.payload, "hi"));
}

static void fragments_masks_and_enormous_frames_are_refused(void **state)
{
    (void)state;
    static const char *const frames[] = {"\x01\x01x", "\x81\x81xxxxx", "\x81\x7f", "\xc1\x01x"};
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        struct load_frame frame;
        assert_int_equal(load_frame_read((struct slice){frames[i], 2}, &frame), LOAD_MALFORMED);
    }
}

static void members_are_found_with_and_without_blanks(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *value; /* NULL: none. */
    } cases[] = {
        {"{\"work\":\"abc\"}", "abc"},
        {"{\"hash\": \"x\", \"work\": \"abc\"}", "abc"},
        {"{\"work\":\"\"}", ""},
        {"{\"work\":\"a\\\"b\"}", "a\\\"b"},
        {"{\"work\":12,\"id\":1}", "12"},
        {"{\"work\":true}", "true"},
        {"{\"other\":1}", NULL},
        {"{\"work\":\"abc", NULL},
        {"{\"work\":\"abc\\", NULL},
        {"{\"work\"", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct slice value = load_member(slice_of(cases[i].json), "\"work\"");
        if (cases[i].value == NULL)
            assert_null(value.data);
        else
            assert_true(value.data != NULL && slice_is(value, cases[i].value));
    }
}

static void an_id_names_its_slot(void **state)
{
    (void)state;
    assert_int_equal(load_answer_id(slice_of("{\"work\":\"x\",\"id\":10}")), 0);
    assert_int_equal(load_answer_id(slice_of("{\"id\": 73, \"work\":\"x\"}")), 63);
    assert_int_equal(load_answer_id(slice_of("{\"id\":74}")), LOAD_ID_COUNT);
    assert_int_equal(load_answer_id(slice_of("{\"id\":9}")), LOAD_ID_COUNT);
    assert_int_equal(load_answer_id(slice_of("{\"id\":null}")), LOAD_ID_COUNT);
    assert_int_equal(load_answer_id(slice_of("{}")), LOAD_ID_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_request_has_its_hash_and_id_put_in),
        cmocka_unit_test(a_websocket_request_is_one_masked_text_frame),
        cmocka_unit_test(a_longer_message_tells_its_length_in_two_bytes),
        cmocka_unit_test(what_no_hub_would_take_is_refused),
        cmocka_unit_test(a_response_is_complete_with_its_last_byte),
        cmocka_unit_test(a_response_without_a_length_has_no_body),
        cmocka_unit_test(what_is_no_response_is_told),
        cmocka_unit_test(frames_are_read_to_their_end),
        cmocka_unit_test(fragments_masks_and_enormous_frames_are_refused),
        cmocka_unit_test(members_are_found_with_and_without_blanks),
        cmocka_unit_test(an_id_names_its_slot),
    };
    return cmocka_run_group_tests_name("cli_load_wire", tests, NULL, NULL);
}
