#include "test.h"

#include "broker/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t second = 1000000;
static const uint64_t start_us = 1000 * 1000000ULL;

static const char good[] =
    "0123456789ABCDEF0123456789ABCDEF0123456789abcdef0123456789ABCDEF,0123456789abcdef,nano_1";

/* Things whose addresses stand for Mosquitto's connections. */
static char handles[2048];

static struct screen *make(unsigned per_address)
{
    struct screen_options options = screen_options_default();
    options.connections_per_address = per_address;
    assert_true(address_list_parse(slice_of("127.0.0.1,::1"), &options.exempt));
    struct screen *screen = screen_create(&options);
    assert_non_null(screen);
    return screen;
}

static enum screen_admission enter(struct screen *screen, uint64_t now_us, int handle,
                                   const char *id, const char *address)
{
    return screen_admit(screen, now_us,
                        &(struct screen_login){
                            .connection = &handles[handle],
                            .id = slice_of(id),
                            .address = slice_of(address),
                        });
}

static enum screen_verdict inspect(struct screen *screen, int handle, const char *topic,
                                   struct slice payload)
{
    return screen_inspect(screen, start_us, &handles[handle], slice_of(topic), payload);
}

static void only_results_by_the_grammar_pass(void **state)
{
    static const struct {
        const char *payload;
        enum screen_verdict verdict;
    } rows[] = {
        {good, SCREEN_PASS},
        {"", SCREEN_MALFORMED},
        {",,", SCREEN_MALFORMED},
        {"nonsense", SCREEN_MALFORMED},
        {"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF,0123456789abcdef",
         SCREEN_MALFORMED},
        {"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF,0123456789abcdef,",
         SCREEN_PASS},
        {"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF,0123456789abcdef,a,b",
         SCREEN_MALFORMED},
        {"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDE,0123456789abcdef,a",
         SCREEN_MALFORMED},
        {"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF,0123456789abcde,a",
         SCREEN_MALFORMED},
        {"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEG,0123456789abcdef,a",
         SCREEN_MALFORMED},
        {"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF,0x23456789abcdef,a",
         SCREEN_MALFORMED},
    };
    struct screen *screen = make(64);
    (void)state;
    assert_int_equal(enter(screen, start_us, 0, "w-1", "127.0.0.1"), SCREEN_ADMITTED);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(inspect(screen, 0, "result/ondemand", slice_of(rows[i].payload)),
                         rows[i].verdict);
    assert_int_equal(inspect(screen, 0, "worker/w-1/hello", slice_of("{}")), SCREEN_PASS);
    screen_destroy(screen);
}

static void topic_and_payload_may_have_a_kibibyte_together(void **state)
{
    char text[65536];
    struct screen *screen = make(64);
    (void)state;
    memset(text, '\0', sizeof text);
    memcpy(text, good, sizeof good - 1); /* NULs in the account are the hub's to refuse */
    assert_int_equal(enter(screen, start_us, 0, "w-1", "127.0.0.1"), SCREEN_ADMITTED);
    assert_int_equal(inspect(screen, 0, "result/ondemand", (struct slice){text, 1024 - 15}),
                     SCREEN_PASS);
    assert_int_equal(inspect(screen, 0, "result/ondemand", (struct slice){text, 1024 - 14}),
                     SCREEN_LARGE);
    assert_int_equal(inspect(screen, 0, "x", (struct slice){text, sizeof text}), SCREEN_LARGE);
    memset(text, 0xff, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(inspect(screen, 0, text, slice_of(good)), SCREEN_LARGE);
    screen_destroy(screen);
}

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    const struct bucket_limit limit = {.per_second = 50, .burst = 200};
    struct bucket bucket = {0};
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        assert_true(bucket_take(&bucket, &limit, start_us));
    assert_false(bucket_take(&bucket, &limit, start_us));
    assert_false(bucket_take(&bucket, &limit, start_us + 19999));
    assert_true(bucket_take(&bucket, &limit, start_us + 20001));
    unsigned taken = 0;
    for (uint64_t us = 20001; us < 10 * second; us += 1000)
        taken += bucket_take(&bucket, &limit, start_us + us) ? 1 : 0;
    assert_in_range(taken, 495, 500);
}

