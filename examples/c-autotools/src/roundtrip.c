#include "roundtrip.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

size_t roundtrip(const char *text, size_t length)
{
    size_t bound = ZSTD_compressBound(length);
    char *packed = malloc(bound);
    char *back = malloc(length);
    size_t result = 0;
    if (packed && back) {
        size_t size = ZSTD_compress(packed, bound, text, length, ZSTD_CLEVEL_DEFAULT);
        if (!ZSTD_isError(size) && ZSTD_decompress(back, length, packed, size) == length &&
            memcmp(text, back, length) == 0)
            result = size;
    }
    free(back);
    free(packed);
    return result;
}
