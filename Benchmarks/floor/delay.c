/* A TCP proxy on 127.0.0.1 that holds everything the server says for a fixed time.
 *
 *     delay SERVER_PORT MICROSECONDS
 *
 * Prints the port it listens on, then serves until it is killed. What a client says goes on at
 * once; what the server says goes on MICROSECONDS later, each piece counted from when it arrived.
 * So the link has latency and no limit of bandwidth: any number of pieces may be on their way.
 *
 * What waits for a client is kept, however much; a client that never reads is not for this.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 65536, EVENTS = 128 };

struct link;

/* Something the server said; without bytes, that it has closed. */
struct piece {
    struct piece *next_due;     /* of all links, by time: the hold is the same for every piece */
    struct piece *next_in_link; /* of this link, once due */
    struct link *link;
    int64_t due;
    size_t size, written;
    char bytes[];
};

/* One of the two sockets of a link, as epoll knows it. */
struct end {
    struct link *link;
    int socket;
    uint32_t watched;
};

struct link {
    struct end client, server;
    struct piece *due_first, *due_last; /* may be written to the client now */
    size_t held;                        /* pieces that are not due yet */
    char *said;                         /* by the client, and not taken by the server yet */
    size_t said_size, said_written;
    bool is_closed;
    struct link *next_closed;
};

static int queue_of_events;
static int server_port;
static int64_t hold; /* nanoseconds */
static struct piece *waiting_first, *waiting_last;
static struct link *closed_links;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void *allocated(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL) fail("calloc");
    return memory;
}

static void watch(struct end *end, uint32_t events) {
    if (end->watched == events) return;
    struct epoll_event event = {.events = events, .data.ptr = end};
    if (epoll_ctl(queue_of_events, EPOLL_CTL_MOD, end->socket, &event) < 0) fail("epoll_ctl");
    end->watched = events;
}

static void begin_watching(struct end *end, struct link *link, int socket) {
    int yes = 1;
    *end = (struct end){.link = link, .socket = socket, .watched = EPOLLIN};
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};
    if (epoll_ctl(queue_of_events, EPOLL_CTL_ADD, socket, &event) < 0) fail("epoll_ctl");
}

/* Closes both sockets. The link itself stays: pieces of it, and events, may still point to it. */
static void close_link(struct link *link) {
    if (link->is_closed) return;
    link->is_closed = true;
    close(link->client.socket);
    close(link->server.socket);
    while (link->due_first != NULL) {
        struct piece *piece = link->due_first;
        link->due_first = piece->next_in_link;
        free(piece);
    }
    free(link->said);
    link->said = NULL;
    link->next_closed = closed_links;
    closed_links = link;
}

/* Frees the closed links that nothing points to; called when no event is being looked at. */
static void free_closed_links(void) {
    struct link **place = &closed_links;
    while (*place != NULL) {
        struct link *link = *place;
        if (link->held > 0) {
            place = &link->next_closed;
        } else {
            *place = link->next_closed;
            free(link);
        }
    }
}

static void accept_client(int listener) {
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)server_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server < 0) fail("socket");
    if (connect(server, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        close(client);
        close(server);
        return;
    }
    struct link *link = allocated(sizeof *link);
    begin_watching(&link->client, link, client);
    begin_watching(&link->server, link, server);
}

/* Writes what is due, as far as the client takes it. */
static void write_to_client(struct link *link) {
    while (link->due_first != NULL) {
        struct piece *piece = link->due_first;
        if (piece->size == 0) {
            close_link(link);
            return;
        }
        ssize_t count = send(link->client.socket, piece->bytes + piece->written,
                             piece->size - piece->written, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            close_link(link);
            return;
        }
        piece->written += (size_t)count;
        if (piece->written < piece->size) continue;
        link->due_first = piece->next_in_link;
        free(piece);
    }
    uint32_t others = link->client.watched & EPOLLIN;
    watch(&link->client, others | (link->due_first != NULL ? EPOLLOUT : 0));
}

