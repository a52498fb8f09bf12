#include <config.h>

#include "app/client.h"

#include "base/assert.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_S = 5,
    ANSWER_TIMEOUT_S = 120, /* longer than any answer the daemon holds back on purpose */
};

struct sf_client {
    CURL *curl;
    struct sf_home home; /* keeps the socket's path valid; fd -1 while there is no home */
    char home_path[SF_HOME_PATH_BYTES_MAX + 1];
    char socket[SF_HOME_PATH_BYTES_MAX + 16];
};

/* An answer as it comes in. */
struct answer {
    char *data;
    size_t bytes;
    size_t room;
};

int
sf_client_open(const char *home_path, struct sf_client **ret_client)
{
    struct sf_client *client = calloc(1, sizeof(*client));

    if (client == NULL) {
        return SF_ENOMEM;
    }
    client->home.fd = -1;
    client->home.lock_fd = -1;
    (void)snprintf(client->home_path, sizeof(client->home_path), "%s", home_path);
    (void)snprintf(client->socket, sizeof(client->socket), "%s/%s", home_path, SF_HOME_CONTROL);
    if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK ||
        (client->curl = curl_easy_init()) == NULL) {
        free(client);
        return SF_ENOMEM;
    }
    *ret_client = client;
    return SF_OK;
}

void
sf_client_close(struct sf_client *client)
{
    if (client == NULL) {
        return;
    }
    curl_easy_cleanup(client->curl);
    sf_home_close(&client->home);
    free(client);
}

const char *
sf_client_socket(const struct sf_client *client)
{
    return client->socket;
}

int
sf_client_path(const char *prefix, const char *segment, const char *suffix, char *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~";
    size_t used = strlen(prefix);
    size_t left = SF_CLIENT_PATH_BYTES_MAX + 1;

    if (used + 3 * strlen(segment) + strlen(suffix) >= left) {
        return SF_ELIMIT;
    }
    memcpy(out, prefix, used);
    for (const char *at = segment; *at != '\0'; at++) {
        /* A dot is encoded too, or "." and ".." would be taken for steps in the path. */
        if (strchr(plain, *at) != NULL) {
            out[used++] = *at;
        } else {
            used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned)(unsigned char)*at);
        }
    }
    memcpy(out + used, suffix, strlen(suffix) + 1);
    return SF_OK;
}

static size_t
collect(char *data, size_t size, size_t count, void *context)
{
    struct answer *answer = context;
    size_t bytes = size * count;

    if (bytes > SF_CLIENT_ANSWER_BYTES_MAX - answer->bytes) {
        return 0;
    }
    if (answer->bytes + bytes > answer->room) {
        size_t room = answer->room == 0 ? 4096 : answer->room;
        char *more;

        while (room < answer->bytes + bytes) {
            room *= 2;
        }
        more = realloc(answer->data, room);
        if (more == NULL) {
            return 0;
        }
        answer->data = more;
        answer->room = room;
    }
    memcpy(answer->data + answer->bytes, data, bytes);
    answer->bytes += bytes;
    return bytes;
}

/* Why the socket cannot be connected to: asked again by hand, for curl does not tell. */
static int
probe(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int error = 0;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return ENAMETOOLONG;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        error = errno;
    }
    (void)close(fd);
    return error;
}

static int
unreachable(struct sf_client_error *error, int system_error, const char *text)
{
    error->is_unreachable = true;
    error->system_error = system_error;
    error->status = SF_EIO;
    (void)snprintf(error->text, sizeof(error->text), "%s", text);
    return SF_EIO;
}

static int
status_of(const char *name)
{
    static const struct {
        const char *name;
        int status;
    } names[] = {{"invalid", SF_EINVAL}, {"format", SF_EFORMAT}, {"denied", SF_EAUTH},
        {"not-found", SF_ENOENT}, {"method", SF_EFORMAT}, {"state", SF_ESTATE},
        {"exists", SF_EEXIST}, {"too-large", SF_ELIMIT}, {"limit", SF_ELIMIT}, {"io", SF_EIO},
        {"busy", SF_ENOMEM}, {"no-space", SF_ENOSPC}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].status;
        }
    }
    return SF_EIO;
}

