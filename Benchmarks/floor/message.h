/* A message as a producer wrote it, sent again and again with identities of its own.
 *
 * The bytes are changed in place: every copy is as long as the original. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "floor.h"

#define MAXIMUM_PLACES 16

typedef struct {
    size_t offset;
    size_t length;
    int identity; /* which one; places of one identity get the same digits */
} Place;

typedef struct {
    char *text;
    size_t length;
    Place places[MAXIMUM_PLACES];
    int count;
    int identities;
    uint64_t random;
} Message;

/* Remembers each place where `identity` stands. */
static inline void vary(Message *message, const char *identity) {
    int before = message->count;
    size_t length = strlen(identity);
    for (char *at = message->text; (at = strstr(at, identity)); at += length) {
        if (message->count == MAXIMUM_PLACES) fail("an identity stands in too many places");
        message->places[message->count++] =
            (Place){(size_t)(at - message->text), length, message->identities};
    }
    if (message->count == before) fail("the message does not hold %s", identity);
    message->identities++;
}

/* The message of `--template FILE`, with the text of each `--identity TEXT`. */
static inline Message message_of(int count, char **words) {
    Message message = {.random = (uint64_t)nanoseconds(CLOCK_REALTIME) | 1};
    message.text = contents(option(count, words, "--template", NULL), &message.length);
    for (int i = 1; i + 1 < count; i++)
        if (strcmp(words[i], "--identity") == 0) vary(&message, words[i + 1]);
    return message;
}

static inline uint64_t next_random(Message *message) {
    uint64_t x = message->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return message->random = x;
}

/* Gives every identity new hexadecimal digits; what is no such digit stays. */
static inline void renew(Message *message) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < message->count; i++) {
        Place place = message->places[i];
        char *text = message->text + place.offset;
        if (i > 0 && message->places[i - 1].identity == place.identity) {
            memcpy(text, message->text + message->places[i - 1].offset, place.length);
            continue;
        }
        uint64_t bits = 0;
        for (size_t k = 0, used = 0; k < place.length; k++) {
            if (text[k] == '-') continue;
            if (used++ % 16 == 0) bits = next_random(message);
            text[k] = digits[bits & 15];
            bits >>= 4;
        }
    }
}

#endif
