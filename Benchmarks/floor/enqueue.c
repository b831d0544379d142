/* The floor of enqueueing: LPUSH of a producer's own bytes, each copy with identities of its own.
 *
 *     enqueue --port P --db N --list L --template FILE --identity TEXT… --count N [--bulk]
 *
 * One by one it waits for each answer; with --bulk it pipelines: one LPUSH for each message, up to
 * 1024 of them unanswered. Prints {"messages": …, "seconds": …, "cpu_seconds": …}. */
#include "message.h"

#define WRITE 256   /* messages to one write */
#define WINDOW 1024 /* the most without an answer */

int main(int count, char **words) {
    redisContext *redis = connected(count, words);
    Message message = message_of(count, words);
    long wanted = atol(option(count, words, "--count", NULL));
    long window = flag(count, words, "--bulk") ? WINDOW : 1;
    long portion = flag(count, words, "--bulk") ? WRITE : 1;
    const char *list = option(count, words, "--list", NULL);
    const char *arguments[] = {"LPUSH", list, message.text};
    const size_t lengths[] = {5, strlen(list), message.length};

    double started = seconds_now(), cpu = cpu_seconds();
    for (long sent = 0, answered = 0; answered < wanted;) {
        while (sent < wanted && sent - answered + portion <= window) {
            for (long i = 0; i < portion && sent < wanted; i++, sent++) {
                renew(&message);
                if (redisAppendCommandArgv(redis, 3, arguments, lengths) != REDIS_OK)
                    fail("redis: %s", redis->errstr);
            }
            flush(redis);
        }
        for (long i = 0; i < portion && answered < wanted; i++, answered++)
            freeReplyObject(next_reply(redis));
    }
    double seconds = seconds_now() - started;
    cpu = cpu_seconds() - cpu;
    redisFree(redis);
    printf(
        "{\"messages\": %ld, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", wanted, seconds, cpu);
    return 0;
}