static void each_connection_has_its_own_bucket(void **state)
{
    struct screen *screen = make(64);
    const char *label = NULL;
    (void)state;
    assert_int_equal(enter(screen, start_us, 0, "w-1", "10.0.0.1"), SCREEN_ADMITTED);
    assert_int_equal(enter(screen, start_us, 1, "a/b", "10.0.0.1"), SCREEN_ADMITTED);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(screen_take(screen, start_us, &handles[0], &label), SCREEN_PASS);
    assert_string_equal(label, "w-1");
    assert_int_equal(screen_take(screen, start_us, &handles[0], &label), SCREEN_RATE);
    assert_int_equal(screen_take(screen, start_us, &handles[1], &label), SCREEN_PASS);
    assert_int_equal(label[0], '~');
    assert_int_equal(screen_take(screen, start_us + second, &handles[0], &label), SCREEN_PASS);
    assert_int_equal(screen_take(screen, start_us, &handles[2], &label), SCREEN_HOSTILE);
    screen_destroy(screen);
}

static void labels_are_harmless_and_unlike_each_other(void **state)
{
    static const char *const plain[] = {
        "w-abcdefghijklmnopqrstuvwxyz", "auto-0A1B.c_D",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    static const char *const strange[] = {
        "",
        "a,b",
        "a/b",
        "+",
        "#",
        "hbmqtt/`]m@",
        "~",
        "a b",
        "\xff",
        "\xc3\xa9",
        "a\n",
        "01234567890123456789012345678901234567890123456789012345678901234",
        "~00000000000000000000000000000000"};
    char label[LABEL_MAX + 1];
    char others[COUNT(strange)][LABEL_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(plain); i++) {
        label_make(slice_of(plain[i]), label);
        assert_string_equal(label, plain[i]);
        assert_true(label_valid(slice_of(label)));
    }
    for (size_t i = 0; i < COUNT(strange); i++) {
        label_make(slice_of(strange[i]), others[i]);
        assert_int_equal(strlen(others[i]), 33);
        assert_int_equal(others[i][0], '~');
        assert_true(label_valid(slice_of(others[i])));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(others[i], others[j]);
    }
    assert_false(label_valid(slice_of("")));
    assert_false(label_valid(slice_of("a,b")));
    assert_false(label_valid(slice_of("~00")));
    assert_false(label_valid((struct slice){"a\0b", 3}));
}

static void an_address_is_read_and_its_owner_known(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        bool same;
    } rows[] = {
        {"1.2.3.4", "::ffff:1.2.3.4", true},
        {"1.2.3.4", "1.2.3.5", false},
        {"2001:db8::1", "2001:db8::ffff:2", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::1", "127.0.0.1", false},
    };
    struct address_list list;
    struct address first;
    struct address second_address;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(address_parse(slice_of(rows[i].first), &first));
        assert_true(address_parse(slice_of(rows[i].second), &second_address));
        first = address_owner(&first);
        second_address = address_owner(&second_address);
        assert_true((memcmp(&first, &second_address, sizeof first) == 0) == rows[i].same);
    }
    static const char *const wrong[] = {"x", "1.2.3", "1.2.3.4,", ",", "1.2.3.4,,::1", " ::1"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(address_list_parse(slice_of(wrong[i]), &list));
    assert_true(address_list_parse(slice_of(""), &list));
    assert_int_equal(list.count, 0);
}

static void an_address_has_so_many_connections_and_no_more(void **state)
{
    struct screen *screen = make(2);
    (void)state;
    assert_int_equal(enter(screen, start_us, 0, "w-0", "10.0.0.1"), SCREEN_ADMITTED);
    assert_int_equal(enter(screen, start_us, 1, "w-1", "10.0.0.1"), SCREEN_ADMITTED);
    assert_int_equal(enter(screen, start_us, 2, "w-2", "10.0.0.1"), SCREEN_CROWDED);
    assert_int_equal(enter(screen, start_us, 3, "w-3", "10.0.0.2"), SCREEN_ADMITTED);
    assert_int_equal(enter(screen, start_us, 4, "w-1", "10.0.0.1"), SCREEN_ADMITTED); /* again */
    screen_leave(screen, &handles[1]);
    assert_int_equal(enter(screen, start_us, 2, "w-2", "10.0.0.1"), SCREEN_CROWDED);
    screen_leave(screen, &handles[0]);
    assert_int_equal(enter(screen, start_us, 2, "w-2", "10.0.0.1"), SCREEN_ADMITTED);
    for (int i = 0; i < 10; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "p-%d", i);
        assert_int_equal(enter(screen, start_us, 10 + i, id, "127.0.0.1"), SCREEN_ADMITTED);
    }
    struct screen_counters counters;
    screen_counters(screen, &counters);
    assert_int_equal(counters.connections, 13);
    assert_int_equal(counters.admissions[SCREEN_CROWDED], 2);
    screen_destroy(screen);
}

