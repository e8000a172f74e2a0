// Functions that glibc has since 2.25 or later and that are system calls, or little more.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t gettid(void) { return syscall(SYS_gettid); }

int tgkill(pid_t process, pid_t thread, int number) { return syscall(SYS_tgkill, process, thread, number); }

int close_range(unsigned first, unsigned last, int flags) { return syscall(SYS_close_range, first, last, flags); }

void closefrom(int first) {
  if (close_range(first, ~0U, 0) == 0) return;
  long limit = sysconf(_SC_OPEN_MAX);
  for (int file = first; file < limit; file++) close(file);
}

int fcntl64(int file, int command, ...) {
  va_list values;
  va_start(values, command);
  void *value = va_arg(values, void *);
  va_end(values);
  return fcntl(file, command, value);
}

void explicit_bzero(void *bytes, size_t size) {
  memset(bytes, 0, size);
  // Keeps the compiler from leaving out a write that nothing reads.
  __asm__ volatile("" : : "r"(bytes) : "memory");
}

ssize_t getrandom(void *bytes, size_t size, unsigned flags) { return syscall(SYS_getrandom, bytes, size, flags); }

int getentropy(void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t count = getrandom((char *)bytes + done, size - done, 0);
    if (count > 0) {
      done += count;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 0;
}

void arc4random_buf(void *bytes, size_t size) {
  if (getentropy(bytes, size)) abort();
}

uint32_t arc4random(void) {
  uint32_t number;
  arc4random_buf(&number, sizeof number);
  return number;
}

uint32_t arc4random_uniform(uint32_t limit) {
  if (limit < 2) return 0;
  // Numbers below this one are more frequent after the division.
  uint32_t lowest = -limit % limit;
  for (;;) {
    uint32_t number = arc4random();
    if (number >= lowest) return number % limit;
  }
}
