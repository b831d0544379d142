/* What the floor programs share: a connection, the command line, calls of any length, clocks. */
#ifndef FLOOR_H
#define FLOOR_H

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

__attribute__((noreturn, format(printf, 1, 2))) static inline void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static inline int64_t nanoseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline double seconds_now(void) { return (double)nanoseconds(CLOCK_MONOTONIC) / 1e9; }

/* Processor time of this process so far, in user and kernel space. */
static inline double cpu_seconds(void) {
    return (double)nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
}

/* The value after `--name`, or `otherwise`; without one to fall back on it must be there. */
static inline const char *option(int count, char **words, const char *name, const char *otherwise) {
    for (int i = 1; i + 1 < count; i++)
        if (strcmp(words[i], name) == 0) return words[i + 1];
    if (!otherwise) fail("%s: %s is missing", words[0], name);
    return otherwise;
}

static inline int flag(int count, char **words, const char *name) {
    for (int i = 1; i < count; i++)
        if (strcmp(words[i], name) == 0) return 1;
    return 0;
}

/* A whole file, which may hold any bytes; the caller keeps it for good. */
static inline char *contents(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) fail("%s cannot be read", path);
    long size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    if (!text || fread(text, 1, (size_t)size, file) != (size_t)size)
        fail("%s cannot be read", path);
    fclose(file);
    text[size] = 0;
    *length = (size_t)size;
    return text;
}

/* A reply, of which an error ends the program. */
static inline redisReply *checked(redisContext *redis, void *reply) {
    redisReply *answer = reply;
    if (!answer) fail("redis: %s", redis->errstr);
    if (answer->type == REDIS_REPLY_ERROR) fail("redis: %s", answer->str);
    return answer;
}

static inline redisReply *next_reply(redisContext *redis) {
    void *reply = NULL;
    if (redisGetReply(redis, &reply) != REDIS_OK) fail("redis: %s", redis->errstr);
    return checked(redis, reply);
}

/* Writes what was appended, and waits for nothing. */
static inline void flush(redisContext *redis) {
    for (int done = 0; !done;)
        if (redisBufferWrite(redis, &done) != REDIS_OK) fail("redis: %s", redis->errstr);
}

/* `--port` and `--db`; the password, if there is one, from REDISCLI_AUTH, as redis-cli has it. */
static inline redisContext *connected(int count, char **words) {
    redisContext *redis = redisConnect("127.0.0.1", atoi(option(count, words, "--port", NULL)));
    if (!redis || redis->err) fail("redis: %s", redis ? redis->errstr : "no memory");
    const char *password = getenv("REDISCLI_AUTH");
    if (password && *password)
        freeReplyObject(checked(redis, redisCommand(redis, "AUTH %s", password)));
    const char *database = option(count, words, "--db", "0");
    freeReplyObject(checked(redis, redisCommand(redis, "SELECT %s", database)));
    return redis;
}

/* One command, argument by argument. `room` holds the bytes of those that have no other place. */
typedef struct {
    const char *words[2048];
    size_t lengths[2048];
    int count;
    char room[256 * 1024];
    size_t used;
} Call;

static inline void add_bytes(Call *call, const char *bytes, size_t length) {
    if (call->count == (int)(sizeof call->words / sizeof *call->words)) fail("a call is too long");
    call->words[call->count] = bytes;
    call->lengths[call->count++] = length;
}

static inline void add(Call *call, const char *text) { add_bytes(call, text, strlen(text)); }

__attribute__((format(printf, 2, 3)))
static inline void add_text(Call *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *start = call->room + call->used;
    size_t left = sizeof call->room - call->used;
    int length = vsnprintf(start, left, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= left) fail("a call is too long");
    call->used += (size_t)length + 1;
    add_bytes(call, start, (size_t)length);
}

static inline void clear(Call *call) {
    call->count = 0;
    call->used = 0;
}

/* Appends the command to what is sent next. */
static inline void append(redisContext *redis, Call *call) {
    if (redisAppendCommandArgv(redis, call->count, call->words, call->lengths) != REDIS_OK)
        fail("redis: %s", redis->errstr);
}

#endif