static void an_id_in_use_elsewhere_is_taken(void **state)
{
    struct screen *screen = make(64);
    (void)state;
    assert_int_equal(enter(screen, start_us, 0, "w-1", "10.0.0.1"), SCREEN_ADMITTED);
    assert_int_equal(enter(screen, start_us, 1, "w-1", "10.0.0.2"), SCREEN_TAKEN);
    assert_int_equal(enter(screen, start_us, 2, "w-1", "10.0.0.1"), SCREEN_ADMITTED);
    screen_leave(screen, &handles[0]); /* late news of the replaced one */
    assert_int_equal(enter(screen, start_us, 1, "w-1", "10.0.0.2"), SCREEN_TAKEN);
    screen_leave(screen, &handles[2]);
    assert_int_equal(enter(screen, start_us, 1, "w-1", "10.0.0.2"), SCREEN_ADMITTED);
    screen_reserve(screen, &handles[5], slice_of("dashboard"));
    assert_int_equal(enter(screen, start_us, 6, "dashboard", "127.0.0.1"), SCREEN_TAKEN);
    screen_leave(screen, &handles[5]);
    assert_int_equal(enter(screen, start_us, 6, "dashboard", "127.0.0.1"), SCREEN_ADMITTED);
    screen_destroy(screen);
}

static void a_ban_holds_for_its_time(void **state)
{
    struct screen *screen = make(64);
    const char *label;
    (void)state;
    assert_int_equal(enter(screen, start_us, 0, "w/1", "10.0.0.1"), SCREEN_ADMITTED);
    assert_int_equal(screen_take(screen, start_us, &handles[0], &label), SCREEN_PASS);
    assert_string_equal(screen_ban(screen, start_us, slice_of(label), 60), "w/1");
    assert_int_equal(screen_take(screen, start_us, &handles[0], &label), SCREEN_HOSTILE);
    screen_leave(screen, &handles[0]);
    assert_int_equal(enter(screen, start_us, 0, "w/1", "10.9.9.9"), SCREEN_BANNED);
    assert_int_equal(enter(screen, start_us, 1, "w-2", "10.0.0.1"), SCREEN_ADMITTED);
    screen_sweep(screen, start_us + 59 * second);
    assert_int_equal(enter(screen, start_us + 60 * second - 1, 0, "w/1", "10.0.0.1"),
                     SCREEN_BANNED);
    assert_int_equal(enter(screen, start_us + 60 * second, 0, "w/1", "10.0.0.1"), SCREEN_ADMITTED);
    assert_null(screen_ban(screen, start_us, slice_of("w-absent"), 60));
    assert_int_equal(enter(screen, start_us, 3, "w-absent", "10.0.0.1"), SCREEN_BANNED);
    assert_null(screen_ban(screen, start_us, slice_of("a,b"), 60));
    screen_destroy(screen);
}

