#ifndef ROUNDTRIP_H
#define ROUNDTRIP_H

#include <stddef.h>

/* Compresses a text and back. Gives the bytes that it took meanwhile, or 0 if it came back as another. */
size_t roundtrip(const char *text, size_t length);

#endif
