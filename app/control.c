#include "app/control.h"

#include "app/control_internal.h"
#include "base/crypto.h"

#include <microhttpd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SILENCE_S = 30, /* of a connection, before it is closed */
    HEAD_BYTES_MAX = 32 * 1024,
    BACKLOG = 64,
    BODY_BYTES_FIRST = 4096,
    WAITERS_MAX = SF_CONTROL_CONNECTIONS_MAX - 8, /* so that there is always room for others */
};

struct request {
    struct request *next; /* of those that wait for events */
    struct MHD_Connection *connection;
    char *body;
    size_t body_bytes;
    size_t body_bytes_max;
    size_t body_room;
    bool is_too_large;
    bool is_out_of_memory;
    bool is_waiting; /* suspended, and in the list */
    bool has_waited; /* it was in the list: `until` is set */
    uint64_t since;
    sf_mono until;
};

struct sf_control {
    struct sf_daemon *daemon;
    struct MHD_Daemon *http;
    struct sf_daemon_source source; /* its epoll descriptor */
    struct request *waiting;
    size_t waiting_count;
};

/* --- Bodies -------------------------------------------------------------------- */

/* Only contact plans are long. */
static size_t
body_bytes_max(const char *method, const char *path)
{
    static const char plan[] = "/contacts";
    size_t bytes = strlen(path);
    bool is_plan = strcmp(method, "PUT") == 0 && bytes >= sizeof(plan) - 1 &&
                   strcmp(path + bytes - (sizeof(plan) - 1), plan) == 0;

    return is_plan ? SF_CONTROL_PLAN_BYTES_MAX : SF_CONTROL_BODY_BYTES_MAX;
}

static void
add_body(struct request *request, const char *data, size_t bytes)
{
    size_t room = request->body_room == 0 ? BODY_BYTES_FIRST : request->body_room;
    char *grown;

    if (bytes > request->body_bytes_max - request->body_bytes) {
        request->is_too_large = true; /* the rest is read and forgotten */
    }
    if (request->is_too_large || request->is_out_of_memory) {
        return;
    }
    while (room < request->body_bytes + bytes) {
        room *= 2;
    }
    if (room > request->body_room) {
        grown = realloc(request->body, room);
        if (grown == NULL) {
            request->is_out_of_memory = true;
            return;
        }
        request->body = grown;
        request->body_room = room;
    }
    memcpy(request->body + request->body_bytes, data, bytes);
    request->body_bytes += bytes;
}

static void
forget(struct sf_control *control, struct request *request)
{
    for (struct request **at = &control->waiting; *at != NULL; at = &(*at)->next) {
        if (*at == request) {
            *at = request->next;
            control->waiting_count--;
            break;
        }
    }
    if (request->body != NULL) {
        /* It may have held a pre-shared key. */
        sf_wipe(request->body, request->body_room);
    }
    free(request->body);
    free(request);
}

static void
completed(void *context, struct MHD_Connection *connection, void **slot,
    enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    if (*slot != NULL) {
        forget(context, *slot);
        *slot = NULL;
    }
}

/* --- Replies ------------------------------------------------------------------- */

static enum MHD_Result
send_reply(struct MHD_Connection *connection, struct sf_control_reply *reply)
{
    char *text = reply->body == NULL ? NULL : json_dumps(reply->body, JSON_COMPACT);
    struct MHD_Response *response = NULL;
    enum MHD_Result result = MHD_NO;

    if (text != NULL) {
        response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
        if (response == NULL) {
            free(text);
        }
    }
    if (response != NULL) {
        if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                "application/json; charset=utf-8") == MHD_YES &&
            MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") ==
                MHD_YES) {
            result = MHD_queue_response(connection, reply->http, response);
        }
        MHD_destroy_response(response);
    }
    json_decref(reply->body);
    reply->body = NULL;
    return result; /* MHD_NO closes the connection: there was no memory for an answer */
}

