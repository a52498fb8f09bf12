#include "app/resolve.h"

#include "app/confine.h"
#include "base/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUESTIONS_MAX = 2 * SF_PEERS_MAX, /* asked and not yet answered */
    FD_FIRST = 3,                     /* behind those of standard input, output and error */
};

/* Both travel as they are: the same program stands at both ends. */
struct question {
    uint64_t tag;
    struct sf_endpoint endpoint;
};

struct sf_resolver {
    int fd; /* to the process that looks up */
    pid_t process;
    size_t waiting;
    bool is_gone; /* the process ended by itself */
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

/* --- The process ------------------------------------------------------------------- */

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
        if ((entry->ai_family == AF_INET || entry->ai_family == AF_INET6) &&
            ret_answer->count < SF_RESOLVE_ADDRS_MAX) {
            ret_answer->addrs[ret_answer->count++] =
                addr_of(entry->ai_addr, question->endpoint.port);
        }
    }
    if (ret_answer->count == 0) {
        (void)snprintf(ret_answer->why, sizeof(ret_answer->why), "%s",
            failed != 0 ? gai_strerror(failed) : "it has no address");
    }
    if (list != NULL) {
        freeaddrinfo(list);
    }
}

/* Close every descriptor of the parent but `fd`: its home, its lock, its terminal's input. */
static void
keep_only(int fd)
{
    close(STDIN_FILENO);
    if (fd > FD_FIRST) {
        (void)syscall(SYS_close_range, FD_FIRST, (unsigned)fd - 1, 0);
    }
    (void)syscall(SYS_close_range, (unsigned)fd + 1, ~0U, 0);
}

/* Answer questions until the parent closes its end. */
static void
serve(int fd)
{
    struct question question;
    struct sf_resolver_answer answer;

    while (recv(fd, &question, sizeof(question), 0) == (ssize_t)sizeof(question)) {
        look_up(&question, &answer);
        if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer)) {
            return;
        }
    }
}

static void
run_child(int fd, pid_t parent)
{
    sigset_t none;

    /* The parent, confined later than this, may not be able to end it. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE); /* it ended before that was said */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGINT, SIG_IGN); /* of the terminal: the parent decides when it is over */
    keep_only(fd);
    sf_confine_resolver();
    serve(fd);
    _exit(EXIT_SUCCESS);
}

/* --- The owner's end --------------------------------------------------------------- */

int
sf_resolver_open(struct sf_resolver **ret_resolver)
{
    struct sf_resolver *resolver = calloc(1, sizeof(*resolver));
    pid_t parent = getpid();
    int ends[2];

    if (resolver == NULL) {
        return SF_ENOMEM;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        free(resolver);
        return SF_ELIMIT;
    }
    resolver->process = fork();
    if (resolver->process < 0) {
        close(ends[0]);
        close(ends[1]);
        free(resolver);
        return SF_ELIMIT;
    }
    if (resolver->process == 0) {
        run_child(ends[1], parent);
    }
    close(ends[1]);
    resolver->fd = ends[0];
    *ret_resolver = resolver;
    return SF_OK;
}

void
sf_resolver_close(struct sf_resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    close(resolver->fd);
    if (kill(resolver->process, SIGKILL) == 0) {
        (void)waitpid(resolver->process, NULL, 0);
    }
    free(resolver);
}

int
sf_resolver_fd(const struct sf_resolver *resolver)
{
    return resolver->fd;
}

int
sf_resolver_ask(struct sf_resolver *resolver, uint64_t tag, const struct sf_endpoint *endpoint)
{
    struct question question;

    if (resolver->waiting == QUESTIONS_MAX) {
        return SF_ELIMIT;
    }
    memset(&question, 0, sizeof(question)); /* the gaps too: it leaves the process */
    question.tag = tag;
    question.endpoint = *endpoint;
    if (send(resolver->fd, &question, sizeof(question), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        return errno == EAGAIN ? SF_ELIMIT : SF_EIO;
    }
    resolver->waiting++;
    return SF_OK;
}

bool
sf_resolver_next(struct sf_resolver *resolver, struct sf_resolver_answer *ret_answer)
{
    ssize_t got = recv(resolver->fd, ret_answer, sizeof(*ret_answer), MSG_DONTWAIT);

    if (got != (ssize_t)sizeof(*ret_answer)) {
        resolver->is_gone = got >= 0 || errno != EAGAIN;
        return false;
    }
    ret_answer->why[sizeof(ret_answer->why) - 1] = '\0';
    if (ret_answer->count > SF_RESOLVE_ADDRS_MAX) {
        ret_answer->count = SF_RESOLVE_ADDRS_MAX;
    }
    resolver->waiting -= resolver->waiting > 0;
    return true;
}

bool
sf_resolver_is_gone(const struct sf_resolver *resolver)
{
    return resolver->is_gone;
}
