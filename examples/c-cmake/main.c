#include "checksum.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : "123456789";
    printf("%s: %08lx\n", text, checksum(text));
    return 0;
}
