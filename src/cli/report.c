#include "cli/frame_internal.h"

#include <stdarg.h>

void report_problem(const char *name, const char *text)
{
    (void)fprintf(stderr, "%s: %s\n", name, text);
}

int report_misuse(const char *name, const char *text)
{
    (void)fprintf(stderr, "%s: %s; see %s --help\n", name, text, name);
    return EXIT_USAGE;
}

int command_fail(const struct invocation *invocation, const struct error *error)
{
    report_problem(invocation->name, error->text);
    return EXIT_FAILED;
}

int command_misused(const struct invocation *invocation, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return report_misuse(invocation->name, text);
}

int command_print(const struct invocation *invocation, const char *text)
{
    if (printf("%s\n", text) >= 0 && fflush(stdout) == 0)
        return EXIT_DONE;
    report_problem(invocation->name, "cannot write to standard output");
    return EXIT_FAILED;
}
