#include "test.h"

#include "net/url.h"

#include <string.h>

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct url url;
    } cases[] = {
        {"mqtt://host", {.scheme = "mqtt", .host = "host"}},
        {"MQTTS://u@h.example:8883",
         {.scheme = "mqtts", .user = "u", .host = "h.example", .port = 8883}},
        {"mqtt://user:p%40s%3As@127.0.0.1:1883/path?x=1",
         {.scheme = "mqtt",
          .user = "user",
          .password = "p@s:s",
          .host = "127.0.0.1",
          .port = 1883,
          .path = "/path?x=1"}},
        {"ws://[::1]:9001/mqtt", {.scheme = "ws", .host = "::1", .port = 9001, .path = "/mqtt"}},
        {"mqtt://a@b:c@h", {.scheme = "mqtt", .user = "a@b", .password = "c", .host = "h"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct url url;
        struct error error;
        assert_true(url_parse(cases[i].text, &url, &error));
        assert_string_equal(url.scheme, cases[i].url.scheme);
        assert_string_equal(url.user, cases[i].url.user);
        assert_string_equal(url.password, cases[i].url.password);
        assert_string_equal(url.host, cases[i].url.host);
        assert_string_equal(url.path, cases[i].url.path);
        assert_int_equal(url.port, cases[i].url.port);
    }
}

static void malformed_urls_are_refused_without_telling_the_password(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "host",
        "://host",
        "mqtt:host",
        "mqtt://",
        "mqtt://:1883",
        "mqtt://h:0",
        "mqtt://h:65536",
        "mqtt://h:x",
        "mqtt://h:",
        "mqtt://[::1",
        "mqtt://[::1]x",
        "mqtt://u:secret%4@h",
        "mqtt://u:secret%00@h",
        "mqtt://u:secret@h h",
        "mq tt://h",
        "mqtt://h:18830000",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct url url = {.host = "kept"};
        struct error error;
        assert_false(url_parse(wrong[i], &url, &error));
        assert_string_equal(url.host, "kept");
        assert_null(strstr(error.text, "secret"));
    }
}

static void listen_addresses_are_numeric_with_a_port(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",      "127.0.0.1",       "127.0.0.1:",   "localhost:80",
                                        ":80",   "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
                                        "[::1]", "256.0.0.1:1"};
    struct listen_address address;
    struct error error;
    assert_true(listen_address_parse("127.0.0.1:5030", &address, &error));
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(address.port, 5030);
    assert_true(listen_address_parse("[::1]:0", &address, &error));
    assert_string_equal(address.host, "::1");
    assert_int_equal(address.port, 0);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(listen_address_parse(wrong[i], &address, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(malformed_urls_are_refused_without_telling_the_password),
        cmocka_unit_test(listen_addresses_are_numeric_with_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
