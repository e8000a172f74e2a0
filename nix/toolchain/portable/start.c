// The start files of glibc 2.34 and later leave the calls of constructors to the C library. Older C libraries
// expect a function for that, and call no constructors without it.

typedef void function(int, char **, char **);

extern function *__preinit_array_start[] __attribute__((visibility("hidden")));
extern function *__preinit_array_end[] __attribute__((visibility("hidden")));
extern function *__init_array_start[] __attribute__((visibility("hidden")));
extern function *__init_array_end[] __attribute__((visibility("hidden")));
extern void _init(void) __attribute__((visibility("hidden"), weak));

int __real___libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, function *init,
                             void (*fini)(void), void (*end_of_loader)(void), void *stack);

static void construct(int argc, char **argv, char **environment) {
  for (function **it = __preinit_array_start; it < __preinit_array_end; it++) (*it)(argc, argv, environment);
  if (_init) _init();
  for (function **it = __init_array_start; it < __init_array_end; it++) (*it)(argc, argv, environment);
}

static void nothing(void) {}

int __wrap___libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, function *init,
                             void (*fini)(void), void (*end_of_loader)(void), void *stack) {
  return __real___libc_start_main(main, argc, argv, construct, nothing, end_of_loader, stack);
}
