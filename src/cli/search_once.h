/**
 * search_once: one search on an engine of its own, which an interrupt signal ends.
 */
#ifndef DPOW_CLI_SEARCH_ONCE_H
#define DPOW_CLI_SEARCH_ONCE_H

#include "base/log.h"
#include "engine/devices.h"

/**
 * Searches until found or until SIGINT or SIGTERM arrives; these are blocked meanwhile, so that no
 * thread of the engine gets them. Called by the main thread before there are others.
 * @param log gets what happens to devices
 * @param end written on success; its outcome is SEARCH_CANCELLED after a signal, SEARCH_FAILED if
 * no device works any more, which the log has said
 * @return false with the error filled if the search could not be started or watched
 */
bool search_once(const struct device_list *devices, const struct root *root, uint64_t threshold,
                 const struct log *log, struct search_end *end, struct error *error);

#endif
