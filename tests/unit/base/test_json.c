#include "test.h"

#include "base/json.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    const char *data;
    size_t length;
};

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static void what_the_standard_allows_is_read(void **state)
{
    (void)state;
    static const struct text good[] = {
        TEXT("{}"),
        TEXT(" {\"a\" : 1 }\r\n\t"),
        TEXT("{\"a\":[],\"b\":{},\"c\":[1,{\"d\":null}]}"),
        TEXT("{\"a\":-0.5e+10,\"b\":0,\"c\":1E-2}"),
        TEXT("{\"a\":true,\"b\":false,\"c\":null}"),
        TEXT("{\"\":\"\"}"),
        TEXT("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}"),
        TEXT("{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}"),
        TEXT("{\"a\":\"\x7f\"}"),
        TEXT("{\"a\":123456789012345678901234567890}"),
    };
    struct json_object object;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_int_equal(json_read_object((struct slice){good[i].data, good[i].length}, &object),
                         JSON_OK);
}

static void what_it_does_not_allow_is_refused(void **state)
{
    (void)state;
    static const struct text wrong[] = {
        TEXT(""),
        TEXT(" "),
        TEXT("{"),
        TEXT("}"),
        TEXT("{\"a\"}"),
        TEXT("{\"a\":}"),
        TEXT("{\"a\":1,}"),
        TEXT("{,\"a\":1}"),
        TEXT("{\"a\":1 \"b\":2}"),
        TEXT("{a:1}"),
        TEXT("{'a':1}"),
        TEXT("{\"a\":01}"),
        TEXT("{\"a\":+1}"),
        TEXT("{\"a\":.5}"),
        TEXT("{\"a\":5.}"),
        TEXT("{\"a\":1e}"),
        TEXT("{\"a\":-}"),
        TEXT("{\"a\":0x1}"),
        TEXT("{\"a\":NaN}"),
        TEXT("{\"a\":Infinity}"),
        TEXT("{\"a\":tru}"),
        TEXT("{\"a\":True}"),
        TEXT("{\"a\":\"}"),
        TEXT("{\"a\":\"\n\"}"),
        TEXT("{\"a\":\"\\x\"}"),
        TEXT("{\"a\":\"\\u12g4\"}"),
        TEXT("{\"a\":\"\\ud800\"}"),
        TEXT("{\"a\":\"\\ud800\\u0041\"}"),
        TEXT("{\"a\":\"\\udc00\"}"),
        TEXT("{\"a\":\"\xc0\x80\"}"),
        TEXT("{\"a\":\"\xed\xa0\x80\"}"),
        TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"),
        TEXT("{\"a\":\"\xe2\x82\"}"),
        TEXT("{\"a\":\"\xff\"}"),
        TEXT("{\"a\":\"\x80\"}"),
        TEXT("{} {}"),
        TEXT("{}x"),
        TEXT("{\"a\":1}\0"),
        TEXT("{\"a\":[1,]}"),
        TEXT("{\"a\":[1 2]}"),
        TEXT("{\"a\":1,\"a\":2}"),
        TEXT("{\"a\":1,\"\\u0061\":2}"),
        TEXT("\xef\xbb\xbf{}"),
        TEXT("{\"a\":{\"b\":1,}}"),
        TEXT("/**/{}"),
    };
    struct json_object object;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(json_read_object((struct slice){wrong[i].data, wrong[i].length}, &object),
                         JSON_MALFORMED);
}

static void an_empty_text_may_have_no_address(void **state)
{
    (void)state;
    struct json_object object;
    char data[8];
    struct json_writer writer;
    const struct slice nothing = {NULL, 0};
    assert_int_equal(json_read_object(nothing, &object), JSON_MALFORMED);
    assert_false(json_valid(nothing));
    json_writer_init(&writer, data, sizeof data);
    json_write_string(&writer, nothing);
    assert_string_equal(data, "\"\"");
}

