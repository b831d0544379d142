// A wall clock that jumps, for processes started with this library in LD_PRELOAD.
//
// The file that CHAOS_CLOCK names holds one 64-bit number of nanoseconds, which is added to what the
// kernel says of CLOCK_REALTIME, from the next call on. The other clocks tell the truth: a wall clock
// that is set does not move them either.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t second = 1000000000;
static _Atomic int64_t *offset;

__attribute__((constructor)) static void open_clock(void) {
    const char *path = getenv("CHAOS_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) abort();
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) abort();
    close(file);
    offset = page;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (status != 0 || offset == NULL) return status;
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return status;
    int64_t wrong = now->tv_sec * second + now->tv_nsec + atomic_load(offset);
    now->tv_sec = wrong / second;
    now->tv_nsec = wrong % second;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    int status = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return status;
}

time_t time(time_t *result) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (result != NULL) *result = precise.tv_sec;
    return precise.tv_sec;
}
