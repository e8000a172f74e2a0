// Prints what the C library has to do for it: memory, numbers and text.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  char *text = malloc(64);
  snprintf(text, 64, "%.3f %zu", sqrt(argc + 1), strlen("four"));
  puts(text);
  free(text);
  return 0;
}
