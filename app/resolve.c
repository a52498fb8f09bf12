#include "app/resolve.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { QUESTIONS_MAX = 2 * SF_PEERS_MAX };

struct question {
    uint64_t tag;
    struct sf_peers_endpoint endpoint;
};

/* Shared by the owner and the thread; the last of them frees it. */
struct sf_resolver {
    pthread_mutex_t mutex;
    struct question questions[QUESTIONS_MAX]; /* a ring */
    size_t question_first;
    size_t question_count;
    struct sf_resolver_answer answers[QUESTIONS_MAX];
    size_t answer_first;
    size_t answer_count;
    bool is_running; /* there is a thread; it ends when no question is left */
    bool is_closed;
    int fd;
};

static struct sf_addr
addr_of(const struct sockaddr *from, uint16_t port)
{
    struct sf_addr addr = {.port = port};

    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, from, sizeof(v4));
        return sf_addr_v4(ntohl(v4.sin_addr.s_addr), port);
    }
    memcpy(
        addr.ip, (const uint8_t *)from + offsetof(struct sockaddr_in6, sin6_addr), sizeof(addr.ip));
    return addr;
}

bool
sf_resolve_numeric(const struct sf_peers_endpoint *endpoint, struct sf_addr *ret_addr)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, endpoint->host, &v4) == 1) {
        *ret_addr = sf_addr_v4(ntohl(v4.s_addr), endpoint->port);
        return true;
    }
    if (inet_pton(AF_INET6, endpoint->host, &v6) == 1) {
        memcpy(ret_addr->ip, &v6, sizeof(ret_addr->ip));
        ret_addr->port = endpoint->port;
        return true;
    }
    return false;
}

/* May take many seconds. */
static void
look_up(const struct question *question, struct sf_resolver_answer *ret_answer)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(question->endpoint.host, NULL, &hints, &list);

    memset(ret_answer, 0, sizeof(*ret_answer));
    ret_answer->tag = question->tag;
    for (struct addrinfo *entry = list; failed == 0 && entry != NULL; entry = entry->ai_next) {
        if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6) {
            ret_answer->addr = addr_of(entry->ai_addr, question->endpoint.port);
            ret_answer->is_found = true;
            break;
        }
    }
    if (!ret_answer->is_found) {
        (void)snprintf(ret_answer->why, sizeof(ret_answer->why), "%s",
            failed != 0 ? gai_strerror(failed) : "it has no address");
    }
    if (list != NULL) {
        freeaddrinfo(list);
    }
}

static void
release(struct sf_resolver *resolver)
{
    (void)pthread_mutex_destroy(&resolver->mutex);
    close(resolver->fd);
    free(resolver);
}

static void
add_answer(struct sf_resolver *resolver, const struct sf_resolver_answer *answer)
{
    const uint64_t one = 1;
    ssize_t written;

    if (resolver->answer_count == QUESTIONS_MAX) {
        return; /* nobody reads them; it will be asked again */
    }
    resolver->answers[(resolver->answer_first + resolver->answer_count) % QUESTIONS_MAX] = *answer;
    resolver->answer_count++;
    written = write(resolver->fd, &one, sizeof(one));
    (void)written;
}

static void *
answer_all(void *context)
{
    struct sf_resolver *resolver = context;
    bool is_closed;

    (void)pthread_mutex_lock(&resolver->mutex);
    while (resolver->question_count > 0 && !resolver->is_closed) {
        struct question question = resolver->questions[resolver->question_first];
        struct sf_resolver_answer answer;

        resolver->question_first = (resolver->question_first + 1) % QUESTIONS_MAX;
        resolver->question_count--;
        (void)pthread_mutex_unlock(&resolver->mutex);
        look_up(&question, &answer);
        (void)pthread_mutex_lock(&resolver->mutex);
        add_answer(resolver, &answer);
    }
    resolver->is_running = false;
    is_closed = resolver->is_closed;
    (void)pthread_mutex_unlock(&resolver->mutex);
    if (is_closed) {
        release(resolver);
    }
    return NULL;
}

int
sf_resolver_open(struct sf_resolver **ret_resolver)
{
    struct sf_resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL) {
        return SF_ENOMEM;
    }
    resolver->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (resolver->fd < 0) {
        free(resolver);
        return SF_ELIMIT;
    }
    sf_assert(pthread_mutex_init(&resolver->mutex, NULL) == 0);
    *ret_resolver = resolver;
    return SF_OK;
}

void
sf_resolver_close(struct sf_resolver *resolver)
{
    bool is_running;

    if (resolver == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&resolver->mutex);
    resolver->is_closed = true;
    is_running = resolver->is_running;
    (void)pthread_mutex_unlock(&resolver->mutex);
    if (!is_running) {
        release(resolver);
    }
}

int
sf_resolver_fd(const struct sf_resolver *resolver)
{
    return resolver->fd;
}

/* A detached thread without signals, which lives as long as there are questions. */
static bool
start_thread(struct sf_resolver *resolver)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    bool is_started = false;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0) {
        is_started = pthread_create(&thread, &attributes, answer_all, resolver) == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return is_started;
}

int
sf_resolver_ask(
    struct sf_resolver *resolver, uint64_t tag, const struct sf_peers_endpoint *endpoint)
{
    int status = SF_OK;

    (void)pthread_mutex_lock(&resolver->mutex);
    if (resolver->question_count == QUESTIONS_MAX) {
        status = SF_ELIMIT;
        goto out;
    }
    resolver->questions[(resolver->question_first + resolver->question_count) % QUESTIONS_MAX] =
        (struct question){tag, *endpoint};
    resolver->question_count++;
    if (!resolver->is_running) {
        resolver->is_running = start_thread(resolver);
        if (!resolver->is_running) {
            resolver->question_count--;
            status = SF_ENOMEM;
        }
    }

out:
    (void)pthread_mutex_unlock(&resolver->mutex);
    return status;
}

bool
sf_resolver_next(struct sf_resolver *resolver, struct sf_resolver_answer *ret_answer)
{
    uint64_t count;
    bool is_found = false;

    (void)pthread_mutex_lock(&resolver->mutex);
    if (resolver->answer_count > 0) {
        *ret_answer = resolver->answers[resolver->answer_first];
        resolver->answer_first = (resolver->answer_first + 1) % QUESTIONS_MAX;
        resolver->answer_count--;
        is_found = true;
    } else {
        ssize_t got = read(resolver->fd, &count, sizeof(count));

        (void)got;
    }
    (void)pthread_mutex_unlock(&resolver->mutex);
    return is_found;
}
