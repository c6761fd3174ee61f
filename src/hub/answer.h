/**
 * answer: the JSON that services get (dpow.md 3.3), the same for POST and WebSocket. No I/O.
 */
#ifndef DPOW_HUB_ANSWER_H
#define DPOW_HUB_ANSWER_H

#include "base/bytes.h"
#include "nano/work.h"

/** Room an answer needs beyond its id; the text of its error has at most 200 bytes. */
enum { ANSWER_ROOM = 640 };

/** What every answer carries besides its own members. */
struct answer_frame {
    struct slice
        id;     /**< The JSON text of the request's id, echoed to the letter; empty for none. */
    int status; /**< As application/problem+json (RFC 9457) with this status; 0: plain. */
};

/**
 * `{"work","hash"[,"clamped":true][,"id"]}`
 * @param clamped the work is for less than was asked, as the operator's limit is
 * @return the answer's length; buffer must have ANSWER_ROOM + frame->id.length bytes
 */
size_t answer_work(char *buffer, const struct root *root, uint64_t nonce, bool clamped,
                   const struct answer_frame *frame);

/** `{"error"[,"id"]}`; buffer likewise, here and below. */
size_t answer_error(char *buffer, const char *error, const struct answer_frame *frame);

/** The error of an expired wait: `{"error","timeout":true[,"id"]}`. */
size_t answer_timeout(char *buffer, const struct answer_frame *frame);

/** `{"error":"Too many requests","retry_after":N[,"id"]}`, in seconds. */
size_t answer_too_many(char *buffer, unsigned retry_after_s, const struct answer_frame *frame);

/**
 * The internal error: the original's prefix, the local time, and a number that the log has too.
 * @param wall_us microseconds since 1970
 */
size_t answer_internal(char *buffer, int64_t wall_us, uint64_t number,
                       const struct answer_frame *frame);

#endif
