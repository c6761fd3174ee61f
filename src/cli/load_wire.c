#include "cli/load_wire.h"

#include "base/json.h"

#include <stdio.h>
#include <strings.h>

enum {
    MESSAGE_MAX = 2048, /* A hub takes no longer ones. */
    HASH_DIGITS = 64,
    FINAL_BIT = 0x80,
    MASK_BIT = 0x80,
    LENGTH_16 = 126, /* The length is in the next two bytes. */
};

static const char no_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";

static bool write_body(const struct load_request_options *options, char body[MESSAGE_MAX + 1],
                       size_t *length, struct error *error)
{
    struct json_writer writer;
    json_writer_init(&writer, body, MESSAGE_MAX + 1);
    json_begin_object(&writer);
    json_key(&writer, "user");
    json_write_text(&writer, options->user);
    json_key(&writer, "api_key");
    json_write_text(&writer, options->api_key);
    if (options->difficulty != NULL) {
        json_key(&writer, "difficulty");
        json_write_text(&writer, options->difficulty);
    }
    json_key(&writer, "hash");
    json_write_text(&writer, no_hash);
    json_key(&writer, "id");
    json_write_u64(&writer, LOAD_ID_FIRST);
    json_end_object(&writer);
    *length = writer.length;
    return !writer.overflow ||
           error_set(error, ERROR_LIMIT, "user and key are too long for a message of %d bytes",
                     MESSAGE_MAX);
}

static size_t write_http_head(char *out, size_t size, const char *host, size_t body_length)
{
    return (size_t)snprintf(out, size,
                            "POST /service/ HTTP/1.1\r\nHost: %s\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                            host, body_length);
}

static size_t write_frame_head(char *out, unsigned opcode, size_t length,
                               const uint8_t mask[LOAD_MASK_SIZE])
{
    size_t used = 0;
    out[used++] = (char)(FINAL_BIT | opcode);
    if (length < LENGTH_16) {
        out[used++] = (char)(MASK_BIT | length);
    } else {
        out[used++] = (char)(MASK_BIT | LENGTH_16);
        out[used++] = (char)(length >> 8);
        out[used++] = (char)(length & 0xff);
    }
    memcpy(out + used, mask, LOAD_MASK_SIZE);
    return used + LOAD_MASK_SIZE;
}

/* Masks what begins at an offset of the payload. */
static void mask_bytes(char *bytes, size_t length, size_t offset,
                       const uint8_t mask[LOAD_MASK_SIZE])
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)((uint8_t)bytes[i] ^ mask[(offset + i) % LOAD_MASK_SIZE]);
}

bool load_request_make(const struct load_request_options *options, struct load_request *request,
                       struct error *error)
{
    char body[MESSAGE_MAX + 1];
    size_t length;
    if (!write_body(options, body, &length, error))
        return false;
    request->masked = options->websocket;
    memcpy(request->mask, options->mask, LOAD_MASK_SIZE);
    request->payload_at = options->websocket
                              ? write_frame_head(request->bytes, 1, length, options->mask)
                              : write_http_head(request->bytes, sizeof request->bytes - MESSAGE_MAX,
                                                options->host, length);
    if (request->payload_at >= sizeof request->bytes - MESSAGE_MAX)
        return error_set(error, ERROR_LIMIT, "the host's name is too long");
    memcpy(request->bytes + request->payload_at, body, length);
    request->length = request->payload_at + length;
    request->id_at = request->length - strlen("10}");
    request->hash_at = request->id_at - strlen("\",\"id\":") - HASH_DIGITS;
    if (request->masked)
        mask_bytes(request->bytes + request->payload_at, length, 0, request->mask);
    return true;
}

static void put(const struct load_request *request, char *out, size_t at, const char *text,
                size_t length)
{
    memcpy(out + at, text, length);
    if (request->masked)
        mask_bytes(out + at, length, at - request->payload_at, request->mask);
}

size_t load_request_write(const struct load_request *request, char *out, const char *hash,
                          unsigned id)
{
    const unsigned number = LOAD_ID_FIRST + id;
    const char digits[2] = {(char)('0' + number / 10), (char)('0' + number % 10)};
    memcpy(out, request->bytes, request->length);
    put(request, out, request->hash_at, hash, HASH_DIGITS);
    put(request, out, request->id_at, digits, sizeof digits);
    return request->length;
}

