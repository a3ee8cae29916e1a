/*
 * A datagram asks for nothing but what would be done anyway, sooner; it has no
 * answer. Whoever may write to the socket (its mode says who) can't make more
 * of it than a fetch in half a minute for each source.
 */

#include "key_requests.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../workers/say.h"

#define TAKEN_MAX 1024 /* datagrams, before anything else has its turn */
#define PREFIX    "unix:"

static const char *
path_of(const char *path)
{
    return strncmp(path, PREFIX, sizeof(PREFIX) - 1) == 0
               ? path + sizeof(PREFIX) - 1
               : path;
}

/* Only a socket is taken away, and only one at which nobody listens. */
static int
clear_place(int fd, const struct sockaddr_un *at)
{
    struct stat st;

    if (lstat(at->sun_path, &st) != 0) {
        return errno == ENOENT ? 0 : -1;
    }
    if (!S_ISSOCK(st.st_mode)
        || connect(fd, (const struct sockaddr *) at, sizeof(*at)) == 0) {
        errno = EADDRINUSE;
        return -1;
    }
    return unlink(at->sun_path);
}

static int
listen_at(const struct sockaddr_un *at)
{
    mode_t before;
    int    rc, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                           0);

    if (fd == -1) {
        return -1;
    }
    rc = clear_place(fd, at);
    if (rc == 0) {
        before = umask(0117);
        rc = bind(fd, (const struct sockaddr *) at, sizeof(*at));
        umask(before);
    }
    if (rc != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int
lp_key_requests_open(const char *path)
{
    struct sockaddr_un at;
    size_t             len;
    int                fd;

    path = path_of(path);
    len = strlen(path);
    if (len == 0 || len >= sizeof(at.sun_path)) {
        lp_say("the path of --key-socket is empty, or longer than %zu bytes",
               sizeof(at.sun_path) - 1);
        return -1;
    }
    memset(&at, 0, sizeof(at));
    at.sun_family = AF_UNIX;
    memcpy(at.sun_path, path, len);
    fd = listen_at(&at);
    if (fd == -1) {
        lp_say("can't listen at %s: %s", path, strerror(errno));
    }
    return fd;
}

void
lp_key_requests_take(int fd, void (*ask)(void *owner, lp_span_t issuer),
                     void *owner)
{
    char     message[LP_KEY_REQUEST_MAX + 1];
    ssize_t  n;
    unsigned i;

    for (i = 0; i < TAKEN_MAX; i++) {
        n = recv(fd, message, sizeof(message), MSG_DONTWAIT);
        if (n < 0) {
            return;
        }
        if (n > 0 && n <= LP_KEY_REQUEST_MAX) {
            ask(owner, (lp_span_t) {message, (size_t) n});
        }
    }
}

void
lp_key_requests_close(int fd, const char *path)
{
    if (fd != -1) {
        close(fd);
        unlink(path_of(path));
    }
}