/* Make an object or an error of what came back. */
static int
judge(const struct answer *answer, long code, json_t **ret_answer, struct sf_client_error *error)
{
    json_t *object = json_loadb(
        answer->data == NULL ? "" : answer->data, answer->bytes, JSON_REJECT_DUPLICATES, NULL);
    json_t *failure = json_object_get(object, "error");

    if (!json_is_object(object) || (code >= 300 && !json_is_object(failure))) {
        error->status = SF_EFORMAT;
        (void)snprintf(error->text, sizeof(error->text),
            "something answered with HTTP status %ld, but not as skyferryd does", code);
    } else if (code >= 300) {
        const char *name = json_string_value(json_object_get(failure, "status"));
        const char *text = json_string_value(json_object_get(failure, "text"));

        error->status = name == NULL ? SF_EIO : status_of(name);
        (void)snprintf(error->text, sizeof(error->text), "%s",
            text == NULL || text[0] == '\0' ? sf_status_text(error->status) : text);
    } else {
        *ret_answer = object;
        return SF_OK;
    }
    json_decref(object);
    return error->status;
}

/* Connect, ask, collect. SF_OK, or SF_EIO with *error filled. */
static int
perform(struct sf_client *client, const struct sf_client_call *call, const char *body,
    struct answer *answer, long *ret_code, struct sf_client_error *error)
{
    static const char host[] = "http://skyferry";
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char url[sizeof(host) + SF_CLIENT_PATH_BYTES_MAX];
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURLcode code;

    sf_home_socket(&client->home, SF_HOME_CONTROL, path);
    (void)snprintf(url, sizeof(url), "%s%s", host, call->path);
    curl_easy_reset(client->curl);
    (void)curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, path);
    (void)curl_easy_setopt(client->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(client->curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(client->curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, call->method);
    (void)curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    (void)curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, (long)ANSWER_TIMEOUT_S);
    (void)curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, collect);
    (void)curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, answer);
    (void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    if (body != NULL || strcmp(call->method, "GET") != 0) {
        (void)curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body == NULL ? "" : body);
    }
    code = curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, ret_code);
    if (code == CURLE_COULDNT_CONNECT) {
        int system_error = probe(path);

        return unreachable(error, system_error == 0 ? ECONNREFUSED : system_error,
            strerror(system_error == 0 ? ECONNREFUSED : system_error));
    }
    if (code != CURLE_OK) {
        return unreachable(error, 0, curl_easy_strerror(code));
    }
    return SF_OK;
}

int
sf_client_do(struct sf_client *client, const struct sf_client_call *call, json_t **ret_answer,
    struct sf_client_error *error)
{
    struct sf_app_error why = {0};
    struct answer answer = {0};
    char *body = NULL;
    long code = 0;
    int status;

    *error = (struct sf_client_error){0};
    /* The home may have been made, or made anew, since the last call. */
    sf_home_close(&client->home);
    client->home = (struct sf_home){.fd = -1, .lock_fd = -1};
    status = sf_home_open_client(client->home_path, &client->home, &why);
    if (status != SF_OK) {
        client->home = (struct sf_home){.fd = -1, .lock_fd = -1};
        return unreachable(error, status == SF_EAUTH ? EACCES : ENOENT, why.text);
    }
    if (call->body != NULL) {
        body = json_dumps(call->body, JSON_COMPACT);
        sf_assert(body != NULL);
    }
    status = perform(client, call, body, &answer, &code, error);
    if (status == SF_OK) {
        status = judge(&answer, code, ret_answer, error);
    }
    free(body);
    free(answer.data);
    return status;
}
