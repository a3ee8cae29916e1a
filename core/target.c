/*
 * Targets and Locations. What counts is where the browser goes, so a target is
 * accepted only in the plain form that every reader of URLs reads alike
 * (RFC 3986 and WHATWG URL): lower-case scheme, a host of letters, digits, "-",
 * "_" and dots, no user info, no characters that browsers drop, turn or
 * percent-encode. A host whose last label looks like a number is an IPv4
 * address to a browser, in any of a dozen spellings; only the dotted quad is
 * accepted.
 *
 * The path is put in after the authority's slash, so it cannot change scheme
 * or host, whatever it holds.
 */

#include "target.h"

#include <assert.h>
#include <strings.h>

#include "chars.h"

#define PORT_MAX   65535
#define PORT_HTTP  80
#define PORT_HTTPS 443

typedef struct {
    lp_span_t host;
    unsigned  port;     /* the scheme's own where the target has none */
    int       secure;   /* https */
    int       address;  /* the host is an address literal */
    int       loopback; /* 127.0.0.0/8, [::1] or "localhost" */
} authority_t;

/* The place of {path}; before is the whole length where there is none. */
typedef struct {
    size_t   before; /* bytes that stand before it */
    unsigned n;      /* how many there are */
    int      pairs;  /* it is inside a query or a fragment */
} place_t;

static const lp_span_t mark = {"{path}", sizeof("{path}") - 1};

static lp_target_t target_read(place_t *place, lp_span_t target, int deep,
                               const lp_hosts_t *hosts);
static size_t scheme_read(authority_t *authority, lp_span_t target);
static size_t authority_end(lp_span_t target, size_t from);
static int authority_read(authority_t *authority, lp_span_t text);
static lp_span_t host_cut(lp_span_t *text);
static int port_read(unsigned *port, lp_span_t text);
static int host_read(authority_t *authority);
static int labels_read(lp_span_t host, lp_span_t *last);
static int like_a_number(lp_span_t label);
static int quad_valid(lp_span_t host);
static int octet_read(lp_span_t *text);
static int rest_read(place_t *place, lp_span_t target, size_t from);
static int escape_at(lp_span_t text, size_t i);
static int mark_at(lp_span_t text, size_t i);
static int host_allowed(const authority_t *authority, const lp_hosts_t *hosts);
static int host_matches(const authority_t *authority, lp_span_t entry);
static int equal_in_any_case(lp_span_t a, lp_span_t b);
static size_t path_write(char *dst, lp_span_t path, int pairs);

lp_target_t
lp_target_check(lp_span_t target, int deep, const lp_hosts_t *hosts)
{
    place_t place;

    return target_read(&place, target, deep, hosts);
}

lp_target_t
lp_target_fill(char *dst, size_t *len, lp_span_t target, lp_span_t path,
               const lp_hosts_t *hosts)
{
    lp_target_t result;
    place_t     place;
    size_t      n, after;

    assert(path.len <= LP_PATH_MAX);

    result = target_read(&place, target, path.len > 0, hosts);
    if (result != LP_TARGET_OK) {
        return result;
    }

    n = place.before;
    memcpy(dst, target.data, n);

    if (path.len > 0) {
        n += path_write(dst + n, path, place.pairs);
        after = place.before + mark.len;
        memcpy(dst + n, target.data + after, target.len - after);
        n += target.len - after;
    }

    *len = n;

    return LP_TARGET_OK;
}

const char *
lp_target_text(lp_target_t target)
{
    switch (target) {
    case LP_TARGET_OK:
        return "The target is in order.";
    case LP_TARGET_NONE:
        return "The product has no target for this click: set \"url\" for"
               " clicks without a path, \"deep\" for clicks with one.";
    case LP_TARGET_MALFORMED:
        return "The target must be an https:// URL (http:// only to this"
               " machine) of printable ASCII, without user name; \"deep\" must"
               " have exactly one {path}, after the host's slash, and \"url\""
               " none.";
    case LP_TARGET_HOST:
        return "The target's host is not one of leerpoort_content_hosts.";
    }

    return "The target is unusable.";
}

