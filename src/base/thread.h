/**
 * thread: starts threads that never see the process's signals, which are for its main thread.
 */
#ifndef DPOW_BASE_THREAD_H
#define DPOW_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/**
 * Starts a thread with all signals blocked. Any thread.
 * @param handle for pthread_join(); set only on success
 * @return false if the system gives no thread
 */
bool thread_start(pthread_t *handle, void *(*run)(void *argument), void *argument);

/**
 * Blocks all signals for the calling thread: what a library starts meanwhile inherits it.
 * @param before what to give thread_show_signals()
 */
void thread_hide_signals(sigset_t *before);

/** Ends that. */
void thread_show_signals(const sigset_t *before);

#endif
