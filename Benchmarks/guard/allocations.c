// Counts the allocations of a process started with this library in LD_PRELOAD.
//
// The file that GUARD_ALLOCATIONS names is mapped and shared: whoever opens it reads the counters
// while the process runs, and turns sampling on and off. Every call that hands out memory counts as
// one allocation, `realloc` too, since each takes its way through the allocator. Memory still comes
// from glibc, by the names it keeps for this purpose, so nothing else about the process changes.
//
// The layout is read by allocations.py.

#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { own_frames = 2, kept_frames = 30 };

struct sample {
    uint64_t bytes;
    uint64_t frames;
    void *frame[kept_frames];
};

struct page {
    _Atomic uint64_t calls;
    _Atomic uint64_t bytes;
    _Atomic uint64_t every;  // one allocation in so many is sampled; 0: none
    _Atomic uint64_t taken;  // samples, those included that found no room
    _Atomic uint64_t ready;  // 1 once allocations are counted
    uint64_t unused[3];
    struct sample sample[];
};

static struct page *page;
static uint64_t room;
static __thread int inside __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void open_page(void) {
    const char *path = getenv("GUARD_ALLOCATIONS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0 || (size_t)about.st_size < sizeof(struct page)) abort();
    void *mapped = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) abort();
    close(file);
    void *first[1];
    backtrace(first, 1);  // loads what it needs now, and not within an allocation
    room = ((size_t)about.st_size - sizeof(struct page)) / sizeof(struct sample);
    page = mapped;
    atomic_store(&page->ready, 1);
}

// An allocation's number decides whether it is sampled, well mixed: with every k-th in turn, jobs
// of a steady number of allocations would show the same few sites for ever.
static uint64_t mixed(uint64_t number) {
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
    return number ^ (number >> 31);
}

__attribute__((noinline)) static void sample(size_t bytes) {
    uint64_t slot = atomic_fetch_add_explicit(&page->taken, 1, memory_order_relaxed);
    if (slot >= room) return;
    void *frames[own_frames + kept_frames];
    int known = backtrace(frames, own_frames + kept_frames);
    struct sample *into = &page->sample[slot];
    into->bytes = bytes;
    into->frames = known > own_frames ? (uint64_t)(known - own_frames) : 0;
    for (uint64_t number = 0; number < into->frames; number++)
        into->frame[number] = frames[own_frames + number];
}

static inline void count(size_t bytes) {
    if (page == NULL || inside) return;
    uint64_t number = atomic_fetch_add_explicit(&page->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&page->bytes, bytes, memory_order_relaxed);
    uint64_t every = atomic_load_explicit(&page->every, memory_order_relaxed);
    if (every == 0 || mixed(number) % every != 0) return;
    inside = 1;
    int kept = errno;
    sample(bytes);
    errno = kept;
    inside = 0;
}

void *malloc(size_t bytes) {
    count(bytes);
    return __libc_malloc(bytes);
}

void *calloc(size_t items, size_t bytes) {
    count(items * bytes);
    return __libc_calloc(items, bytes);
}

void *realloc(void *old, size_t bytes) {
    count(bytes);
    return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    count(bytes);
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    count(bytes);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **into, size_t alignment, size_t bytes) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
        return EINVAL;
    count(bytes);
    void *found = __libc_memalign(alignment, bytes);
    if (found == NULL) return ENOMEM;
    *into = found;
    return 0;
}