static lp_target_t
target_read(place_t *place, lp_span_t target, int deep,
            const lp_hosts_t *hosts)
{
    authority_t authority;
    size_t      start, end;

    if (target.len == 0) {
        return LP_TARGET_NONE;
    }

    start = scheme_read(&authority, target);
    if (start == 0 || target.len > LP_TARGET_MAX) {
        return LP_TARGET_MALFORMED;
    }

    end = authority_end(target, start);

    if (authority_read(&authority, (lp_span_t) {target.data + start,
                                                end - start}) != 0
        || (!authority.secure && !authority.loopback)
        || rest_read(place, target, end) != 0
        || place->n != (deep ? 1 : 0)
        || (deep && target.data[end] != '/')) {
        return LP_TARGET_MALFORMED;
    }

    return host_allowed(&authority, hosts) ? LP_TARGET_OK : LP_TARGET_HOST;
}

/* Returns the length of "https://" or "http://"; 0 for anything else. */
static size_t
scheme_read(authority_t *authority, lp_span_t target)
{
    const lp_span_t https = lp_span("https://"), http = lp_span("http://");

    if (target.len > https.len
        && memcmp(target.data, https.data, https.len) == 0) {
        authority->secure = 1;
        authority->port = PORT_HTTPS;
        return https.len;
    }

    if (target.len > http.len
        && memcmp(target.data, http.data, http.len) == 0) {
        authority->secure = 0;
        authority->port = PORT_HTTP;
        return http.len;
    }

    return 0;
}

static size_t
authority_end(lp_span_t target, size_t from)
{
    size_t i;

    for (i = from; i < target.len; i++) {
        if (target.data[i] == '/' || target.data[i] == '?'
            || target.data[i] == '#') {
            break;
        }
    }

    return i;
}

/* "host" or "host:port"; "@" is no character of either. */
static int
authority_read(authority_t *authority, lp_span_t text)
{
    authority->host = host_cut(&text);

    if (text.len > 0 && port_read(&authority->port, text) != 0) {
        return -1;
    }

    return host_read(authority);
}

/* Takes the host off the text; what is left begins with ":", or is nothing. */
static lp_span_t
host_cut(lp_span_t *text)
{
    lp_span_t host;
    size_t    i;

    i = 0;

    if (text->len > 0 && text->data[0] == '[') {
        while (i < text->len && text->data[i] != ']') {
            i++;
        }
    }

    while (i < text->len && text->data[i] != ':') {
        i++;
    }

    host = (lp_span_t) {text->data, i};
    text->data += i;
    text->len -= i;

    return host;
}

/* ":1" to ":65535", without leading zeros. */
static int
port_read(unsigned *port, lp_span_t text)
{
    size_t   i;
    unsigned value;

    if (text.len < 2 || text.data[1] == '0') {
        return -1;
    }

    value = 0;

    for (i = 1; i < text.len; i++) {
        if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_DIGIT)) {
            return -1;
        }

        value = value * 10 + (unsigned) (text.data[i] - '0');

        if (value > PORT_MAX) {
            return -1;
        }
    }

    *port = value;

    return 0;
}

static int
host_read(authority_t *authority)
{
    lp_span_t host, last;

    host = authority->host;

    if (lp_span_equal(host, lp_span("[::1]"))) {
        authority->address = 1;
        authority->loopback = 1;
        return 0;
    }

    if (labels_read(host, &last) != 0) {
        return -1;
    }

    authority->address = like_a_number(last);

    if (authority->address) {
        if (!quad_valid(host)) {
            return -1;
        }

        authority->loopback = memcmp(host.data, "127.", 4) == 0;
        return 0;
    }

    authority->loopback = equal_in_any_case(host, lp_span("localhost"));

    return 0;
}

/* Labels of LP_CHAR_NAME, none of them empty; *last is the last one. */
static int
labels_read(lp_span_t host, lp_span_t *last)
{
    size_t i, start;

    start = 0;

    for (i = 0; i < host.len; i++) {
        if (!lp_char_is((unsigned char) host.data[i], LP_CHAR_NAME)) {
            return -1;
        }

        if (host.data[i] == '.') {
            if (i == start) {
                return -1;
            }

            start = i + 1;
        }
    }

    if (start == host.len) {
        return -1;
    }

    *last = (lp_span_t) {host.data + start, host.len - start};

    return 0;
}

