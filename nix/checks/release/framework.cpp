// As framework.c, with an object on the heap.

#include <CoreFoundation/CoreFoundation.h>
#include <cstdio>

int main() {
  double *volatile seconds = new double(CFAbsoluteTimeGetCurrent());
  printf("%f\n", *seconds);
  delete seconds;
}