static void the_second_strike_bans_the_address(void **state)
{
    struct screen *screen = make(64);
    (void)state;
    assert_int_equal(enter(screen, start_us, 0, "w-1", "10.0.0.1"), SCREEN_ADMITTED);
    assert_int_equal(enter(screen, start_us, 1, "w-2", "10.0.0.1"), SCREEN_ADMITTED);
    (void)screen_ban(screen, start_us, slice_of("w-1"), 60);
    (void)screen_ban(screen, start_us, slice_of("w-1"), 60); /* the same strike */
    assert_int_equal(enter(screen, start_us, 3, "w-3", "10.0.0.1"), SCREEN_ADMITTED);
    (void)screen_ban(screen, start_us, slice_of("w-2"), 60);
    assert_int_equal(enter(screen, start_us, 4, "w-4", "10.0.0.1"), SCREEN_BANNED);
    assert_int_equal(enter(screen, start_us + 60 * second, 4, "w-4", "10.0.0.1"), SCREEN_ADMITTED);
    for (int i = 10; i < 15; i++) { /* never a proxy's */
        char id[8];
        (void)snprintf(id, sizeof id, "p-%d", i);
        assert_int_equal(enter(screen, start_us, i, id, "127.0.0.1"), SCREEN_ADMITTED);
        (void)screen_ban(screen, start_us, slice_of(id), 60);
    }
    screen_destroy(screen);
}

static void strikes_are_forgotten_after_an_hour(void **state)
{
    struct screen *screen = make(64);
    const uint64_t later = start_us + 3600 * second;
    (void)state;
    assert_int_equal(enter(screen, start_us, 0, "w-1", "10.0.0.1"), SCREEN_ADMITTED);
    (void)screen_ban(screen, start_us, slice_of("w-1"), 60);
    screen_leave(screen, &handles[0]);
    screen_sweep(screen, later);
    assert_int_equal(enter(screen, later, 0, "w-2", "10.0.0.1"), SCREEN_ADMITTED);
    (void)screen_ban(screen, later, slice_of("w-2"), 60);
    assert_int_equal(enter(screen, later, 1, "w-3", "10.0.0.1"), SCREEN_ADMITTED);
    screen_destroy(screen);
}

static void whoever_sends_nonsense_only_is_banned(void **state)
{
    struct screen *screen = make(64);
    (void)state;
    assert_int_equal(enter(screen, start_us, 0, "w-1", "10.0.0.1"), SCREEN_ADMITTED);
    for (int i = 1; i < SCREEN_MALFORMED_MAX; i++)
        assert_int_equal(inspect(screen, 0, "result/ondemand", slice_of("x")), SCREEN_MALFORMED);
    assert_int_equal(inspect(screen, 0, "result/ondemand", slice_of("x")), SCREEN_HOSTILE);
    screen_leave(screen, &handles[0]);
    assert_int_equal(enter(screen, start_us, 0, "w-1", "10.0.0.1"), SCREEN_BANNED);
    screen_destroy(screen);
}

static void many_strangers_leave_room_for_more(void **state)
{
    struct screen *screen = make(1);
    char address[20];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        (void)snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, (i >> 8) & 255, i & 255);
        assert_int_equal(enter(screen, start_us, 0, "w-1", address), SCREEN_ADMITTED);
        screen_leave(screen, &handles[0]);
    }
    assert_int_equal(enter(screen, start_us, 0, "w-1", "11.0.0.1"), SCREEN_ADMITTED);
    assert_int_equal(enter(screen, start_us, 1, "w-2", "11.0.0.1"), SCREEN_CROWDED);
    screen_destroy(screen);
}

