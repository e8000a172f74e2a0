// Prints the seconds since 2001, which a framework of macOS knows.

#include <CoreFoundation/CoreFoundation.h>
#include <stdio.h>

int main(void) {
  printf("%f\n", CFAbsoluteTimeGetCurrent());
  return 0;
}
