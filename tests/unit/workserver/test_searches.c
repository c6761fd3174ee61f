#include "test.h"

#include "workserver/searches.h"

/* What the loop was told. */
struct scene {
    uv_loop_t loop;
    struct searches *searches;
    struct search_end last;
    bool current;
    int ends;
};

static void on_end(void *context, const struct search_end *end, bool current)
{
    struct scene *scene = context;
    scene->last = *end;
    scene->current = current;
    scene->ends++;
    uv_stop(&scene->loop);
}

static void on_device(void *context, const struct device_event *event)
{
    (void)context;
    (void)event;
}

static void open_scene(struct scene *scene, unsigned places)
{
    struct error error;
    struct device_list devices;
    *scene = (struct scene){.ends = 0};
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_true(device_list_parse("cpu:1", NULL, &devices, &error));
    scene->searches = searches_create(&(struct searches_options){.loop = &scene->loop,
                                                                 .devices = &devices,
                                                                 .places = places,
                                                                 .on_end = on_end,
                                                                 .on_device = on_device,
                                                                 .context = scene},
                                      &error);
    assert_non_null(scene->searches);
}

static void close_scene(struct scene *scene)
{
    searches_close(scene->searches);
    (void)uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
}

static void start(struct scene *scene, unsigned place, uint8_t number, uint64_t threshold)
{
    const struct root root = {{number}};
    struct error error;
    assert_true(searches_start(scene->searches, place, &root, threshold, &error));
}

static void a_find_comes_to_the_loop(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 1);
    start(&scene, 0, 7, 0xfff0000000000000);
    (void)uv_run(&scene.loop, UV_RUN_DEFAULT);
    assert_int_equal(scene.last.outcome, SEARCH_FOUND);
    assert_true(scene.current);
    assert_true(work_value(scene.last.nonce, &scene.last.root) == scene.last.value);
    assert_int_equal(scene.last.root.bytes[0], 7);
    close_scene(&scene);
}

static void what_is_stopped_or_replaced_is_not_told_as_current(void **state)
{
    (void)state;
    struct scene scene;
    struct engine_stats stats;
    open_scene(&scene, 2);
    start(&scene, 0, 1, UINT64_MAX);
    searches_stop(scene.searches, 0);
    searches_stop(scene.searches, 0); /* nothing is searched there any more */
    start(&scene, 1, 2, UINT64_MAX);
    start(&scene, 1, 3, 0); /* in place of it */
    do
        (void)uv_run(&scene.loop, UV_RUN_DEFAULT);
    while (!scene.current);
    assert_int_equal(scene.last.root.bytes[0], 3);
    assert_int_equal(scene.ends, 1);
    engine_stats(searches_engine(scene.searches), &stats);
    assert_int_equal(stats.cancelled, 2);
    assert_int_equal(stats.queued, 0);
    close_scene(&scene);
}

static void closing_ends_what_is_searched(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 1);
    start(&scene, 0, 1, UINT64_MAX);
    close_scene(&scene);
    assert_int_equal(scene.ends, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_find_comes_to_the_loop),
        cmocka_unit_test(what_is_stopped_or_replaced_is_not_told_as_current),
        cmocka_unit_test(closing_ends_what_is_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
