// With headers of glibc 2.38 and later, these names stand for functions that also read binary numbers, such as
// 0b101, as C23 has it. Before, the functions do not.

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
long long __isoc23_strtoll(const char *text, char **end, int base) { return strtoll(text, end, base); }
unsigned long long __isoc23_strtoull(const char *text, char **end, int base) { return strtoull(text, end, base); }
intmax_t __isoc23_strtoimax(const char *text, char **end, int base) { return strtoimax(text, end, base); }
uintmax_t __isoc23_strtoumax(const char *text, char **end, int base) { return strtoumax(text, end, base); }

long __isoc23_wcstol(const wchar_t *text, wchar_t **end, int base) { return wcstol(text, end, base); }
unsigned long __isoc23_wcstoul(const wchar_t *text, wchar_t **end, int base) { return wcstoul(text, end, base); }
long long __isoc23_wcstoll(const wchar_t *text, wchar_t **end, int base) { return wcstoll(text, end, base); }
unsigned long long __isoc23_wcstoull(const wchar_t *text, wchar_t **end, int base) {
  return wcstoull(text, end, base);
}

int __isoc23_vscanf(const char *format, va_list values) { return vscanf(format, values); }
int __isoc23_vfscanf(FILE *file, const char *format, va_list values) { return vfscanf(file, format, values); }
int __isoc23_vsscanf(const char *text, const char *format, va_list values) { return vsscanf(text, format, values); }

int __isoc23_scanf(const char *format, ...) {
  va_list values;
  va_start(values, format);
  int count = vscanf(format, values);
  va_end(values);
  return count;
}

int __isoc23_fscanf(FILE *file, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int count = vfscanf(file, format, values);
  va_end(values);
  return count;
}

int __isoc23_sscanf(const char *text, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int count = vsscanf(text, format, values);
  va_end(values);
  return count;
}