static bool read_digits(struct slice text, size_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i >= 9)
            return false;
        *number = *number * 10 + (size_t)(text.data[i] - '0');
    }
    return text.length > 0;
}

/* The length that the lines of a head tell; 0 if they tell none, which is right for an answer
 * without body. */
static bool read_content_length(struct slice head, size_t *length)
{
    static const char name[] = "\r\nContent-Length:";
    *length = 0;
    const char *end = head.data + head.length;
    for (const char *line = head.data; line != NULL && (size_t)(end - line) > sizeof name;
         line = memchr(line + 1, '\r', (size_t)(end - line) - 1)) {
        if (strncasecmp(line, name, sizeof name - 1) != 0)
            continue;
        const char *value = line + sizeof name - 1;
        while (value < end && *value == ' ')
            value++;
        const char *stop = memchr(value, '\r', (size_t)(end - value));
        return stop != NULL && read_digits((struct slice){value, (size_t)(stop - value)}, length);
    }
    return true;
}

enum load_reading load_response_read(struct slice bytes, struct load_response *response)
{
    enum { STATUS_AT = 9, STATUS_DIGITS = 3 };
    static const char version[] = "HTTP/1.1 ";
    size_t status;
    size_t length;
    const char *end = memmem(bytes.data, bytes.length, "\r\n\r\n", 4);
    if (end == NULL)
        return LOAD_PARTIAL;
    const struct slice head = {bytes.data, (size_t)(end + 2 - bytes.data)};
    if (head.length < STATUS_AT + STATUS_DIGITS || memcmp(head.data, version, STATUS_AT) != 0 ||
        !read_digits((struct slice){head.data + STATUS_AT, STATUS_DIGITS}, &status) ||
        !read_content_length(head, &length))
        return LOAD_MALFORMED;
    response->status = (unsigned)status;
    response->body = (struct slice){end + 4, length};
    response->size = head.length + 2 + length;
    return response->size <= bytes.length ? LOAD_COMPLETE : LOAD_PARTIAL;
}

enum load_reading load_frame_read(struct slice bytes, struct load_frame *frame)
{
    const uint8_t *data = (const uint8_t *)bytes.data;
    if (bytes.length < 2)
        return LOAD_PARTIAL;
    if ((data[0] & 0xf0) != FINAL_BIT || data[1] > LENGTH_16)
        return LOAD_MALFORMED;
    const size_t header = data[1] == LENGTH_16 ? 4 : 2;
    if (bytes.length < header)
        return LOAD_PARTIAL;
    const size_t length = header == 4 ? (size_t)data[2] << 8 | data[3] : data[1];
    frame->opcode = data[0] & 0x0f;
    frame->payload = (struct slice){bytes.data + header, length};
    frame->size = header + length;
    return frame->size <= bytes.length ? LOAD_COMPLETE : LOAD_PARTIAL;
}

size_t load_control_write(char *out, unsigned opcode, struct slice payload,
                          const uint8_t mask[LOAD_MASK_SIZE])
{
    const size_t head = write_frame_head(out, opcode, payload.length, mask);
    if (payload.length > 0)
        memcpy(out + head, payload.data, payload.length);
    mask_bytes(out + head, payload.length, 0, mask);
    return head + payload.length;
}

struct slice load_member(struct slice json, const char *quoted_name)
{
    const struct slice none = {NULL, 0};
    const size_t name_length = strlen(quoted_name);
    const char *end = json.data + json.length;
    const char *at = memmem(json.data, json.length, quoted_name, name_length);
    if (at == NULL)
        return none;
    at += name_length;
    while (at < end && (*at == ' ' || *at == ':'))
        at++;
    const bool string = at < end && *at == '"';
    const char *stop = at += string;
    if (string) {
        while (stop < end && *stop != '"')
            stop += *stop == '\\' && end - stop > 1 ? 2 : 1;
    } else {
        while (stop < end && *stop != ',' && *stop != '}' && *stop != ' ')
            stop++;
    }
    return stop < end ? (struct slice){at, (size_t)(stop - at)} : none;
}

unsigned load_answer_id(struct slice json)
{
    size_t number;
    if (!read_digits(load_member(json, "\"id\""), &number) || number < LOAD_ID_FIRST ||
        number - LOAD_ID_FIRST >= LOAD_ID_COUNT)
        return LOAD_ID_COUNT;
    return (unsigned)(number - LOAD_ID_FIRST);
}
