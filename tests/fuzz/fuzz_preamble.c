/*
 * What a FastCGI connection begins with, through a socket: accepted if and only
 * if a plain reading of the same bytes finds a request whose parameters are
 * whole; and all of it is still there for libfcgi.
 */

#include <sys/socket.h>
#include <unistd.h>

#include "../../workers/preamble.h"
#include "must.h"

#define INPUT_MAX 60000 /* what a socket takes at once, and below the limit */

/* A record's header and where its content lies. */
typedef struct {
    unsigned type, id;
    size_t   len;
    size_t   size;
} record_t;

static int is_request(const uint8_t *bytes, size_t len);
static int read_record(record_t *record, const uint8_t *bytes, size_t len);
static int are_pairs(const uint8_t *bytes, size_t len);
static int read_length(const uint8_t *bytes, size_t len, size_t *at,
                       size_t *length);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t left[INPUT_MAX + 1];
    int            ends[2];
    int            expected, whole;

    if (len > INPUT_MAX) {
        return 0;
    }

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    must(send(ends[0], bytes, len, 0) == (ssize_t) len);
    must(shutdown(ends[0], SHUT_WR) == 0);

    expected = is_request(bytes, len) ? 0 : -1;
    must(lp_preamble_check(ends[1], &whole) == expected);

    must(recv(ends[1], left, sizeof(left), 0) == (ssize_t) len);
    must(len == 0 || memcmp(left, bytes, len) == 0);

    close(ends[0]);
    close(ends[1]);

    return 0;
}


static int
is_request(const uint8_t *bytes, size_t len)
{
    static uint8_t params[INPUT_MAX];
    size_t         at, n;
    record_t       begin, next;

    if (!read_record(&begin, bytes, len) || begin.type != 1 || begin.id == 0
        || begin.len != 8 || bytes[8] != 0 || bytes[9] != 1) {
        return 0;
    }

    n = 0;

    for (at = begin.size;; at += next.size) {
        if (!read_record(&next, bytes + at, len - at) || next.type != 4
            || next.id != begin.id) {
            return 0;
        }
        if (next.len == 0) {
            return are_pairs(params, n);
        }

        memcpy(params + n, bytes + at + 8, next.len);
        n += next.len;
    }
}


static int
read_record(record_t *record, const uint8_t *bytes, size_t len)
{
    if (len < 8 || bytes[0] != 1) {
        return 0;
    }

    record->type = bytes[1];
    record->id = bytes[2] * 256u + bytes[3];
    record->len = bytes[4] * 256u + bytes[5];
    record->size = 8 + record->len + bytes[6];

    return record->size <= len;
}


static int
are_pairs(const uint8_t *bytes, size_t len)
{
    size_t at, name, value;

    for (at = 0; at < len; at += name + value) {
        if (!read_length(bytes, len, &at, &name)
            || !read_length(bytes, len, &at, &value)
            || name > len - at || value > len - at - name) {
            return 0;
        }
    }

    return 1;
}


static int
read_length(const uint8_t *bytes, size_t len, size_t *at, size_t *length)
{
    size_t i, digits;

    if (*at == len) {
        return 0;
    }

    digits = bytes[*at] < 128 ? 1 : 4;
    if (digits > len - *at) {
        return 0;
    }

    *length = digits == 1 ? bytes[*at] : bytes[*at] - 128u;
    for (i = 1; i < digits; i++) {
        *length = *length * 256 + bytes[*at + i];
    }
    *at += digits;

    return 1;
}