static void only_the_outermost_names_must_differ(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum json_result result;
    } cases[] = {
        {"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", JSON_MALFORMED},
        {"{\"\\/\":1,\"/\":2}", JSON_MALFORMED},
        {"{\"a\\u0000\":1,\"a\\u0000\":2}", JSON_MALFORMED},
        {"{\"\\u0061b\":1,\"ab\":2}", JSON_MALFORMED},
        {"{\"ab\":1,\"a\\u0062\":2}", JSON_MALFORMED},
        {"{\"\\u0061b\\u0063\":1,\"a\\u0062c\":2}", JSON_MALFORMED},
        {"{\"x\xc3\xa9y\":1,\"x\\u00e9y\":2}", JSON_MALFORMED},
        {"{\"\\u0061b\":1,\"ac\":2}", JSON_OK},
        {"{\"a\":1,\"a\\u0062\":2,\"a\\u0062c\":3}", JSON_OK},
        {"{\"\xc3\xa9\":1,\"\xc3\xaa\":2,\"\\u00eb\":3}", JSON_OK},
        {"{\"a\\u0000\":1,\"a\":2}", JSON_OK},
        {"{\"a\":1,\"A\":2,\"aa\":3,\"\":4}", JSON_OK},
        {"{\"a\":{\"b\":1,\"b\":2}}", JSON_OK},
    };
    struct json_object object;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(json_read_object(slice_of(cases[i].text), &object), cases[i].result);
}

static void json_that_is_no_object_is_told_apart(void **state)
{
    (void)state;
    static const char *const others[] = {"[]", "1", "\"a\"", "null", " true "};
    struct json_object object;
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(json_read_object(slice_of(others[i]), &object), JSON_NOT_OBJECT);
        assert_true(json_valid(slice_of(others[i])));
    }
    assert_false(json_valid(slice_of("1 2")));
}

static void depth_and_members_are_limited(void **state)
{
    (void)state;
    char text[4096] = "{\"a\":";
    struct json_object object;
    for (int depth = 0; depth < JSON_DEPTH_MAX - 1; depth++)
        (void)strcat(text, "[");
    const size_t open = strlen(text);
    for (int depth = 0; depth < JSON_DEPTH_MAX - 1; depth++)
        (void)strcat(text, "]");
    (void)strcat(text, "}");
    assert_int_equal(json_read_object(slice_of(text), &object), JSON_OK);
    (void)memmove(text + open + 1, text + open, strlen(text + open) + 1);
    text[open] = '[';
    text[strlen(text) - 1] = '\0';
    (void)strcat(text, "]}");
    assert_int_equal(json_read_object(slice_of(text), &object), JSON_MALFORMED);

    size_t used = 1;
    text[0] = '{';
    for (int i = 0; i < JSON_MEMBERS_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\"m%d\":%d", i > 0 ? "," : "",
                                 i, i);
    (void)snprintf(text + used, sizeof text - used, "}");
    assert_int_equal(json_read_object(slice_of(text), &object), JSON_OK);
    assert_int_equal(object.count, JSON_MEMBERS_MAX);
    (void)snprintf(text + used, sizeof text - used, ",\"more\":1}");
    assert_int_equal(json_read_object(slice_of(text), &object), JSON_MALFORMED);
}

static void members_are_found_with_their_text_to_the_letter(void **state)
{
    (void)state;
    struct json_object object;
    const char *text = "{\"\\u0069d\": [1, 2.50 ,\"x\"] ,\"n\":12e1}";
    assert_int_equal(json_read_object(slice_of(text), &object), JSON_OK);
    const struct json_value id = json_find(&object, "id");
    assert_int_equal(id.type, JSON_ARRAY);
    assert_true(slice_is(id.text, "[1, 2.50 ,\"x\"]"));
    assert_int_equal(json_find(&object, "i").type, JSON_ABSENT);
    assert_int_equal(json_find(&object, "idx").type, JSON_ABSENT);
}

static struct json_value value_of(struct json_object *object, const char *text)
{
    assert_int_equal(json_read_object(slice_of(text), object), JSON_OK);
    return json_find(object, "v");
}

/* Members as text, each as name=value; it stops behind one with the name "stop". */
static bool note_member(void *context, struct json_value name, struct json_value value)
{
    char *text = context;
    const size_t length = strlen(text);
    (void)snprintf(text + length, 2048 - length, "%.*s=%.*s;", (int)name.text.length,
                   name.text.data, (int)value.text.length, value.text.data);
    return !slice_is(name.text, "\"stop\"");
}

