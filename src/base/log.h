/**
 * log: one line an event on standard error; text at a terminal, JSON otherwise (cli.md).
 *
 * A log is opened by the command and handed down; nothing reaches for a global one. Lines are
 * written with one write() each, so lines of several threads do not mix. Secrets are never passed.
 */
#ifndef DPOW_BASE_LOG_H
#define DPOW_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/** Where a part writes its log; copied freely, never changed after the start, any thread. */
struct log {
    int descriptor; /**< Where lines go; not owned. */
    enum log_format format;
    enum log_level level; /**< What is less than this is dropped. */
    const char *part;     /**< Names the writer in each line: "hub", "broker"; a literal. */
};

/** Reads "text" or "json". */
bool log_format_parse(const char *text, enum log_format *format);

/** Reads "debug", "info", "warning" or "error". */
bool log_level_parse(const char *text, enum log_level *level);

/** The same log under the name of another part. */
struct log log_for_part(const struct log *log, const char *part);

/**
 * Writes one line: time, level, part and the text. What could move a terminal's cursor or forge a
 * line is escaped: control characters and, in text, bytes that are not UTF-8.
 * A text over 1,000 bytes is cut. Failures to write are ignored: there is nowhere to tell.
 */
void log_write(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
