/*
 * libfcgi allocates what the length of a parameter says before it has seen the
 * parameter, and ends the process where that fails; it has had overflows there,
 * too (CVE-2025-23016). So the parameters are walked through while they still
 * lie in the socket (MSG_PEEK), and libfcgi gets to read only what is whole and
 * consistent. nginx sends all of it at once: it costs one system call.
 *
 * Each header says how long its record is (FastCGI 1.0, sections 3.3 and 3.4);
 * where more is needed than was there, it is peeked again. Linux' peek into a
 * Unix socket ends where the bytes do, also where it is to wait for all of
 * them, and nothing announces the next ones while the first are not taken: what
 * has come in part is looked at again every millisecond.
 */

#include "preamble.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "watched_file.h"

#define HEADER        8
#define BEGIN_REQUEST 1
#define PARAMS        4
#define STDIN         5
#define RESPONDER     1
#define VERSION       1
#define BYTES_MAX     (64 * 1024)
#define PATIENCE      10 /* seconds for all of it */
#define FIRST_READ    8192 /* bytes: libfcgi's buffer */

typedef struct {
    unsigned type;
    unsigned id;
    size_t   len;  /* of the content */
    size_t   size; /* with header and padding */
} record_t;

static unsigned char seen[BYTES_MAX];   /* from the connection's first byte */
static unsigned char params[BYTES_MAX]; /* their contents, without headers */

static size_t  have;  /* bytes in seen */
static int64_t until; /* when patience ends */

/* Waits a millisecond; -1: no more will come, or patience has ended. */
static int
wait_for_more(int fd)
{
    struct pollfd end = {fd, POLLRDHUP, 0};

    return poll(&end, 1, 1) == 0 && lp_watched_clock() <= until ? 0 : -1;
}

/* All that has come; -1: nothing has, and nothing will. */
static int
look(int fd)
{
    ssize_t there = recv(fd, seen, BYTES_MAX, MSG_PEEK);

    have = there > 0 ? (size_t) there : 0;
    return there > 0 ? 0 : -1;
}

/* Waits until n bytes are there. */
static int
peek(int fd, size_t n)
{
    if (n > BYTES_MAX) {
        return -1;
    }
    while (have < n) {
        if (look(fd) != 0) {
            return -1;
        }
        if (have < n && wait_for_more(fd) != 0) {
            /* the last bytes and the end may have come together */
            return look(fd) == 0 && have >= n ? 0 : -1;
        }
    }
    return 0;
}

/* The record that begins at at. */
static int
peek_record(int fd, size_t at, record_t *record)
{
    const unsigned char *p = seen + at;

    if (peek(fd, at + HEADER) != 0 || p[0] != VERSION) {
        return -1;
    }
    record->type = p[1];
    record->id = (unsigned) p[2] << 8 | p[3];
    record->len = (size_t) p[4] << 8 | p[5];
    record->size = HEADER + record->len + p[6];
    return record->size == HEADER ? 0 : peek(fd, at + record->size);
}

/* A length of one byte or of four; -1: it is cut off. */
static int64_t
read_length(const unsigned char **p, const unsigned char *end)
{
    const unsigned char *q = *p;

    if (q < end && q[0] < 0x80) {
        *p = q + 1;
        return q[0];
    }
    if (end - q < 4) {
        return -1;
    }
    *p = q + 4;
    return (int64_t) (q[0] & 0x7f) << 24 | (int64_t) q[1] << 16
           | (int64_t) q[2] << 8 | q[3];
}

/* Names and values that fill len bytes exactly. */
static int
check_pairs(size_t len)
{
    const unsigned char *p = params, *end = params + len;
    int64_t              name, value;

    while (p < end) {
        name = read_length(&p, end);
        value = name == -1 ? -1 : read_length(&p, end);
        if (value == -1 || name + value > end - p) {
            return -1;
        }
        p += name + value;
    }
    return 0;
}

/* Nothing but the empty STDIN stands behind the parameters, and all of it. */
static int
is_whole(size_t at, unsigned id)
{
    const unsigned char *p = seen + at;

    return have == at + HEADER && have <= FIRST_READ && p[0] == VERSION
           && p[1] == STDIN && ((unsigned) p[2] << 8 | p[3]) == id
           && p[4] == 0 && p[5] == 0 && p[6] == 0;
}

int
lp_preamble_check(int fd, int *whole)
{
    record_t record;
    size_t   at, len = 0;
    unsigned id;

    *whole = 0;
    have = 0;
    until = lp_watched_clock() + PATIENCE;
    if (peek_record(fd, 0, &record) != 0 || record.type != BEGIN_REQUEST
        || record.id == 0 || record.len != 8 || seen[HEADER] != 0
        || seen[HEADER + 1] != RESPONDER) {
        return -1;
    }
    id = record.id;
    for (at = record.size;; at += record.size) {
        if (peek_record(fd, at, &record) != 0 || record.type != PARAMS
            || record.id != id) {
            return -1;
        }
        if (record.len == 0) {
            *whole = is_whole(at + record.size, id);
            return check_pairs(len);
        }
        memcpy(params + len, seen + at + HEADER, record.len);
        len += record.len;
    }
}
