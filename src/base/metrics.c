#include "base/metrics.h"

#include <inttypes.h>
#include <stdio.h>

void metrics_init(struct metrics *metrics, char *data, size_t size)
{
    *metrics = (struct metrics){.data = data, .size = size};
    data[0] = '\0';
}

/* What snprintf() said it has written, or would have. */
static void advance(struct metrics *metrics, int length)
{
    if (length >= 0 && (size_t)length < metrics->size - metrics->length) {
        metrics->length += (size_t)length;
        return;
    }
    metrics->data[metrics->length] = '\0';
    metrics->overflow = true;
}

void metrics_describe(struct metrics *metrics, const char *name, const char *type, const char *help)
{
    advance(metrics, snprintf(metrics->data + metrics->length, metrics->size - metrics->length,
                              "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type));
}

/* The value as text; braces around labels only if there are any. */
static void add_sample(struct metrics *metrics, const char *name, const char *labels,
                       const char *value)
{
    advance(metrics, snprintf(metrics->data + metrics->length, metrics->size - metrics->length,
                              "%s%s%s%s %s\n", name, labels == NULL ? "" : "{",
                              labels == NULL ? "" : labels, labels == NULL ? "" : "}", value));
}

void metrics_sample(struct metrics *metrics, const char *name, const char *labels, double value)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.17g", value);
    add_sample(metrics, name, labels, text);
}

void metrics_sample_u64(struct metrics *metrics, const char *name, const char *labels,
                        uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    add_sample(metrics, name, labels, text);
}