static bool
parse_number(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t digits = text == NULL ? 0 : strspn(text, "0123456789");

    if (digits == 0 || digits > 18 || text[digits] != '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *ret_value = value;
    return true;
}

static const char *
query(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

/* A number in the query: false if it is there and is none. */
static bool
query_number(
    struct MHD_Connection *connection, const char *name, bool *ret_is_there, uint64_t *ret_value)
{
    const char *text = query(connection, name);

    *ret_is_there = text != NULL;
    return text == NULL || parse_number(text, ret_value);
}

/* What is wrong with the request itself, before anybody looks at what it asks for. */
static bool
refuse_early(struct sf_control *control, struct request *request, struct sf_control_reply *reply)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    uint32_t user;

    if (info == NULL || !sf_daemon_is_allowed(control->daemon, info->connect_fd, &user)) {
        sf_control_refuse_http(reply, MHD_HTTP_FORBIDDEN, "denied",
            "only root, the daemon's user and members of the socket's group may use it");
        return true;
    }
    if (request->is_too_large) {
        sf_control_refuse_http(reply, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
            "the body of a request is at most 1 MiB, and 16 MiB with a contact plan");
        return true;
    }
    if (request->is_out_of_memory) {
        sf_control_refuse_http(
            reply, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "no memory for the request: try again");
        return true;
    }
    return false;
}

static void
resume(struct sf_control *control, struct request **at)
{
    struct request *request = *at;

    *at = request->next;
    control->waiting_count--;
    request->next = NULL;
    request->is_waiting = false;
    MHD_resume_connection(request->connection);
}

/* Those who have hung up while they waited: let libmicrohttpd find that out. */
static void
resume_gone(struct sf_control *control)
{
    for (struct request **at = &control->waiting; *at != NULL;) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info((*at)->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        char byte;

        if (info != NULL && recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
            (*at)->until = control->daemon->now; /* or it would wait again */
            resume(control, at);
        } else {
            at = &(*at)->next;
        }
    }
}

/* Put `request` aside until there is an event or `until` is over. */
static enum MHD_Result
suspend(struct sf_control *control, struct request *request)
{
    request->is_waiting = true;
    request->next = control->waiting;
    control->waiting = request;
    control->waiting_count++;
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

/* Parse what goes with a call. False if it is malformed; then the reply is there. */
static bool
fill_call(struct sf_control *control, struct request *request, struct sf_control_call *call,
    json_t **ret_body, struct sf_control_reply *reply)
{
    const char *open_only = query(request->connection, "open");
    uint64_t wait_ms = SF_CONTROL_WAIT_MS_DEFAULT;
    bool has_wait;
    json_error_t why;

    if (!query_number(request->connection, "since", &call->has_since, &call->since) ||
        !query_number(request->connection, "wait_ms", &has_wait, &wait_ms) ||
        wait_ms > SF_CONTROL_WAIT_MS_MAX) {
        sf_control_refuse_http(reply, MHD_HTTP_BAD_REQUEST, "invalid",
            "since and wait_ms are decimal numbers, wait_ms at most 60000");
        return false;
    }
    call->open_only = open_only != NULL && strcmp(open_only, "1") == 0;
    if (!request->has_waited) {
        request->has_waited = true;
        request->until = sf_mono_add(control->daemon->now, wait_ms * SF_MS);
    }
    call->may_wait = control->daemon->now < request->until;
    if (request->body_bytes > 0) {
        *ret_body = json_loadb(request->body, request->body_bytes, JSON_REJECT_DUPLICATES, &why);
        if (*ret_body == NULL) {
            struct sf_app_error error;

            (void)sf_app_error_set(&error, SF_EFORMAT,
                "the body is not JSON: line %d, column %d: %s", why.line, why.column, why.text);
            sf_control_refuse(reply, &error);
            return false;
        }
        call->body = *ret_body;
    }
    return true;
}

static enum MHD_Result
answer(struct sf_control *control, struct request *request, const char *method, const char *path)
{
    struct sf_control_call call = {.method = method, .path = path};
    struct sf_control_reply reply = {.http = 0};
    json_t *body = NULL;

    if (!refuse_early(control, request, &reply) &&
        fill_call(control, request, &call, &body, &reply)) {
        sf_control_answer(control->daemon, &call, &reply);
    }
    json_decref(body);
    if (reply.is_waiting && control->waiting_count >= WAITERS_MAX) {
        resume_gone(control);
    }
    if (reply.is_waiting && control->waiting_count >= WAITERS_MAX) {
        sf_control_refuse_http(&reply, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
            "too many wait for events already: try again, or with wait_ms=0");
    } else if (reply.is_waiting) {
        request->since = call.since;
        return suspend(control, request);
    }
    return send_reply(request->connection, &reply);
}

/* Called for the head of a request, for pieces of its body, then once more; and after a wait. */
static enum MHD_Result
handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
    const char *version, const char *data, size_t *data_bytes, void **slot)
{
    struct sf_control *control = context;
    struct request *request = *slot;

    (void)version;
    if (request == NULL) {
        request = calloc(1, sizeof(*request));
        if (request == NULL) {
            return MHD_NO;
        }
        request->connection = connection;
        request->body_bytes_max = body_bytes_max(method, path);
        *slot = request;
        return MHD_YES;
    }
    if (*data_bytes > 0) {
        add_body(request, data, *data_bytes);
        *data_bytes = 0;
        return MHD_YES;
    }
    return answer(control, request, method, path);
}

/*
 * Decode percent signs, but not a NUL: all of what was asked for is looked at,
 * and no name holds a percent sign.
 */
static size_t
unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strstr(text, "%00") != NULL ? strlen(text) : MHD_http_unescape(text);
}

