#include "base/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void metrics_init(struct metrics *metrics, char *data, size_t size)
{
    *metrics = (struct metrics){.data = data, .size = size};
    data[0] = '\0';
}

__attribute__((format(printf, 2, 3))) static void add(struct metrics *metrics, const char *format,
                                                      ...)
{
    const size_t room = metrics->size - metrics->length;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(metrics->data + metrics->length, room, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < room) {
        metrics->length += (size_t)length;
        return;
    }
    metrics->data[metrics->length] = '\0';
    metrics->overflow = true;
}

void metrics_describe(struct metrics *metrics, const char *name, const char *type, const char *help)
{
    add(metrics, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Names and labels, with braces around labels only if there are any. */
static const char *open_brace(const char *labels)
{
    return labels == NULL ? "" : "{";
}

static const char *close_brace(const char *labels)
{
    return labels == NULL ? "" : "}";
}

void metrics_sample(struct metrics *metrics, const char *name, const char *labels, double value)
{
    add(metrics, "%s%s%s%s %.17g\n", name, open_brace(labels), labels == NULL ? "" : labels,
        close_brace(labels), value);
}

void metrics_sample_u64(struct metrics *metrics, const char *name, const char *labels,
                        uint64_t value)
{
    add(metrics, "%s%s%s%s %" PRIu64 "\n", name, open_brace(labels), labels == NULL ? "" : labels,
        close_brace(labels), value);
}
