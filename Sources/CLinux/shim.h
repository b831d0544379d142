#pragma once
// What Glibc's Swift module leaves out: eventfd(2), signalfd(2), pidfd_open(2), close_range(2),
// thread names, and the pages of the program's own code.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
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

// What dl_iterate_phdr(3) says of the program and of each library. Declared here, since link.h cannot
// be: it brings in an fd_set that is another one under _GNU_SOURCE than in Swift's Glibc module.
struct linux_image {
    uintptr_t base;
    const char *name;
    const Elf64_Phdr *parts;
    uint16_t part_count;
};
extern int linux_visit_images(
    int (*visit)(struct linux_image *, size_t, void *), void *) __asm__("dl_iterate_phdr");

// Takes the code of an image out of this process's memory. It stays in the page cache, and comes back
// as it is used.
static inline int linux_forget_image_code(struct linux_image *image, size_t size, void *unused) {
    (void)size;
    (void)unused;
    if (image->base == getauxval(AT_SYSINFO_EHDR)) return 0; // the kernel's own
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int each = 0; each < image->part_count; each++) {
        const Elf64_Phdr *part = &image->parts[each];
        if (part->p_type != PT_LOAD || (part->p_flags & (PF_W | PF_X)) != PF_X) continue;
        uintptr_t first = (image->base + part->p_vaddr) & ~(page - 1);
        uintptr_t end = (image->base + part->p_vaddr + part->p_memsz + page - 1) & ~(page - 1);
        madvise((void *)first, end - first, MADV_DONTNEED);
    }
    return 0;
}

// The same for the program and all its libraries; none can be unloaded meanwhile.
static inline void linux_forget_code(void) {
    linux_visit_images(linux_forget_image_code, 0);
}