/* Hands on what is due by now. */
static void hand_on(void) {
    while (waiting_first != NULL && waiting_first->due <= now()) {
        struct piece *piece = waiting_first;
        struct link *link = piece->link;
        waiting_first = piece->next_due;
        link->held--;
        if (link->is_closed) {
            free(piece);
            continue;
        }
        *(link->due_first == NULL ? &link->due_first : &link->due_last->next_in_link) = piece;
        link->due_last = piece;
        write_to_client(link);
    }
}

static void read_from_server(struct link *link) {
    static char bytes[PIECE];
    ssize_t count = recv(link->server.socket, bytes, sizeof bytes, 0);
    if (count < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        count = 0;
    }
    struct piece *piece = allocated(sizeof *piece + (size_t)count);
    piece->link = link;
    piece->due = now() + hold;
    piece->size = (size_t)count;
    if (count > 0) memcpy(piece->bytes, bytes, (size_t)count);
    else watch(&link->server, 0);
    *(waiting_first == NULL ? &waiting_first : &waiting_last->next_due) = piece;
    waiting_last = piece;
    link->held++;
}

/* Writes what the client said; until the server has taken it, the client is not read. */
static void write_to_server(struct link *link) {
    while (link->said_written < link->said_size) {
        ssize_t count = send(link->server.socket, link->said + link->said_written,
                             link->said_size - link->said_written, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == ENOTCONN) break;
            close_link(link);
            return;
        }
        link->said_written += (size_t)count;
    }
    bool is_done = link->said_written == link->said_size;
    watch(&link->server, (link->server.watched & EPOLLIN) | (is_done ? 0 : EPOLLOUT));
    watch(&link->client, (link->client.watched & EPOLLOUT) | (is_done ? EPOLLIN : 0));
}

static void read_from_client(struct link *link) {
    if (link->said == NULL) link->said = allocated(PIECE);
    ssize_t count = recv(link->client.socket, link->said, PIECE, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        close_link(link);
        return;
    }
    link->said_size = (size_t)count;
    link->said_written = 0;
    write_to_server(link);
}

static void handle(struct end *end, uint32_t events) {
    struct link *link = end->link;
    bool is_client = end == &link->client;
    if (link->is_closed) return;
    if (events & EPOLLOUT) {
        if (is_client) write_to_client(link);
        else write_to_server(link);
    }
    if (link->is_closed || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    if (!is_client) {
        if (end->watched & EPOLLIN) read_from_server(link);
    } else if (end->watched & EPOLLIN) {
        read_from_client(link);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        close_link(link); /* gone while the server has yet to take what it said */
    }
}

static int listening(void) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) fail("socket");
    if (bind(listener, (struct sockaddr *)&address, size) < 0) fail("bind");
    if (listen(listener, 128) < 0) fail("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0) fail("getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int count, char **words) {
    if (count != 3) {
        fputs("usage: delay SERVER_PORT MICROSECONDS\n", stderr);
        return 64;
    }
    server_port = atoi(words[1]);
    hold = atoll(words[2]) * 1000;
    prctl(PR_SET_TIMERSLACK, 1UL); /* else Linux wakes it up to 50 µs late */
    int listener = listening();
    queue_of_events = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(queue_of_events, EPOLL_CTL_ADD, listener, &event) < 0) fail("epoll_ctl");
    for (;;) {
        struct epoll_event events[EVENTS];
        struct timespec wait = {0}, *limit = NULL;
        if (waiting_first != NULL) {
            int64_t left = waiting_first->due - now();
            if (left > 0) wait = (struct timespec){left / 1000000000, left % 1000000000};
            limit = &wait;
        }
        int found = epoll_pwait2(queue_of_events, events, EVENTS, limit, NULL);
        if (found < 0 && errno != EINTR) fail("epoll_pwait2");
        hand_on();
        for (int each = 0; each < found; each++) {
            if (events[each].data.ptr == NULL) accept_client(listener);
            else handle(events[each].data.ptr, events[each].events);
        }
        hand_on(); /* at once what is not to be held */
        free_closed_links();
    }
}
