/*
 * sim_control.h - how a running link is spoken to: datagrams on a Unix socket,
 * one request, one answer, as text.
 *
 *     skyferry-sim 1 change      the lines of a profile, on top of what is
 *     skyferry-sim 1 replace     the same, on top of a perfect network
 *     skyferry-sim 1 counters    nothing follows; the answer is the report
 *
 * The answer is "ok" or "error" and a line end, then the report or the reason.
 * Only the user who started the link, and root, are listened to.
 */
#ifndef SF_APP_SIM_CONTROL_H
#define SF_APP_SIM_CONTROL_H

#include "base/bytes.h"
#include "sim/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    SF_SIM_CONTROL_PATH_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path),
    SF_SIM_CONTROL_TEXT_BYTES = SF_SIM_PROFILE_BYTES_MAX + 64,
};

enum sf_sim_control_kind {
    SF_SIM_CONTROL_CHANGE,
    SF_SIM_CONTROL_REPLACE,
    SF_SIM_CONTROL_COUNTERS,
};

struct sf_sim_control_request {
    enum sf_sim_control_kind kind;
    struct sf_view text;
    struct sockaddr_un from;
    socklen_t from_bytes;
    char buffer[SF_SIM_CONTROL_TEXT_BYTES + 1];
};

/*
 * Open the socket of a link, at `path`, or, if that is empty, at a place of
 * this process' own, which is then written there: $XDG_RUNTIME_DIR/skyferry-sim
 * or /tmp/skyferry-sim-UID, a folder for this user alone. A socket nobody
 * listens at any more is replaced. Returns the descriptor, or -1 with errno.
 */
int sf_sim_control_open(char path[SF_SIM_CONTROL_PATH_BYTES]);
void sf_sim_control_close(int fd, const char *path);

/* Take one request. False if there is none, or it is not one: that one was answered. */
bool sf_sim_control_receive(int fd, struct sf_sim_control_request *ret_request);
void sf_sim_control_answer(
    int fd, const struct sf_sim_control_request *request, bool is_good, const char *text);

/*
 * Find the one link of this user that runs. Returns how many do: 1 if `path`
 * was filled in; of several the paths are said on standard error.
 */
size_t sf_sim_control_find(char path[SF_SIM_CONTROL_PATH_BYTES]);

/*
 * Ask the link at `path`. Returns 1 with the answer's text in `answer`, 0 if it
 * refused, with the reason there, or -1 with errno if it cannot be reached.
 */
int sf_sim_control_ask(const char *path, enum sf_sim_control_kind kind, const char *text,
    char answer[SF_SIM_CONTROL_TEXT_BYTES + 1]);

#endif
