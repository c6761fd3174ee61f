/* A service's request: what is accepted keeps to its limits, what is refused has a text. */
#include "hub/service_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_object object;
    static struct service_credentials credentials;
    struct service_request request;
    char error[SERVICE_ERROR_SIZE] = "";
    const struct service_limits limits = {network_find("live"), 0xfffffff800000000, 5.0, false};
    if (!service_request_read((struct slice){(const char *)data, size}, &object, &credentials,
                              error)) {
        must(error[0] != '\0');
        return 0;
    }
    if (credentials.well_formed)
        must(strlen(credentials.user) < SERVICE_USER_SIZE &&
             credentials.api_key.length < SERVICE_KEY_SIZE);
    if (service_request_check(&object, &limits, &request, error))
        must(request.threshold >= limits.network->receive &&
             request.threshold <= 0xfffffffe66666667 && request.timeout_s >= 1 &&
             request.timeout_s <= 30);
    else
        must(error[0] != '\0');
    return 0;
}
