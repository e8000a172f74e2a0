/* There is no /bin/sh in the sandbox. Loaded by a program that calls it by this name all the same,
 * this puts SHELL in its place, a shell in the store. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>

static const char *program(const char *path)
{
    return strcmp(path, "/bin/sh") == 0 ? SHELL : path;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int execv(const char *path, char *const argv[])
{
    int (*real)(const char *, char *const[]) = next("execv");
    return real(program(path), argv);
}

/* A shell is called with three arguments: sh -c COMMAND. */
int execl(const char *path, const char *arg, ...)
{
    const char *argv[16] = {arg};
    va_list rest;
    va_start(rest, arg);
    for (size_t i = 1; i < sizeof argv / sizeof *argv - 1 && argv[i - 1]; i++)
        argv[i] = va_arg(rest, const char *);
    va_end(rest);
    return execv(path, (char *const *)argv);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                char *const[], char *const[]) = next("posix_spawn");
    return real(pid, program(path), actions, attributes, argv, envp);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                char *const[], char *const[]) = next("posix_spawnp");
    return real(pid, program(file), actions, attributes, argv, envp);
}
