// stat and mknod are functions since glibc 2.33. Before, headers defined them with these.

#include <sys/types.h>

struct stat;
struct stat64;

// The version of the structure. Source: bits/stat.h of glibc 2.32.
#if defined(__x86_64__) || defined(__s390x__)
#define STAT 1
#elif defined(__i386__) || defined(__arm__) || defined(__powerpc__)
#define STAT 3
#else
#define STAT 0
#endif
#if defined(__x86_64__) || defined(__s390x__) || defined(__aarch64__) || defined(__riscv)
#define MKNOD 0
#else
#define MKNOD 1
#endif

int __xstat(int, const char *, struct stat *);
int __lxstat(int, const char *, struct stat *);
int __fxstat(int, int, struct stat *);
int __fxstatat(int, int, const char *, struct stat *, int);
int __xstat64(int, const char *, struct stat64 *);
int __lxstat64(int, const char *, struct stat64 *);
int __fxstat64(int, int, struct stat64 *);
int __fxstatat64(int, int, const char *, struct stat64 *, int);
int __xmknod(int, const char *, mode_t, dev_t *);
int __xmknodat(int, int, const char *, mode_t, dev_t *);

int stat(const char *path, struct stat *found) { return __xstat(STAT, path, found); }
int lstat(const char *path, struct stat *found) { return __lxstat(STAT, path, found); }
int fstat(int file, struct stat *found) { return __fxstat(STAT, file, found); }
int fstatat(int directory, const char *path, struct stat *found, int flags) {
  return __fxstatat(STAT, directory, path, found, flags);
}

int stat64(const char *path, struct stat64 *found) { return __xstat64(STAT, path, found); }
int lstat64(const char *path, struct stat64 *found) { return __lxstat64(STAT, path, found); }
int fstat64(int file, struct stat64 *found) { return __fxstat64(STAT, file, found); }
int fstatat64(int directory, const char *path, struct stat64 *found, int flags) {
  return __fxstatat64(STAT, directory, path, found, flags);
}

int mknod(const char *path, mode_t mode, dev_t device) { return __xmknod(MKNOD, path, mode, &device); }
int mknodat(int directory, const char *path, mode_t mode, dev_t device) {
  return __xmknodat(MKNOD, directory, path, mode, &device);
}