static void any_number_of_members_is_visited_in_order(void **state)
{
    static const struct {
        const char *json;
        const char *visited;
    } examples[] = {
        {" { \"a\" : 1 , \"b\":{\"c\":[2]}\t} ", "\"a\"=1;\"b\"={\"c\":[2]};"},
        {"{\"a\":1,\"stop\":2,\"b\":3}", "\"a\"=1;\"stop\"=2;"},
        {"{\"a\":null,\"a\":\"}\"}", "\"a\"=null;\"a\"=\"}\";"},
        {"{}", ""},
        {"[1]", ""},
        {"", ""},
    };
    char text[2048];
    char json[2048] = "{\"x\":0";
    (void)state;
    for (size_t i = 0; i < COUNT(examples); i++) {
        text[0] = '\0';
        json_each_member(slice_of(examples[i].json), note_member, text);
        assert_string_equal(text, examples[i].visited);
    }
    for (int i = 0; i < 2 * JSON_MEMBERS_MAX; i++)
        (void)snprintf(json + strlen(json), sizeof json - strlen(json), ",\"x\":0");
    (void)snprintf(json + strlen(json), sizeof json - strlen(json), "}");
    text[0] = '\0';
    json_each_member(slice_of(json), note_member, text);
    assert_int_equal(strlen(text), (2 * JSON_MEMBERS_MAX + 1) * strlen("\"x\"=0;"));
}

static void strings_are_resolved_if_they_fit(void **state)
{
    (void)state;
    struct json_object object;
    char text[8];
    size_t length;
    assert_true(
        json_string(value_of(&object, "{\"v\":\"a\\u0000\\u20ac\"}"), text, sizeof text, &length));
    assert_int_equal(length, 5);
    assert_memory_equal(text, "a\0\xe2\x82\xac", 6);
    assert_true(json_string(value_of(&object, "{\"v\":\"1234567\"}"), text, sizeof text, &length));
    assert_false(
        json_string(value_of(&object, "{\"v\":\"12345678\"}"), text, sizeof text, &length));
    assert_false(json_string(value_of(&object, "{\"v\":1}"), text, sizeof text, &length));
}

static void numbers_are_read_from_numbers_and_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        double number;
    } cases[] = {
        {"{\"v\":1.5}", true, 1.5},        {"{\"v\":\"2.50\"}", true, 2.5},
        {"{\"v\":1e999}", true, INFINITY}, {"{\"v\":-0}", true, 0},
        {"{\"v\":\"\"}", false, 0},        {"{\"v\":\" 1\"}", false, 0},
        {"{\"v\":\"nan\"}", false, 0},     {"{\"v\":\"1x\"}", false, 0},
        {"{\"v\":true}", false, 0},        {"{\"v\":[1]}", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_object object;
        double number = 0;
        assert_int_equal(json_number(value_of(&object, cases[i].text), &number), cases[i].good);
        assert_true(number == cases[i].number);
    }
}

static void long_numbers_are_refused(void **state)
{
    (void)state;
    char text[600] = "{\"v\":";
    struct json_object object;
    double number = 5;
    memset(text + 5, '1', 511);
    (void)strcpy(text + 516, "}");
    assert_true(json_number(value_of(&object, text), &number));
    assert_true(isinf(number));
    (void)strcpy(text + 516, "1}");
    assert_false(json_number(value_of(&object, text), &number));
}

static double any_double(struct random *random)
{
    const uint64_t bits = random_next(random);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void a_double_is_written_as_short_as_it_reads_back_equal(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.182623871097636, "1.182623871097636"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {1e21, "1e+21"},
        {-INFINITY, "null"},
        {NAN, "null"},
    };
    char data[64];
    struct json_writer writer;
    struct random random;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_writer_init(&writer, data, sizeof data);
        json_write_double(&writer, cases[i].number);
        assert_string_equal(data, cases[i].text);
    }
    random_seed(&random, 5);
    for (int i = 0; i < 20000; i++) {
        const double number = any_double(&random);
        json_writer_init(&writer, data, sizeof data);
        json_write_double(&writer, number);
        assert_true(json_valid(slice_of(data)));
        assert_true(isfinite(number) ? strtod(data, NULL) == number : strcmp(data, "null") == 0);
    }
}

static void control_characters_are_written_as_escapes_and_read_back(void **state)
{
    (void)state;
    static const char text[] = "\0\b\x1f\x7f\xc2\x80\xc2\x9b\xc2\xa0";
    char data[128];
    char back[sizeof text];
    size_t length;
    struct json_object object;
    struct json_writer writer;
    json_writer_init(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "v");
    json_write_string(&writer, (struct slice){text, sizeof text - 1});
    json_end_object(&writer);
    assert_string_equal(data, "{\"v\":\"\\u0000\\u0008\\u001f\\u007f\\u0080\\u009b\xc2\xa0\"}");
    assert_true(json_string(value_of(&object, data), back, sizeof back, &length));
    assert_int_equal(length, sizeof text - 1);
    assert_memory_equal(back, text, length);
}

