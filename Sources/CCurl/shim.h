#pragma once
// libcurl's option functions are variadic, which Swift cannot import: one typed inline for each
// argument type, and nothing more. A value of the wrong type would be read as garbage, so call the
// one whose type the option's manual page names.
#include <curl/curl.h>
#include <sys/epoll.h>

static inline CURLcode curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode curl_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

// libcurl copies the text.
static inline CURLcode curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

// libcurl reads the parsed URL whenever a transfer begins; it must live as long as the option stands.
static inline CURLcode curl_set_target(CURL *easy, CURLU *value) {
    return curl_easy_setopt(easy, CURLOPT_CURLU, value);
}

// CURLOPT_PRIVATE, which libcurl keeps and does not touch; curl_get_place reads it again.
static inline CURLcode curl_set_place(CURL *easy, long value) {
    return curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)value);
}

static inline long curl_get_place(CURL *easy) {
    void *value = 0;
    return curl_easy_getinfo(easy, CURLINFO_PRIVATE, &value) ? -1 : (long)value;
}

static inline CURLcode curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

// CURLOPT_WRITEFUNCTION and CURLOPT_HEADERFUNCTION.
static inline CURLcode curl_set_receiver(CURL *easy, CURLoption option, curl_write_callback value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode curl_set_opener(CURL *easy, curl_opensocket_callback value) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, value);
}

static inline CURLcode curl_set_closer(CURL *easy, curl_closesocket_callback value) {
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, value);
}

static inline CURLcode curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode curl_get_size(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

// The text belongs to the handle: copy it.
static inline CURLcode curl_get_text(CURL *easy, CURLINFO info, char **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode curl_multi_set_watcher(
    CURLM *multi, curl_socket_callback value, void *context) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, value);
    return code ? code : curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
}

// epoll(7), by which the sockets of a multi handle are watched. Not in CLinux: what that module
// defines gives the header's fd_set another shape than curl.h shows.
static inline int watch_new(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

// Adds, changes or, with no events, removes a descriptor; 0 or -1.
static inline int watch_set(int watch, int descriptor, unsigned before, unsigned events) {
    struct epoll_event event = {.events = events, .data = {.fd = descriptor}};
    int change = !events ? EPOLL_CTL_DEL : before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    return epoll_ctl(watch, change, descriptor, &event);
}

struct watch_ready {
    int descriptor;
    unsigned events;
};

// Fills at most 64 of `ready` and returns how many, or -1.
static inline int watch_wait(int watch, struct watch_ready *ready, int milliseconds) {
    struct epoll_event events[64];
    int count = epoll_wait(watch, events, 64, milliseconds);
    for (int i = 0; i < count; i++) {
        ready[i].descriptor = events[i].data.fd;
        ready[i].events = events[i].events;
    }
    return count;
}

static const unsigned watch_in = EPOLLIN;
static const unsigned watch_out = EPOLLOUT;
static const unsigned watch_edge = EPOLLET;
