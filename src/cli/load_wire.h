/**
 * load_wire: the bytes that the load generator sends to a hub and reads from it. No I/O.
 *
 * Requests are made once and only their hash and id are put in for each sending; of answers no more
 * is read than where they end and the value of a member: the generator shares its machine with the
 * hub that it measures.
 */
#ifndef DPOW_CLI_LOAD_WIRE_H
#define DPOW_CLI_LOAD_WIRE_H

#include "base/bytes.h"
#include "base/error.h"

enum {
    LOAD_REQUEST_SIZE = 4096, /**< Room for one request with all that is around it. */
    LOAD_ID_FIRST = 10,       /**< Ids are two digits, so that all requests are of one length. */
    LOAD_ID_COUNT = 64,
    LOAD_MASK_SIZE = 4,
    LOAD_CONTROL_MAX = 125, /**< Payload of a control frame (RFC 6455 5.5). */
};

/** What makes a request, but for its hash and id. Texts are NUL-terminated and borrowed. */
struct load_request_options {
    bool websocket;
    const char *host; /**< For the Host header. */
    const char *user;
    const char *api_key;
    const char *difficulty; /**< 16 hexadecimal digits, or NULL for the hub's base. */
    uint8_t mask[LOAD_MASK_SIZE];
};

/** A request without its hash and id. Holds the key: to be wiped. */
struct load_request {
    char bytes[LOAD_REQUEST_SIZE];
    size_t length;
    size_t payload_at; /**< Where the JSON begins. */
    size_t hash_at;    /**< Where 64 digits go… */
    size_t id_at;      /**< …and 2. */
    bool masked;
    uint8_t mask[LOAD_MASK_SIZE];
};

/** Makes the request; ERROR_LIMIT if user and key are too long for a message. */
bool load_request_make(const struct load_request_options *options, struct load_request *request,
                       struct error *error);

/**
 * Writes a request's bytes.
 * @param out room for LOAD_REQUEST_SIZE bytes
 * @param hash 64 digits
 * @param id from 0 to LOAD_ID_COUNT - 1
 * @return how many bytes were written
 */
size_t load_request_write(const struct load_request *request, char *out, const char *hash,
                          unsigned id);

/** Whether what has come is all of a message. */
enum load_reading { LOAD_PARTIAL, LOAD_COMPLETE, LOAD_MALFORMED };

/** An HTTP response. Borrows the bytes it was read from. */
struct load_response {
    unsigned status;
    struct slice body;
    size_t size; /**< Head and body. */
};

/** Reads a response whose length is told by Content-Length, or that has no body. */
enum load_reading load_response_read(struct slice bytes, struct load_response *response);

/** A frame of a server: not masked, not fragmented. Borrows the bytes it was read from. */
struct load_frame {
    unsigned opcode; /**< RFC 6455 5.2: 1 text, 8 close, 9 ping, 10 pong. */
    struct slice payload;
    size_t size; /**< With its header. */
};

enum load_reading load_frame_read(struct slice bytes, struct load_frame *frame);

/**
 * Writes a masked control frame.
 * @param out room for LOAD_CONTROL_MAX + 6 bytes
 * @param payload at most LOAD_CONTROL_MAX bytes
 */
size_t load_control_write(char *out, unsigned opcode, struct slice payload,
                          const uint8_t mask[LOAD_MASK_SIZE]);

/**
 * The value of a member of an object, found by its name wherever that stands: enough for a hub's
 * answers, which are small and flat.
 * @param quoted_name with its quotes
 * @return the text between a string's quotes, escapes not resolved, or the digits or letters of
 *         another value; data is NULL if there is none
 */
struct slice load_member(struct slice json, const char *quoted_name);

/** The number of a request's slot from an answer; LOAD_ID_COUNT if it tells none. */
unsigned load_answer_id(struct slice json);

#endif
