/**
 * node: what the parts above learn from a Nano node. Nothing here is trusted more than its text can
 * prove, and nothing is lost when the node is not there: everything is asked again.
 *
 * Start at confirmations.h (confirmed blocks over the node's WebSocket) and node_rpc.h (where the
 * chains of accounts are). What the messages mean is read by block_message.h and frontiers_reply.h,
 * which do no I/O.
 *
 * This folder includes `base`, `nano` and `net`; it knows no part above it. Everything runs on the
 * one event-loop thread.
 */
#ifndef DPOW_NODE_NODE_H
#define DPOW_NODE_NODE_H

#include "node/block_message.h"
#include "node/confirmations.h"
#include "node/frontiers_reply.h"
#include "node/node_rpc.h"

#endif
