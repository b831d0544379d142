#pragma once
// What Glibc's Swift module leaves out: eventfd(2), signalfd(2), pidfd_open(2), close_range(2) and
// thread names.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int linux_eventfd(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static inline void linux_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    ssize_t ignored = write(descriptor, &one, sizeof one);
    (void)ignored;
}

static inline void linux_eventfd_clear(int descriptor) {
    uint64_t count;
    ssize_t ignored = read(descriptor, &count, sizeof count);
    (void)ignored;
}

// Names the calling thread; Linux keeps 15 bytes.
static inline void linux_name_this_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

static inline int linux_signalfd(const sigset_t *signals) {
    return signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

// The next signal that waits, or 0; `sender` becomes the process that sent it.
static inline int linux_next_signal(int descriptor, int *sender) {
    struct signalfd_siginfo info;
    if (read(descriptor, &info, sizeof info) != (ssize_t)sizeof info) return 0;
    *sender = (int)info.ssi_pid;
    return (int)info.ssi_signo;
}

// Readable once the process has ended; -1 on kernels before 5.3.
static inline int linux_pidfd_open(pid_t process) {
    return (int)syscall(SYS_pidfd_open, process, 0);
}

// Keeps every descriptor from `first` on out of the next program; -1 on kernels before 5.11.
static inline int linux_close_on_exec_from(unsigned first) {
    return (int)syscall(SYS_close_range, first, ~0U, 1U << 2);
}
