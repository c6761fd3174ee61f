/* URLs and addresses from the command line and from configuration files. */
#include "net/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct url url;
    struct listen_address address;
    struct error error;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (url_parse(text, &url, &error) && (url.scheme[0] == '\0' || url.host[0] == '\0'))
        abort();
    if (listen_address_parse(text, &address, &error) && address.host[0] == '\0')
        abort();
    free(text);
    return 0;
}
