// Functions of strings, since glibc 2.38.

#include <stddef.h>
#include <string.h>

size_t strlcpy(char *to, const char *from, size_t size) {
  size_t length = strlen(from);
  if (size) {
    size_t copied = length < size ? length : size - 1;
    memcpy(to, from, copied);
    to[copied] = 0;
  }
  return length;
}

size_t strlcat(char *to, const char *from, size_t size) {
  size_t length = strnlen(to, size);
  return length == size ? size + strlen(from) : length + strlcpy(to + length, from, size - length);
}

size_t __strlcpy_chk(char *to, const char *from, size_t size, size_t room) {
  if (size > room) __builtin_trap();
  return strlcpy(to, from, size);
}

size_t __strlcat_chk(char *to, const char *from, size_t size, size_t room) {
  if (size > room) __builtin_trap();
  return strlcat(to, from, size);
}
