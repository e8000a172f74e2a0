// Functions of threads that wait for a time of a chosen clock, since glibc 2.30. The older ones only know the
// clock of the calendar.

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

// Glibc sets it while a program has one thread, since 2.32. libstdc++ then leaves out atomic operations.
char __libc_single_threaded = 0;

// The time of the calendar's clock when `clock` shows `time`.
static struct timespec on_calendar(clockid_t clock, const struct timespec *time) {
  if (clock == CLOCK_REALTIME) return *time;
  struct timespec there, here;
  clock_gettime(clock, &there);
  clock_gettime(CLOCK_REALTIME, &here);
  struct timespec sum = {
      .tv_sec = time->tv_sec - there.tv_sec + here.tv_sec,
      .tv_nsec = time->tv_nsec - there.tv_nsec + here.tv_nsec,
  };
  for (; sum.tv_nsec < 0; sum.tv_sec--) sum.tv_nsec += 1000000000;
  for (; sum.tv_nsec >= 1000000000; sum.tv_sec++) sum.tv_nsec -= 1000000000;
  return sum;
}

// Whether `clock` shows `time` or later. The calendar's clock can be set while a thread waits.
static int is_over(clockid_t clock, const struct timespec *time) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec > time->tv_sec || (now.tv_sec == time->tv_sec && now.tv_nsec >= time->tv_nsec);
}

#define WAIT(call)                                         \
  for (;;) {                                               \
    struct timespec until = on_calendar(clock, time);      \
    int result = call;                                     \
    if (result != ETIMEDOUT || is_over(clock, time)) return result; \
  }

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *time) {
  WAIT(pthread_cond_timedwait(condition, mutex, &until))
}

int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *time) {
  WAIT(pthread_mutex_timedlock(mutex, &until))
}

int pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *time) {
  WAIT(pthread_rwlock_timedrdlock(lock, &until))
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *time) {
  WAIT(pthread_rwlock_timedwrlock(lock, &until))
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *time) {
  for (;;) {
    struct timespec until = on_calendar(clock, time);
    int result = sem_timedwait(semaphore, &until);
    if (result == 0 || errno != ETIMEDOUT || is_over(clock, time)) return result;
  }
}
