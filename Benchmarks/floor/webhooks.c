/* The floor of webhook deliveries: a minimal curl_multi_poll loop, with no job and no language.
 *
 * What can be set once on a handle is set once, with the options of the product's sender; what
 * differs between two deliveries (headers with both signatures, body) is set for each. The URL is
 * parsed once. Of an answer only the status is looked at.
 *
 *     webhooks URL DELIVERIES IN_FLIGHT SECRET BODY_FILE
 *
 * SECRET is `whsec_` and base64. Prints one JSON object.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <curl/curl.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { DIGEST = 32, MOST_BODY = 64 * 1024, WARM_UP = 10 };

static const char *url, *secret;
static CURLU *target;
static unsigned char body[MOST_BODY];
static size_t body_size;
static EVP_MAC_CTX *hmac;

static void die(const char *what) {
    fprintf(stderr, "webhooks: %s\n", what);
    exit(1);
}

/* HMAC-SHA256 of two pieces, one after the other. */
static void sign(const void *key, size_t key_size, const char *head, size_t head_size,
                 unsigned char *code) {
    size_t size = 0;
    if (!EVP_MAC_init(hmac, key, key_size, NULL) ||
        !EVP_MAC_update(hmac, (const unsigned char *)head, head_size) ||
        !EVP_MAC_update(hmac, body, body_size) || !EVP_MAC_final(hmac, code, &size, DIGEST))
        die("HMAC failed");
}

static struct curl_slist *append(struct curl_slist *list, const char *line) {
    struct curl_slist *longer = curl_slist_append(list, line);
    if (!longer) die("out of memory");
    return longer;
}

/* The headers of one attempt; each endpoint has a key of its own, so it is read anew. */
static struct curl_slist *headers_of(long number, long now) {
    static const char hex[] = "0123456789abcdef";
    unsigned char key[128], code[DIGEST];
    char head[96], line[256], text[64];
    const char *digits = secret + strlen("whsec_");
    size_t count = strlen(digits);
    int key_size = EVP_DecodeBlock(key, (const unsigned char *)digits, (int)count);
    while (count > 0 && digits[--count] == '=') key_size--;

    struct curl_slist *list = append(NULL, "Expect:");
    list = append(list, "Content-Type: application/json");
    list = append(list, "User-Agent: backhaul-webhooks");
    snprintf(line, sizeof line, "webhook-id: msg_%ld", number);
    list = append(list, line);
    snprintf(line, sizeof line, "webhook-timestamp: %ld", now);
    list = append(list, line);

    int head_size = snprintf(head, sizeof head, "msg_%ld.%ld.", number, now);
    sign(key, (size_t)key_size, head, (size_t)head_size, code);
    EVP_EncodeBlock((unsigned char *)text, code, DIGEST);
    snprintf(line, sizeof line, "webhook-signature: v1,%s", text);
    list = append(list, line);

    sign(secret, strlen(secret), "", 0, code);
    for (int i = 0; i < DIGEST; i++) {
        text[2 * i] = hex[code[i] >> 4];
        text[2 * i + 1] = hex[code[i] & 15];
    }
    snprintf(line, sizeof line, "X-Webhook-Signature: sha256=%.64s", text);
    return append(list, line);
}

/* Where the product judges the address. */
static curl_socket_t opened(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t received(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes, (void)context;
    return size * count;
}

static CURL *new_handle(void) {
    CURL *easy = curl_easy_init();
    if (!easy) die("out of memory");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)65536);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, opened);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, received);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, received);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CURLU, target);
    return easy;
}

static void begin(CURLM *multi, CURL *easy, long number) {
    struct curl_slist *list = headers_of(number, (long)time(NULL));
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, list);
    if (curl_multi_add_handle(multi, easy) != CURLM_OK) die("curl_multi_add_handle failed");
}

static void finish(CURLM *multi, CURL *easy, CURLcode code) {
    long status = 0;
    struct curl_slist *list = NULL;
    if (code != CURLE_OK) die(curl_easy_strerror(code));
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) die("an answer other than 200");
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&list);
    curl_multi_remove_handle(multi, easy);
    curl_slist_free_all(list);
}

/* Sends `count` webhooks, at most `in_flight` at once. */
static void deliver(CURLM *multi, CURL **handles, long in_flight, long count) {
    long begun = 0, finished = 0;
    for (long i = 0; i < in_flight && begun < count; i++) begin(multi, handles[i], begun++);
    while (finished < count) {
        int running = 0, left = 0;
        if (curl_multi_perform(multi, &running) != CURLM_OK) die("curl_multi_perform failed");
        CURLMsg *message;
        int any = 0;
        while ((message = curl_multi_info_read(multi, &left))) {
            CURL *easy = message->easy_handle;
            finish(multi, easy, message->data.result);
            finished++, any = 1;
            if (begun < count) begin(multi, easy, begun++);
        }
        if (!any) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
    if (count != 6) die("URL DELIVERIES IN_FLIGHT SECRET BODY_FILE");
    url = arguments[1];
    long deliveries = atol(arguments[2]), in_flight = atol(arguments[3]);
    secret = arguments[4];
    FILE *file = fopen(arguments[5], "rb");
    if (!file || !(body_size = fread(body, 1, sizeof body, file))) die("the body cannot be read");
    fclose(file);
    signal(SIGPIPE, SIG_IGN);

    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end()};
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (!algorithm || !(hmac = EVP_MAC_CTX_new(algorithm)) ||
        !EVP_MAC_CTX_set_params(hmac, digest))
        die("no HMAC-SHA256");

    curl_global_init(CURL_GLOBAL_ALL);
    CURLM *multi = curl_multi_init();
    CURL **handles = calloc((size_t)in_flight, sizeof *handles);
    target = curl_url();
    if (!multi || !handles || !target) die("out of memory");
    if (curl_url_set(target, CURLUPART_URL, url, 0) != CURLUE_OK) die("the URL cannot be read");
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, in_flight);
    for (long i = 0; i < in_flight; i++) handles[i] = new_handle();

    long warm_up = deliveries / WARM_UP;
    deliver(multi, handles, in_flight, warm_up);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    deliver(multi, handles, in_flight, deliveries);
    printf("{\"deliveries\": %ld, \"warm_up\": %ld, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
           deliveries, warm_up, seconds(CLOCK_MONOTONIC) - wall,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return 0;
}
