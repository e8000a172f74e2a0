#include "config.h"
#include "roundtrip.h"

#include <stdio.h>
#include <string.h>

int main(void)
{
    char text[100000];
    memset(text, 'a', sizeof text);
    size_t packed = roundtrip(text, sizeof text);
    if (packed == 0 || packed >= sizeof text) {
        fprintf(stderr, "%s: the text did not come back\n", PACKAGE);
        return 1;
    }
    printf("%s %s: %zu bytes came back\n", PACKAGE, VERSION, sizeof text);
    return 0;
}