static void what_is_written_is_json_whatever_the_bytes(void **state)
{
    (void)state;
    char data[512];
    struct json_writer writer;
    json_writer_init(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "text");
    json_write_string(&writer, (struct slice){"q\"\\\n\x01\x7f\xc3\xa9\xff\xe2\x82", 11});
    json_key(&writer, "list");
    json_begin_array(&writer);
    json_write_u64(&writer, UINT64_MAX);
    json_write_i64(&writer, INT64_MIN);
    json_write_double(&writer, 0.1);
    json_write_double(&writer, INFINITY);
    json_write_bool(&writer, true);
    json_write_null(&writer);
    json_begin_object(&writer);
    json_end_object(&writer);
    json_write_raw(&writer, slice_of("[1]"));
    json_end_array(&writer);
    json_end_object(&writer);
    assert_false(writer.overflow);
    assert_string_equal(data,
                        "{\"text\":\"q\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\\ufffd\\ufffd\\ufffd\","
                        "\"list\":[18446744073709551615,-9223372036854775808,0.1,null,true,"
                        "null,{},[1]]}");
    assert_true(json_valid(slice_of(data)));
}

static void a_full_buffer_is_told_and_never_overrun(void **state)
{
    (void)state;
    for (size_t size = 1; size < 24; size++) {
        char data[32];
        struct json_writer writer;
        memset(data, '#', sizeof data);
        json_writer_init(&writer, data, size);
        json_begin_object(&writer);
        json_key(&writer, "key");
        json_write_text(&writer, "some text");
        json_end_object(&writer);
        assert_int_equal(writer.overflow, size < sizeof "{\"key\":\"some text\"}");
        assert_true(strlen(data) < size);
        assert_int_equal(data[size], '#');
    }
}

struct elements {
    size_t count;
    struct json_value of[8];
    size_t stop_after;
};

static bool keep_element(void *context, struct json_value element)
{
    struct elements *elements = context;
    elements->of[elements->count++] = element;
    return elements->count != elements->stop_after;
}

static void elements_of_an_array_come_in_order_to_the_letter(void **state)
{
    (void)state;
    struct json_object object;
    const char *text = "{\"a\": [ 1 , \"x,]\" ,[2, 3] , {\"b\" : []}\n,null ], \"e\":[ ], \"n\":7}";
    static const char *const expected[] = {"1", "\"x,]\"", "[2, 3]", "{\"b\" : []}", "null"};
    struct elements elements = {0};
    assert_int_equal(json_read_object(slice_of(text), &object), JSON_OK);
    json_each_element(json_find(&object, "a"), keep_element, &elements);
    assert_int_equal(elements.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(slice_is(elements.of[i].text, expected[i]));
    assert_int_equal(elements.of[2].type, JSON_ARRAY);
    elements = (struct elements){.stop_after = 2};
    json_each_element(json_find(&object, "a"), keep_element, &elements);
    assert_int_equal(elements.count, 2);
    elements = (struct elements){0};
    json_each_element(json_find(&object, "e"), keep_element, &elements);
    json_each_element(json_find(&object, "n"), keep_element, &elements);
    json_each_element(json_find(&object, "none"), keep_element, &elements);
    assert_int_equal(elements.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_standard_allows_is_read),
        cmocka_unit_test(what_it_does_not_allow_is_refused),
        cmocka_unit_test(an_empty_text_may_have_no_address),
        cmocka_unit_test(only_the_outermost_names_must_differ),
        cmocka_unit_test(json_that_is_no_object_is_told_apart),
        cmocka_unit_test(depth_and_members_are_limited),
        cmocka_unit_test(members_are_found_with_their_text_to_the_letter),
        cmocka_unit_test(elements_of_an_array_come_in_order_to_the_letter),
        cmocka_unit_test(any_number_of_members_is_visited_in_order),
        cmocka_unit_test(strings_are_resolved_if_they_fit),
        cmocka_unit_test(numbers_are_read_from_numbers_and_strings),
        cmocka_unit_test(long_numbers_are_refused),
        cmocka_unit_test(a_double_is_written_as_short_as_it_reads_back_equal),
        cmocka_unit_test(control_characters_are_written_as_escapes_and_read_back),
        cmocka_unit_test(what_is_written_is_json_whatever_the_bytes),
        cmocka_unit_test(a_full_buffer_is_told_and_never_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
