#include "test.h"

#include "base/thread.h"

#include <signal.h>

static void *tell_mask(void *argument)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, argument);
    return NULL;
}

static void a_thread_blocks_all_signals_and_its_starter_none_more(void **state)
{
    (void)state;
    pthread_t thread;
    sigset_t inside;
    sigset_t outside;
    (void)sigemptyset(&inside);
    assert_true(thread_start(&thread, tell_mask, &inside));
    (void)pthread_join(thread, NULL);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &outside);
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1};
    for (size_t i = 0; i < COUNT(signals); i++) {
        assert_int_equal(sigismember(&inside, signals[i]), 1);
        assert_int_equal(sigismember(&outside, signals[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_blocks_all_signals_and_its_starter_none_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
