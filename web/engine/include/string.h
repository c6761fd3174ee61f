/* The functions of the C library that the search uses: WebAssembly has no library of its own. */
#ifndef DPOW_WEB_STRING_H
#define DPOW_WEB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);

#endif
