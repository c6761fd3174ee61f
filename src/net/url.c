#include "net/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

static bool refuse(struct error *error, const char *what)
{
    return error_set(error, ERROR_INVALID, "URL: %s", what);
}

static bool copy(struct slice text, char *out, size_t size)
{
    if (text.length >= size || memchr(text.data, '\0', text.length) != NULL)
        return false;
    memcpy(out, text.data, text.length);
    out[text.length] = '\0';
    return true;
}

static int hex_value(char digit)
{
    if (isdigit((unsigned char)digit))
        return digit - '0';
    if (isxdigit((unsigned char)digit))
        return tolower((unsigned char)digit) - 'a' + 10;
    return -1;
}

/* Copies with %XX resolved; a NUL cannot be meant. */
static bool copy_decoded(struct slice text, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        if (byte == '%') {
            if (i + 2 >= text.length || hex_value(text.data[i + 1]) < 0 ||
                hex_value(text.data[i + 2]) < 0)
                return false;
            byte = (char)((unsigned)hex_value(text.data[i + 1]) << 4 |
                          (unsigned)hex_value(text.data[i + 2]));
            i += 2;
        }
        if (byte == '\0' || used + 1 >= size)
            return false;
        out[used++] = byte;
    }
    out[used] = '\0';
    return true;
}

static bool parse_port(struct slice text, uint16_t *port)
{
    unsigned value = 0;
    if (text.length == 0 || text.length > 5)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (!isdigit((unsigned char)text.data[i]))
            return false;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= 65535;
}

/* Splits "host", "host:port", "[ip6]" or "[ip6]:port"; port.data is NULL where there is none. */
static bool split_host(struct slice text, struct slice *host, struct slice *port)
{
    *port = (struct slice){NULL, 0};
    size_t end = 0;
    if (text.length > 0 && text.data[0] == '[') {
        const char *bracket = memchr(text.data, ']', text.length);
        if (bracket == NULL)
            return false;
        *host = (struct slice){text.data + 1, (size_t)(bracket - text.data) - 1};
        end = host->length + 2;
    } else {
        const char *colon = memchr(text.data, ':', text.length);
        end = colon != NULL ? (size_t)(colon - text.data) : text.length;
        *host = (struct slice){text.data, end};
    }
    if (end == text.length)
        return true;
    *port = (struct slice){text.data + end + 1, text.length - end - 1};
    return text.data[end] == ':';
}

static bool parse_scheme(const char *text, size_t length, struct url *url)
{
    if (length == 0 || length >= sizeof url->scheme)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '+')
            return false;
        url->scheme[i] = (char)tolower((unsigned char)text[i]);
    }
    return true;
}

static bool parse_user(struct slice text, struct url *url)
{
    const char *colon = memchr(text.data, ':', text.length);
    struct slice user = text;
    struct slice password = {text.data, 0};
    if (colon != NULL) {
        user.length = (size_t)(colon - text.data);
        password = (struct slice){colon + 1, text.length - user.length - 1};
    }
    return copy_decoded(user, url->user, sizeof url->user) &&
           copy_decoded(password, url->password, sizeof url->password);
}

static const char *find_last(struct slice text, char character)
{
    for (size_t i = text.length; i > 0; i--)
        if (text.data[i - 1] == character)
            return text.data + i - 1;
    return NULL;
}

bool url_parse(const char *text, struct url *url, struct error *error)
{
    struct url read = {0};
    const char *separator = strstr(text, "://");
    if (separator == NULL || !parse_scheme(text, (size_t)(separator - text), &read))
        return refuse(error, "it must begin with scheme:// (mqtt://, http://, …)");
    const char *rest = separator + 3;
    struct slice authority = {rest, strcspn(rest, "/?#")};
    const char *path = rest + authority.length;
    const char *at = find_last(authority, '@');
    if (at != NULL) {
        if (!parse_user((struct slice){rest, (size_t)(at - rest)}, &read))
            return refuse(error, "user and password must have at most 127 bytes and valid %XX");
        authority.length -= (size_t)(at - rest) + 1;
        authority.data = at + 1;
    }
    struct slice host;
    struct slice port;
    if (!split_host(authority, &host, &port) || host.length == 0 ||
        !copy(host, read.host, sizeof read.host))
        return refuse(error, "the host is missing or malformed (IPv6 needs brackets)");
    for (const char *c = read.host; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr(".-_:%", *c) == NULL)
            return refuse(error, "the host has a character that no name or address has");
    if (port.data != NULL && (!parse_port(port, &read.port) || read.port == 0))
        return refuse(error, "the port must be 1 to 65535");
    if (!copy(slice_of(path), read.path, sizeof read.path))
        return refuse(error, "the path must have at most 511 bytes");
    *url = read;
    return true;
}

bool listen_address_parse(const char *text, struct listen_address *address, struct error *error)
{
    struct listen_address read = {0};
    struct slice host;
    struct slice port;
    unsigned char binary[16];
    if (!split_host(slice_of(text), &host, &port) || port.data == NULL ||
        !copy(host, read.host, sizeof read.host) || !parse_port(port, &read.port) ||
        (inet_pton(AF_INET, read.host, binary) != 1 && inet_pton(AF_INET6, read.host, binary) != 1))
        return error_set(error, ERROR_INVALID,
                         "%.64s: must be ADDRESS:PORT with a numeric address and a port of 0 to "
                         "65535, like 127.0.0.1:5030 or [::1]:5030",
                         text);
    *address = read;
    return true;
}