static void persistent_sessions_are_few(void **state)
{
    struct screen *screen = make(64);
    (void)state;
    for (int i = 0; i < 300; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "s-%d", i);
        const struct screen_login login = {.connection = &handles[0],
                                           .id = slice_of(id),
                                           .address = slice_of("10.0.0.1"),
                                           .persistent = true};
        assert_int_equal(screen_admit(screen, start_us, &login),
                         i < 256 ? SCREEN_ADMITTED : SCREEN_SESSIONS);
    }
    assert_int_equal(enter(screen, start_us, 0, "clean", "10.0.0.1"), SCREEN_ADMITTED);
    screen_destroy(screen);
}

static void ids_have_an_end(void **state)
{
    struct screen *screen = make(64);
    char id[200] = {0};
    (void)state;
    memset(id, 'x', SCREEN_ID_MAX);
    assert_int_equal(enter(screen, start_us, 0, id, "10.0.0.1"), SCREEN_ADMITTED);
    id[SCREEN_ID_MAX] = 'x';
    assert_int_equal(enter(screen, start_us, 1, id, "10.0.0.1"), SCREEN_BAD_ID);
    screen_destroy(screen);
}

/* Random events; whatever comes, the counters agree with a plain count. */
static void any_order_of_events_leaves_the_counts_right(void **state)
{
    struct screen *screen = make(3);
    bool in[64] = {false};
    uint64_t now = start_us;
    uint64_t inside = 0;
    struct screen_counters counters;
    (void)state;
    srand(7); /* NOLINT(cert-msc32-c,cert-msc51-cpp): the same events each time */
    for (int step = 0; step < 200000; step++) {
        const int handle = rand() % 64; /* NOLINT(cert-msc30-c) */
        char id[16];
        char address[16];
        (void)snprintf(id, sizeof id, "w-%d", rand() % 40); /* NOLINT(cert-msc30-c) */
        (void)snprintf(address, sizeof address, "10.0.0.%d",
                       rand() % 20); /* NOLINT(cert-msc30-c) */
        now += 1000;
        switch (rand() % 4) { /* NOLINT(cert-msc30-c) */
        case 0:
            inside -= in[handle] ? 1 : 0;
            in[handle] = enter(screen, now, handle, id, address) == SCREEN_ADMITTED;
            inside += in[handle] ? 1 : 0;
            break;
        case 1:
            screen_leave(screen, &handles[handle]);
            inside -= in[handle] ? 1 : 0;
            in[handle] = false;
            break;
        case 2:
            if (step % 50 == 0)
                (void)screen_ban(screen, now, slice_of(id), 1);
            break;
        default:
            if (step % 20 == 0)
                screen_sweep(screen, now);
        }
        screen_counters(screen, &counters);
        assert_int_equal(counters.connections, inside);
    }
    screen_destroy(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_results_by_the_grammar_pass),
        cmocka_unit_test(topic_and_payload_may_have_a_kibibyte_together),
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
        cmocka_unit_test(each_connection_has_its_own_bucket),
        cmocka_unit_test(labels_are_harmless_and_unlike_each_other),
        cmocka_unit_test(an_address_is_read_and_its_owner_known),
        cmocka_unit_test(an_address_has_so_many_connections_and_no_more),
        cmocka_unit_test(an_id_in_use_elsewhere_is_taken),
        cmocka_unit_test(a_ban_holds_for_its_time),
        cmocka_unit_test(the_second_strike_bans_the_address),
        cmocka_unit_test(strikes_are_forgotten_after_an_hour),
        cmocka_unit_test(whoever_sends_nonsense_only_is_banned),
        cmocka_unit_test(many_strangers_leave_room_for_more),
        cmocka_unit_test(persistent_sessions_are_few),
        cmocka_unit_test(ids_have_an_end),
        cmocka_unit_test(any_order_of_events_leaves_the_counts_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
