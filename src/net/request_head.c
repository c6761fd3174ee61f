#include "net/http_client_internal.h"

#include <openssl/evp.h>
#include <stdio.h>

/* Where the target ends: a fragment is not sent. */
static size_t target_length(const struct url *url)
{
    return strcspn(url->path, "#");
}

/* A space or a control character would end the target, or the line, early. */
static bool target_is_clean(const struct url *url)
{
    for (size_t i = 0; i < target_length(url); i++)
        if ((unsigned char)url->path[i] <= ' ' || url->path[i] == 0x7f)
            return false;
    return true;
}

/* RFC 7617. */
static void write_credentials(const struct url *url, char *out, size_t size)
{
    char plain[sizeof url->user + sizeof url->password];
    unsigned char coded[sizeof plain * 4 / 3 + 4];
    out[0] = '\0';
    if (url->user[0] == '\0')
        return;
    const int length = snprintf(plain, sizeof plain, "%s:%s", url->user, url->password);
    (void)EVP_EncodeBlock(coded, (const unsigned char *)plain, length);
    (void)snprintf(out, size, "Authorization: Basic %s\r\n", (const char *)coded);
}

size_t request_head(const char *method, const struct url *url, char head[REQUEST_HEAD_MAX],
                    struct error *error)
{
    char credentials[512];
    char port[8] = "";
    const bool ip6 = strchr(url->host, ':') != NULL;
    if (!target_is_clean(url)) {
        (void)error_set(error, ERROR_INVALID,
                        "URL: the path must not have spaces or control characters");
        return 0;
    }
    if (strchr(url->user, ':') != NULL) {
        (void)error_set(error, ERROR_INVALID, "URL: the user must not have a colon");
        return 0;
    }
    write_credentials(url, credentials, sizeof credentials);
    if (url->port != 0)
        (void)snprintf(port, sizeof port, ":%u", url->port);
    const int length =
        snprintf(head, REQUEST_HEAD_MAX, "%s %s%.*s HTTP/1.1\r\nHost: %s%.*s%s%s\r\n%s", method,
                 url->path[0] == '/' ? "" : "/", (int)target_length(url), url->path, ip6 ? "[" : "",
                 (int)strcspn(url->host, "%"), /* a zone means something on this machine only */
                 url->host, ip6 ? "]" : "", port, credentials);
    if (length < 0 || length >= REQUEST_HEAD_MAX) {
        (void)error_set(error, ERROR_INVALID, "the request's method is too long");
        return 0;
    }
    return (size_t)length;
}
