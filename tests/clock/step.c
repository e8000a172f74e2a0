// Shifts the clock of one program. When preloaded (ld.so(8)), it adds the number of seconds in the
// file $CLOCK_STEP to the time of day. The file holds eight bytes, and a test may change it at any
// time.
//
// faketime(1) is not enough: if the clock steps while a program waits, the wait ends as if there
// had been no step. In the kernel, a wait until a time of day takes longer if the clock is set
// back, and so it does here. Monotonic clocks do not change, as in the kernel.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

enum { NANOSECONDS = 1000000000 };

static volatile int64_t *step;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_cnd_timedwait)(void *, void *, const struct timespec *);
static int (*real_pthread_cond_timedwait)(void *, void *, const struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_STEP");
    int file = path ? open(path, O_RDONLY) : -1;
    void *map = mmap(NULL, sizeof *step, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        abort();
    step = map;
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_cnd_timedwait = dlsym(RTLD_NEXT, "cnd_timedwait");
    real_pthread_cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    // Before the constructor has run, there is one thread and no step.
    if (!step)
        return ((int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime"))(clock, time);
    int result = real_clock_gettime(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += *step;
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where)
        *where = now.tv_sec;
    return now.tv_sec;
}

// Waits in short pieces, and reads the clock after each.
static int wait(int (*real)(void *, void *, const struct timespec *), void *condition, void *mutex,
                const struct timespec *end, int timed_out) {
    for (;;) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        int64_t left = (end->tv_sec - now.tv_sec) * (int64_t)NANOSECONDS + end->tv_nsec - now.tv_nsec;
        if (left <= 0)
            return timed_out;
        if (left > NANOSECONDS / 50)
            left = NANOSECONDS / 50;
        struct timespec piece;
        real_clock_gettime(CLOCK_REALTIME, &piece);
        piece.tv_sec += (piece.tv_nsec + left) / NANOSECONDS;
        piece.tv_nsec = (piece.tv_nsec + left) % NANOSECONDS;
        int result = real(condition, mutex, &piece);
        if (result != timed_out)
            return result;
    }
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict end) {
    return wait(real_cnd_timedwait, condition, mutex, end, thrd_timedout);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict end) {
    return wait(real_pthread_cond_timedwait, condition, mutex, end, ETIMEDOUT);
}