/* All digits, or "0x...": a browser then reads the host as IPv4. */
static int
like_a_number(lp_span_t label)
{
    size_t i;

    if (label.len >= 2 && label.data[0] == '0'
        && (label.data[1] == 'x' || label.data[1] == 'X')) {
        return 1;
    }

    for (i = 0; i < label.len; i++) {
        if (!lp_char_is((unsigned char) label.data[i], LP_CHAR_DIGIT)) {
            return 0;
        }
    }

    return 1;
}

/* Four decimal octets without leading zeros, which to some are octal. */
static int
quad_valid(lp_span_t host)
{
    int n;

    for (n = 0; n < 4; n++) {
        if (n > 0) {
            if (host.len == 0 || host.data[0] != '.') {
                return 0;
            }

            host.data++;
            host.len--;
        }

        if (octet_read(&host) != 0) {
            return 0;
        }
    }

    return host.len == 0;
}

/* Takes one octet off the text. */
static int
octet_read(lp_span_t *text)
{
    size_t   n;
    unsigned value;

    value = 0;

    for (n = 0; n < text->len && n < 3; n++) {
        if (!lp_char_is((unsigned char) text->data[n], LP_CHAR_DIGIT)) {
            break;
        }

        value = value * 10 + (unsigned) (text->data[n] - '0');
    }

    if (n == 0 || value > 255 || (n > 1 && text->data[0] == '0')) {
        return -1;
    }

    text->data += n;
    text->len -= n;

    return 0;
}

/*
 * What follows the authority: characters of LP_CHAR_TARGET, well-formed
 * escapes, and {path}. A malformed escape could become another one with the
 * path's first characters.
 */
static int
rest_read(place_t *place, lp_span_t target, size_t from)
{
    size_t i, n;
    int    pairs;

    place->before = target.len;
    place->n = 0;
    place->pairs = 0;
    pairs = 0;

    for (i = from; i < target.len; i += n) {
        n = 1;

        if (target.data[i] == '?' || target.data[i] == '#') {
            pairs = 1;

        } else if (mark_at(target, i)) {
            n = mark.len;
            place->before = i;
            place->pairs = pairs;
            place->n++;

        } else if (!escape_at(target, i)
                   && !lp_char_is((unsigned char) target.data[i],
                                  LP_CHAR_TARGET)) {
            return -1;
        }
    }

    return 0;
}

static int
mark_at(lp_span_t text, size_t i)
{
    return text.data[i] == '{' && text.len - i >= mark.len
           && memcmp(text.data + i, mark.data, mark.len) == 0;
}

static int
escape_at(lp_span_t text, size_t i)
{
    return text.data[i] == '%' && text.len - i >= 3
           && lp_char_is((unsigned char) text.data[i + 1], LP_CHAR_HEX)
           && lp_char_is((unsigned char) text.data[i + 2], LP_CHAR_HEX);
}

static int
host_allowed(const authority_t *authority, const lp_hosts_t *hosts)
{
    unsigned i;

    for (i = 0; i < hosts->n; i++) {
        if (host_matches(authority, hosts->list[i])) {
            return 1;
        }
    }

    return hosts->n == 0;
}

/* An address never matches "*.domain", whatever its last octets. */
static int
host_matches(const authority_t *authority, lp_span_t entry)
{
    lp_span_t name, host;
    unsigned  port;

    host = authority->host;
    name = host_cut(&entry);
    port = authority->port;

    if (entry.len > 0
        && (port_read(&port, entry) != 0 || port != authority->port)) {
        return 0;
    }

    if (name.len < 2 || name.data[0] != '*' || name.data[1] != '.') {
        return equal_in_any_case(host, name);
    }

    /* the tail of the host with its dot, and at least one label before it */
    name.data++;
    name.len--;

    if (authority->address || host.len <= name.len) {
        return 0;
    }

    host.data += host.len - name.len;
    host.len = name.len;

    return equal_in_any_case(host, name);
}

static int
equal_in_any_case(lp_span_t a, lp_span_t b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

static size_t
path_write(char *dst, lp_span_t path, int pairs)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t            i;
    char             *p;
    unsigned char     c;

    if (!pairs) {
        memcpy(dst, path.data, path.len);
        return path.len;
    }

    p = dst;

    for (i = 0; i < path.len; i++) {
        c = (unsigned char) path.data[i];

        if (lp_char_is(c, LP_CHAR_PAIRS)) {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 0x0f];
        } else {
            *p++ = (char) c;
        }
    }

    return (size_t) (p - dst);
}
