#include "base/thread.h"

void thread_hide_signals(sigset_t *before)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, before);
}

void thread_show_signals(const sigset_t *before)
{
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

bool thread_start(pthread_t *handle, void *(*run)(void *argument), void *argument)
{
    sigset_t before;
    pthread_t started;
    /* The mask is inherited: a thread that blocked them itself could be too late. */
    thread_hide_signals(&before);
    const bool good = pthread_create(&started, NULL, run, argument) == 0;
    thread_show_signals(&before);
    if (good)
        *handle = started;
    return good;
}
