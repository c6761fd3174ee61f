#include "cli/search_once.h"

#include "cli/directories.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The engine's thread writes the end, then adds to the event; the main thread reads the event, then
 * the end. */
struct search_wait {
    int ended;   /* eventfd */
    int signals; /* signalfd */
    const struct log *log;
    struct search_end end;
};

static void note_end(void *context, const struct search_end *end)
{
    struct search_wait *wait = context;
    wait->end = *end;
    (void)eventfd_write(wait->ended, 1);
}

static void log_device(void *context, const struct device_event *event)
{
    const struct search_wait *wait = context;
    log_write(wait->log, event->working ? LOG_INFO : LOG_WARNING, "%s", event->text);
}

static bool open_signals(struct search_wait *wait, sigset_t *before, struct error *error)
{
    sigset_t caught;
    (void)sigemptyset(&caught);
    (void)sigaddset(&caught, SIGINT);
    (void)sigaddset(&caught, SIGTERM);
    wait->signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
    if (wait->signals < 0)
        return error_set(error, ERROR_SYSTEM, "cannot watch signals: %s", strerror(errno));
    (void)pthread_sigmask(SIG_BLOCK, &caught, before);
    return true;
}

/* Waits for the end or a signal; a signal cancels the search, and that is an end too. */
static bool wait_for_end(struct search_wait *wait, struct engine *engine, search_id id,
                         struct error *error)
{
    struct pollfd watched[] = {
        {.fd = wait->ended, .events = POLLIN},
        {.fd = wait->signals, .events = POLLIN},
    };
    while (poll(watched, 2, -1) < 0)
        if (errno != EINTR)
            return error_set(error, ERROR_SYSTEM, "cannot wait for the search: %s",
                             strerror(errno));
    if (watched[0].revents == 0)
        (void)engine_cancel(engine, id);
    eventfd_t count;
    while (eventfd_read(wait->ended, &count) != 0)
        if (errno != EINTR)
            return error_set(error, ERROR_SYSTEM, "cannot wait for the search: %s",
                             strerror(errno));
    return true;
}

static bool search_and_wait(struct search_wait *wait, const struct device_list *devices,
                            const struct root *root, uint64_t threshold, struct error *error)
{
    char cache[DIRECTORY_SIZE];
    const struct engine_options options = {
        .devices = devices->choices,
        .device_count = devices->count,
        .cache_dir = cache_directory_find(cache),
        .on_end = note_end,
        .on_device = log_device,
        .context = wait,
    };
    struct engine *engine = engine_create(&options, error);
    if (engine == NULL)
        return false;
    const search_id id = engine_search(engine, root, threshold, SEARCH_ONDEMAND, error);
    const bool done = id != 0 && wait_for_end(wait, engine, id, error);
    engine_destroy(engine);
    return done;
}

bool search_once(const struct device_list *devices, const struct root *root, uint64_t threshold,
                 const struct log *log, struct search_end *end, struct error *error)
{
    struct search_wait wait = {.ended = eventfd(0, EFD_CLOEXEC), .log = log};
    if (wait.ended < 0)
        return error_set(error, ERROR_SYSTEM, "cannot make an event: %s", strerror(errno));
    sigset_t before;
    bool done = open_signals(&wait, &before, error);
    if (done) {
        done = search_and_wait(&wait, devices, root, threshold, error);
        /* A second signal of the same kind must not end the process while it prints the result. */
        struct signalfd_siginfo info;
        while (read(wait.signals, &info, sizeof info) > 0)
            continue;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        (void)close(wait.signals);
    }
    (void)close(wait.ended);
    if (done)
        *end = wait.end;
    return done;
}