/* --- Opening, waiting ------------------------------------------------------------ */

static unsigned
connections(struct sf_control *control)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(control->http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info == NULL ? 0 : info->num_connections;
}

/*
 * Let libmicrohttpd go on. At its limit of connections it stops listening, and
 * listens again only at the run after the one in which a connection ended.
 */
static void
run_http(struct sf_control *control)
{
    unsigned before;

    do {
        enum MHD_Result ran;

        before = connections(control);
        ran = MHD_run(control->http);
        (void)ran;
    } while (before >= SF_CONTROL_CONNECTIONS_MAX && connections(control) < before);
}

static void
http_ready(struct sf_daemon *daemon, struct sf_daemon_source *source, uint32_t events)
{
    (void)daemon;
    (void)events;
    run_http(source->owner);
}

int
sf_control_open(
    struct sf_daemon *daemon, struct sf_control **ret_control, struct sf_app_error *error)
{
    const struct sf_daemon_listener listener = {SF_HOME_CONTROL, SOCK_STREAM, BACKLOG};
    struct sf_control *control = calloc(1, sizeof(*control));
    const union MHD_DaemonInfo *info;
    int status;
    int fd;

    if (control == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory for the control socket");
    }
    control->daemon = daemon;
    status = sf_daemon_listen(daemon, &listener, &fd, error);
    if (status != SF_OK) {
        free(control);
        return status;
    }
    control->http = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        handle, control, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)SF_CONTROL_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES_MAX, MHD_OPTION_NOTIFY_COMPLETED,
        completed, control, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
    if (control->http == NULL) {
        close(fd);
        free(control);
        return sf_app_error_set(
            error, SF_EIO, "cannot serve the control socket: %s", strerror(errno));
    }
    info = MHD_get_daemon_info(control->http, MHD_DAEMON_INFO_EPOLL_FD);
    control->source = (struct sf_daemon_source){
        .ready = http_ready, .fd = info == NULL ? -1 : info->epoll_fd, .owner = control};
    if (sf_daemon_watch(daemon, &control->source, EPOLLIN) != SF_OK) {
        sf_control_close(control);
        return sf_app_error_set(
            error, SF_EIO, "cannot watch the control socket: %s", strerror(errno));
    }
    *ret_control = control;
    return SF_OK;
}

void
sf_control_close(struct sf_control *control)
{
    if (control == NULL) {
        return;
    }
    /* libmicrohttpd asks that nobody is suspended when it stops. */
    while (control->waiting != NULL) {
        resume(control, &control->waiting);
    }
    sf_daemon_unwatch(control->daemon, &control->source);
    (void)unlinkat(control->daemon->home.fd, SF_HOME_CONTROL, 0);
    MHD_stop_daemon(control->http);
    free(control);
}

void
sf_control_tick(struct sf_control *control)
{
    MHD_UNSIGNED_LONG_LONG ms;
    bool is_due = false;

    for (struct request **at = &control->waiting; *at != NULL;) {
        if (control->daemon->news_next > (*at)->since || control->daemon->now >= (*at)->until) {
            resume(control, at);
            is_due = true;
        } else {
            at = &(*at)->next;
        }
    }
    if (is_due || (MHD_get_timeout(control->http, &ms) == MHD_YES && ms == 0)) {
        run_http(control);
    }
}

sf_mono
sf_control_deadline(const struct sf_control *control)
{
    sf_mono at = SF_NEVER;
    MHD_UNSIGNED_LONG_LONG ms;

    for (const struct request *request = control->waiting; request != NULL;
         request = request->next) {
        at = sf_mono_min(at, request->until);
    }
    if (MHD_get_timeout(control->http, &ms) == MHD_YES) {
        at = sf_mono_min(at, sf_mono_add(control->daemon->now, (uint64_t)ms * SF_MS));
    }
    return at;
}
