// A function of Windows 10 that Wine has since version 9. Programs in Rust use it.

#include <stddef.h>

__declspec(dllimport) unsigned char SystemFunction036(void *data, unsigned long size);

__declspec(dllexport) int ProcessPrng(unsigned char *data, size_t size) { return SystemFunction036(data, size); }
