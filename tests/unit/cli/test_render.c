#include "test.h"

#include "cli/render.h"

#include <stdlib.h>

static struct json_value value_of(const char *text)
{
    const enum json_type type = text[0] == '{'   ? JSON_OBJECT
                                : text[0] == '[' ? JSON_ARRAY
                                : text[0] == '"' ? JSON_STRING
                                                 : JSON_NUMBER;
    return (struct json_value){type, slice_of(text)};
}

static void results_are_shown_as_lines_and_tables(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"{\"a\":1,\"long\":\"x y\",\"none\":null}", "a     1\nlong  x y\nnone  -"},
        {"{}", ""},
        {"[]", "(none)"},
        {"[{\"a\":1,\"b\":\"two\"},{\"a\":333,\"c\":true}]",
         "a    b    c\n1    two  -\n333  -    true"},
        {"[{\"n\":\"\xc3\xa4\xc3\xb6\",\"m\":1}]", "n   m\n\xc3\xa4\xc3\xb6  1"},
        {"[\"one\",\"two\"]", "one\ntwo"},
        {"{\"e\":\"\\u001b[2J\\u0007\\n\"}", "e  ?[2J??"},
        {"{\"o\":{\"x\":[1, 2]}}", "o  {\"x\":[1, 2]}"},
        {"\"text\"", "text"},
        {"12", "12"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = render_text(value_of(cases[i].json));
        assert_non_null(text);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(results_are_shown_as_lines_and_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
