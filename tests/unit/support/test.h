/**
 * test: what every unit test includes: cmocka, with the headers it needs before it.
 */
#ifndef DPOW_TESTS_TEST_H
#define DPOW_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** How many elements an array has. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
