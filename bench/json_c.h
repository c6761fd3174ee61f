/**
 * json_c: json-c's part of bench_json, apart because its types have the names of ours.
 */
#ifndef DPOW_BENCH_JSON_C_H
#define DPOW_BENCH_JSON_C_H

#include <stddef.h>

/** Parses, looks three members up, frees; the sum of the lengths found. */
size_t json_c_three(const char *text, size_t length);

#endif
