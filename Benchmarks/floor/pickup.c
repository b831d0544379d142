/* The floor of pickup, and the producer that every contender is measured with.
 *
 *     pickup --port P --db N --list L --output FILE
 *     pickup --port P --db N --list L --template FILE --identity TEXT… --produce
 *            --rate R --count N
 *
 * The consumer is a bare client in a loop of blocking BRPOPs. For each message it notes when the
 * message was sent and when it was here; TERM makes it write both, in nanoseconds of
 * CLOCK_MONOTONIC, one message a line, and end.
 *
 * The producer sends one LPUSH for each message, R a second, each gap half too short to half too
 * long; 0 is as fast as it can. Just before the write it puts the time into the message, as 18
 * digits: wherever 18 zeros stand, and wherever they stand in base64. It prints the time of the
 * first and of the last. */
#include "message.h"

#include <signal.h>
#include <sys/prctl.h>

#define STAMP "000000000000000000"
#define CODED_STAMP "MDAwMDAwMDAwMDAwMDAwMDAw" /* the same in base64, at a multiple of three */
#define STAMP_LENGTH 18
#define CODED_LENGTH 24
#define UNANSWERED 64 /* the most LPUSHes whose answers are left unread */

static volatile sig_atomic_t is_over;

static void end(int signal) {
    (void)signal;
    is_over = 1;
}

/* ---- Consumer ---- */

typedef struct {
    int64_t sent, arrived;
} Pickup;

/* The first 18 digits between quotation marks, which hold the time. */
static int64_t sent_time(const char *message) {
    for (const char *at = message; (at = strpbrk(at, "'\"")); at++) {
        if (strspn(at + 1, "0123456789") == STAMP_LENGTH) return strtoll(at + 1, NULL, 10);
    }
    fail("a message without its time");
}

static void consume(redisContext *redis, const char *list, const char *output) {
    size_t count = 0, room = 1 << 20;
    Pickup *pickups = malloc(room * sizeof *pickups);
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    while (!is_over) {
        redisReply *reply = checked(redis, redisCommand(redis, "BRPOP %s 1", list));
        if (reply->type == REDIS_REPLY_ARRAY) {
            int64_t now = nanoseconds(CLOCK_MONOTONIC);
            if (count == room) pickups = realloc(pickups, (room *= 2) * sizeof *pickups);
            if (!pickups) fail("no memory");
            pickups[count++] = (Pickup){sent_time(reply->element[1]->str), now};
        }
        freeReplyObject(reply);
    }
    FILE *file = fopen(output, "w");
    if (!file) fail("%s cannot be written", output);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "%ld %ld\n", (long)pickups[i].sent, (long)pickups[i].arrived);
    fclose(file);
    free(pickups);
}

/* ---- Producer ---- */

typedef struct {
    char *plain[MAXIMUM_PLACES], *coded[MAXIMUM_PLACES];
    int plain_count, coded_count;
} Stamps;

static int places(char *text, const char *mark, char *found[MAXIMUM_PLACES]) {
    int count = 0;
    for (char *at = text; (at = strstr(at, mark)); at += strlen(mark)) {
        if (count == MAXIMUM_PLACES) fail("a time stands in too many places");
        found[count++] = at;
    }
    return count;
}

static int64_t stamp(const Stamps *stamps) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int64_t now = nanoseconds(CLOCK_MONOTONIC);
    char digits[STAMP_LENGTH + 2];
    snprintf(digits, sizeof digits, "%018ld", (long)now);
    char coded[CODED_LENGTH];
    for (int i = 0, k = 0; i < STAMP_LENGTH; i += 3, k += 4) {
        unsigned bits = (unsigned)digits[i] << 16 | (unsigned)digits[i + 1] << 8
            | (unsigned)digits[i + 2];
        for (int j = 0; j < 4; j++) coded[k + j] = letters[bits >> (18 - 6 * j) & 63];
    }
    for (int i = 0; i < stamps->plain_count; i++) memcpy(stamps->plain[i], digits, STAMP_LENGTH);
    for (int i = 0; i < stamps->coded_count; i++) memcpy(stamps->coded[i], coded, CODED_LENGTH);
    return now;
}

static void sleep_until(int64_t due) {
    struct timespec time = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0) {}
}

static void produce(
    redisContext *redis, const char *list, Message message, double rate, long wanted) {
    Stamps stamps;
    stamps.plain_count = places(message.text, STAMP, stamps.plain);
    stamps.coded_count = places(message.text, CODED_STAMP, stamps.coded);
    if (stamps.plain_count + stamps.coded_count == 0) fail("the message has no room for the time");
    const char *arguments[] = {"LPUSH", list, message.text};
    const size_t lengths[] = {5, strlen(list), message.length};
    double gap = rate > 0 ? 1e9 / rate : 0;
    prctl(PR_SET_TIMERSLACK, 1);
    int64_t first = 0, last = 0;
    int unanswered = 0;
    double due = (double)nanoseconds(CLOCK_MONOTONIC);
    for (long sent = 0; sent < wanted; sent++) {
        due += gap * (0.5 + (double)(next_random(&message) >> 11) / 9007199254740992.0);
        if ((double)nanoseconds(CLOCK_MONOTONIC) < due) sleep_until((int64_t)due);
        renew(&message);
        last = stamp(&stamps);
        if (sent == 0) first = last;
        if (redisAppendCommandArgv(redis, 3, arguments, lengths) != REDIS_OK)
            fail("redis: %s", redis->errstr);
        flush(redis);
        if (++unanswered < UNANSWERED) continue;
        while (unanswered > UNANSWERED / 2) {
            freeReplyObject(next_reply(redis));
            unanswered--;
        }
    }
    for (; unanswered > 0; unanswered--) freeReplyObject(next_reply(redis));
    printf(
        "{\"messages\": %ld, \"first\": %ld, \"last\": %ld}\n", wanted, (long)first, (long)last);
}

int main(int count, char **words) {
    redisContext *redis = connected(count, words);
    const char *list = option(count, words, "--list", NULL);
    if (flag(count, words, "--produce")) {
        double rate = atof(option(count, words, "--rate", NULL));
        long wanted = atol(option(count, words, "--count", NULL));
        produce(redis, list, message_of(count, words), rate, wanted);
    } else {
        consume(redis, list, option(count, words, "--output", NULL));
    }
    redisFree(redis);
    return 0;
}
