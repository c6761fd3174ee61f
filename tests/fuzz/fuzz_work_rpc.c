/* The body of a request to the work server: whatever it is, it is refused with a text, or read into
 * something whose answer is JSON. */
#include "base/json.h"
#include "workserver/rpc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct rpc_rules rules = {network_find("live"), 0, UINT64_MAX};
    struct rpc_request request;
    struct rpc_fault fault = {0, NULL, NULL};
    const bool read = rpc_parse((struct slice){(const char *)data, size}, &rules, &request, &fault);
    char *buffer = malloc(RPC_ANSWER_ROOM + request.id.length);
    if (buffer == NULL)
        return 0;
    if (!read && (fault.error == NULL || (fault.status != 200 && fault.status != 400)))
        abort();
    if (read && request.kind == RPC_BENCHMARK && (request.count < 1 || request.count > 10000))
        abort();
    const size_t length = read ? rpc_write_validation(buffer, &request, rules.network)
                               : rpc_write_fault(buffer, &fault, request.id);
    if (!json_valid((struct slice){buffer, length}))
        abort();
    free(buffer);
    return 0;
}
