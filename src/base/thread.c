#include "base/thread.h"

#include <signal.h>

bool thread_start(pthread_t *handle, void *(*run)(void *argument), void *argument)
{
    sigset_t all;
    sigset_t before;
    pthread_t started;
    /* The mask is inherited: a thread that blocked them itself could be too late. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool good = pthread_create(&started, NULL, run, argument) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (good)
        *handle = started;
    return good;
}
