/**
 * net: adapters between sockets and the parts above. Everything here runs on the one event-loop
 * thread (libuv) and calls back on it.
 *
 * Start at http_server.h (requests, and WebSockets that grow out of them), tls.h (the encryption of
 * them), mqtt_client.h (a connection to a broker), http_client.h (one request to a service) and
 * websocket_client.h (a connection to one). A part is handed parsed requests, messages and text; it
 * never sees a socket. This layer includes `base` and `nano`, and knows no part above it.
 */
#ifndef DPOW_NET_NET_H
#define DPOW_NET_NET_H

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/mqtt_client.h"
#include "net/tls.h"
#include "net/url.h"
#include "net/websocket_client.h"

#endif
