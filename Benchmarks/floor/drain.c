/* The floor of a worker: exactly the Redis calls that Backhaul's worker makes, and no job.
 *
 *     drain --port P --db N --queue Q --reserve FILE --acknowledge FILE [--batch 128] [--results]
 *
 * One connection takes batches with the reserve script and ends them with the acknowledge script,
 * one batch ahead, so that Redis never waits for this program. With --results it stores for each
 * message the record that the worker stores. It ends when the queue is empty and all is settled,
 * and prints {"messages": …, "seconds": …, "cpu_seconds": …}. A lease is never renewed: that is
 * one call in some seconds. */
#include "floor.h"

#define AHEAD 2         /* reserves under way, or taken and not yet settled */
#define MAXIMUM_BATCH 512
#define MAXIMUM_CALLS 8 /* without a reply; more than AHEAD batches ever make */
#define WORKER "floor.1.0"
#define LISTS 4

typedef struct {
    const char *queue;
    int batch;
    int stores_results;
    char reserve_hash[41], acknowledge_hash[41];
} Bench;

/* What a reserve took; the messages are the reply's own. */
typedef struct {
    int sequence;
    int count;
    struct {
        const char *text;
        size_t length;
    } messages[MAXIMUM_BATCH];
} Batch;

/* ---- The calls: the only place that knows the arguments and replies of the scripts. ---- */

/* As ReserveCall in Sources/Broker/RedisBroker+Reserve.swift builds it. */
static void build_reserve(Call *call, const Bench *bench, int sequence) {
    static const char *const endings[LISTS] = {"", "\x06\x16" "3", "\x06\x16" "6", "\x06\x16" "9"};
    clear(call);
    add(call, "EVALSHA");
    add(call, bench->reserve_hash);
    add_text(call, "%d", 4 + LISTS);
    add(call, "unacked");
    add(call, "unacked_index");
    add(call, "backhaul:fence");
    add(call, "backhaul:workers");
    for (int i = 0; i < LISTS; i++) add_text(call, "%s%s", bench->queue, endings[i]);
    add_text(call, "%d", bench->batch);
    add(call, "8388608"); /* bytes */
    add_text(call, WORKER "-%d-", sequence);
    add(call, WORKER);
    add(call, "5000"); /* ms of the lease */
    for (int i = 0; i < LISTS; i++) add_text(call, ",\"\",\"%s\"]", bench->queue);
}

static void read_reserve(const redisReply *reply, int sequence, Batch *batch) {
    if (reply->type != REDIS_REPLY_ARRAY) fail("reserve gave an answer of another shape");
    batch->sequence = sequence;
    batch->count = reply->elements ? (int)(reply->elements - 1) / 2 : 0;
    if (batch->count > MAXIMUM_BATCH) fail("reserve gave too many messages");
    for (int i = 0; i < batch->count; i++) {
        const redisReply *message = reply->element[i * 2 + 2];
        batch->messages[i].text = message->str;
        batch->messages[i].length = message->len;
    }
}

static void add_result(Call *call, const char *message);

/* As SettleCalls in Sources/Broker/SettleCalls.swift builds it. */
static void build_acknowledge(Call *call, const Bench *bench, const Batch *batch) {
    clear(call);
    add(call, "EVALSHA");
    add(call, bench->acknowledge_hash);
    add(call, "2");
    add(call, "unacked");
    add(call, "unacked_index");
    add(call, "86400"); /* seconds that a result is kept */
    for (int i = 0; i < batch->count; i++) {
        add_text(call, WORKER "-%d-%d", batch->sequence, i + 1);
        if (bench->stores_results) {
            add_result(call, batch->messages[i].text);
        } else {
            add(call, "");
            add(call, "");
        }
    }
}

/* How many, when all were settled; else one answer for each. */
static int settled_of(const redisReply *reply) {
    if (reply->type == REDIS_REPLY_INTEGER) return (int)reply->integer;
    if (reply->type != REDIS_REPLY_ARRAY) fail("acknowledge gave an answer of another shape");
    int settled = 0;
    for (size_t i = 0; i < reply->elements; i++) settled += reply->element[i]->integer == 1;
    return settled;
}

/* ---- End of the calls. ---- */

/* Key and record of a result, for the id that a message names first. */
static void add_result(Call *call, const char *message) {
    static const char mark[] = "\"id\": \"";
    const char *id = strstr(message, mark);
    const char *end = id ? strchr(id + sizeof mark - 1, '"') : NULL;
    if (!end) fail("a message without an id");
    id += sizeof mark - 1;
    int length = (int)(end - id);
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    add_text(call, "celery-task-meta-%.*s", length, id);
    add_text(
        call,
        "{\"status\": \"SUCCESS\", \"result\": \"pong\", \"traceback\": null, \"children\": [], "
        "\"date_done\": \"%s.%06ld+00:00\", \"task_id\": \"%.*s\"}",
        date, now.tv_nsec / 1000, length, id);
}

static void load(redisContext *redis, const char *path, char hash[41]) {
    size_t length;
    char *text = contents(path, &length);
    redisReply *reply = checked(redis, redisCommand(redis, "SCRIPT LOAD %b", text, length));
    snprintf(hash, 41, "%s", reply->str);
    freeReplyObject(reply);
    free(text);
}

int main(int count, char **words) {
    static Call call;
    static Batch batch;
    Bench bench = {
        .queue = option(count, words, "--queue", "bench"),
        .batch = atoi(option(count, words, "--batch", "128")),
        .stores_results = flag(count, words, "--results"),
    };
    if (bench.batch < 1 || bench.batch > MAXIMUM_BATCH) fail("--batch: 1 to %d", MAXIMUM_BATCH);
    redisContext *redis = connected(count, words);
    load(redis, option(count, words, "--reserve", NULL), bench.reserve_hash);
    load(redis, option(count, words, "--acknowledge", NULL), bench.acknowledge_hash);

    /* Replies come in the order of the calls: 0 is an acknowledge, others are reserves. */
    int awaited[MAXIMUM_CALLS], first = 0, open = 0;
    int sequence = 0, ends = 0;
    long taken = 0, settled = 0;
    double started = seconds_now(), cpu = cpu_seconds();
    for (; sequence < AHEAD; open++) {
        build_reserve(&call, &bench, ++sequence);
        append(redis, &call);
        awaited[open] = sequence;
    }
    flush(redis);
    while (open > 0) {
        redisReply *reply = next_reply(redis);
        int number = awaited[first];
        first = (first + 1) % MAXIMUM_CALLS;
        open--;
        if (number == 0) {
            settled += settled_of(reply);
            freeReplyObject(reply);
            continue;
        }
        read_reserve(reply, number, &batch);
        if (batch.count > 0) {
            taken += batch.count;
            build_acknowledge(&call, &bench, &batch);
            append(redis, &call);
            awaited[(first + open++) % MAXIMUM_CALLS] = 0;
        } else {
            ends++;
        }
        if (ends == 0) {
            build_reserve(&call, &bench, ++sequence);
            append(redis, &call);
            awaited[(first + open++) % MAXIMUM_CALLS] = sequence;
        }
        freeReplyObject(reply);
        flush(redis);
    }
    double seconds = seconds_now() - started;
    cpu = cpu_seconds() - cpu;
    redisFree(redis);
    if (settled != taken) fail("%ld of %ld messages were settled", settled, taken);
    printf(
        "{\"messages\": %ld, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", settled, seconds, cpu);
    return 0;
}
