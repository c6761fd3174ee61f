/**
 * utf8: which bytes are well-formed UTF-8, and which of it moves a terminal's cursor.
 */
#ifndef DPOW_BASE_UTF8_H
#define DPOW_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/**
 * The length of the well-formed sequence (RFC 3629) that data begins with.
 * @param available how many bytes may be looked at, at least 1
 * @return 1 to 4; 0 if it is cut, overlong, a surrogate, beyond U+10FFFF or no UTF-8 at all
 */
size_t utf8_length(const char *data, size_t available);

/**
 * Whether a well-formed sequence is a control character: U+0000 to U+001F and U+007F to U+009F.
 * Its number is then the value of its last byte.
 * @param length what utf8_length() returned for it, not 0
 */
bool utf8_is_control(const char *data, size_t length);

#endif
