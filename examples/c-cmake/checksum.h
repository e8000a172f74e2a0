#ifndef CHECKSUM_H
#define CHECKSUM_H

/* The CRC-32 of a text, as gzip and PNG have it. */
unsigned long checksum(const char *text);

#endif
