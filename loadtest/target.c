/*
 * Whoever holds this program could aim it at a school by one wrong letter. So
 * only 127.0.0.0/8 and ::1 are free; every other address must itself say yes,
 * at a path that nobody has by accident, to the holder of a token (opt_in.h).
 *
 * The name is resolved once. The question goes to the very address that the
 * clicks will go to, and to no proxy; libcurl is told the address and asked
 * afterwards which it used. No redirect is followed: another place's consent
 * is not this one's. What libcurl trusts is not quite what the engine does, so
 * that with TLS the engine's own handshake comes first, elsewhere too.
 */

#include "target.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../core/chars.h"
#include "../core/day.h"
#include "../workers/say.h"
#include "handshake.h"
#include "opt_in.h"

#define HOST_MAX   253  /* RFC 1035, without the final dot */
#define CONNECT_MS 3000
#define ASK_MS     10000L

typedef struct {
    char host[HOST_MAX + 1]; /* without brackets */
    char port[6];
    int  tls;
    int  six; /* an IPv6 address */
} place_t;

typedef struct {
    char   text[LP_OPT_IN_MAX + 1];
    size_t len;
    int    too_long;
} body_t;

/* Reads "[::1]" or "name" at text into host; returns what follows, or NULL. */
static const char *
read_host(place_t *place, const char *text)
{
    size_t      len, i;
    const char *end;

    place->six = *text == '[';
    if (place->six) {
        text++;
    }
    end = text + strcspn(text, place->six ? "]" : ":/");
    len = (size_t) (end - text);
    if (len == 0 || len > HOST_MAX || (place->six && *end != ']')) {
        return NULL;
    }
    for (i = 0; i < len; i++) {
        if (!lp_char_is((unsigned char) text[i], LP_CHAR_NAME)
            && !(place->six && text[i] == ':')) {
            return NULL;
        }
    }
    memcpy(place->host, text, len);
    place->host[len] = '\0';
    return end + place->six;
}

/* Reads ":8080" or nothing, and at most a "/" behind it. */
static int
read_port(place_t *place, const char *text)
{
    unsigned long port = place->tls ? 443 : 80;
    char         *end = NULL;

    if (*text == ':') {
        if (!lp_char_is((unsigned char) text[1], LP_CHAR_DIGIT)) {
            return -1;
        }
        errno = 0;
        port = strtoul(text + 1, &end, 10);
        text = end;
    }
    if (port == 0 || port > 65535 || (text[0] == '/' && text[1] != '\0')
        || (text[0] != '/' && text[0] != '\0')) {
        return -1;
    }
    snprintf(place->port, sizeof(place->port), "%lu", port);
    return 0;
}

static int
read_url(place_t *place, const char *url)
{
    const char *text = NULL;

    memset(place, 0, sizeof(*place));
    if (strncmp(url, "http://", 7) == 0) {
        text = url + 7;
    } else if (strncmp(url, "https://", 8) == 0) {
        text = url + 8;
        place->tls = 1;
    }
    if (text != NULL) {
        text = read_host(place, text);
    }
    if (text == NULL || read_port(place, text) != 0) {
        /* What was given is not repeated: it may hold a password. */
        lp_say("--target takes http(s)://host or http(s)://host:port, nothing "
               "before the host and nothing behind it");
        return LP_USAGE;
    }
    return LP_YES;
}

static int
is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in  *four = (const void *) address;
    const struct sockaddr_in6 *six = (const void *) address;

    if (address->sa_family == AF_INET) {
        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    }
    return address->sa_family == AF_INET6
           && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* Whether somebody listens there: 0, or -1 with errno. */
static int
try_address(const struct addrinfo *found)
{
    struct pollfd wait = {-1, POLLOUT, 0};
    int           error = 0, rc;
    socklen_t     len = sizeof(error);

    wait.fd = socket(found->ai_family,
                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wait.fd == -1) {
        return -1;
    }
    rc = connect(wait.fd, found->ai_addr, found->ai_addrlen);
    if (rc != 0) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        do {
            rc = poll(&wait, 1, CONNECT_MS);
        } while (rc == -1 && errno == EINTR);
        error = rc == 0 ? ETIMEDOUT : 0;
        if (rc == 1) {
            getsockopt(wait.fd, SOL_SOCKET, SO_ERROR, &error, &len);
        }
    }
    close(wait.fd);
    errno = error;
    return error == 0 ? 0 : -1;
}

/* The first address of the place at which somebody listens. */
static int
find_address(lp_aim_t *aim, const place_t *place)
{
    struct addrinfo  hints = {.ai_family = place->six ? AF_INET6 : AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list, *found;
    int              rc = getaddrinfo(place->host, place->port, &hints, &list);

    if (rc != 0) {
        lp_say("--target: %s has no address: %s", place->host,
               gai_strerror(rc));
        return LP_NO;
    }
    rc = LP_NO;
    errno = EADDRNOTAVAIL;
    for (found = list; found != NULL && rc == LP_NO; found = found->ai_next) {
        if (try_address(found) == 0) {
            memcpy(&aim->address, found->ai_addr, found->ai_addrlen);
            aim->address_len = found->ai_addrlen;
            aim->loopback = is_loopback(found->ai_addr);
            rc = LP_YES;
        }
    }
    if (rc != LP_YES) {
        lp_say("nobody answers at %s, port %s: %s; start the edge first",
               place->host, place->port, strerror(errno));
    }
    freeaddrinfo(list);
    return rc;
}

/* Says what an operator has to do for consent. hex NULL: whoever runs this has
   no token yet. Returns LP_USAGE. */
static int
refuse(const lp_aim_t *aim, const char *hex, const char *why)
{
    lp_say("%s is not this machine, and %s", aim->wire.host, why);
    if (hex == NULL) {
        lp_say("make a token (openssl rand -hex 32 > FILE) and give it as "
               "--opt-in FILE; its operator gets its hash");
        return LP_USAGE;
    }
    lp_say("its operator agrees by configuring: location = " LP_OPT_IN_PATH
           " { default_type text/plain; return 200 \"leerpoort-load "
           "sha256:%s until:YYYYMMDD\"; }", hex);
    return LP_USAGE;
}

/* libcurl's callback. */
static size_t
keep_body(char *bytes, size_t one, size_t n, void *data)
{
    body_t *body = data;

    (void) one; /* is 1 */
    if (n > LP_OPT_IN_MAX - body->len) {
        body->too_long = 1;
        return 0;
    }
    memcpy(body->text + body->len, bytes, n);
    body->len += n;
    return n;
}

/* The address as text, without its port. */
static int
address_text(char dst[INET6_ADDRSTRLEN], const lp_aim_t *aim)
{
    return getnameinfo((const struct sockaddr *) &aim->address,
                       aim->address_len, dst, INET6_ADDRSTRLEN, NULL, 0,
                       NI_NUMERICHOST);
}

static void
set_question(CURL *easy, const lp_aim_t *aim, body_t *body, const char *url,
             struct curl_slist *pin)
{
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_RESOLVE, pin);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "leerpoort-load");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ASK_MS);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (aim->ca != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, aim->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
}

/* Asks the path of the aim's very address. Returns the status; 0 and a reason
   where there was no answer. */
static long
ask(const lp_aim_t *aim, const place_t *place, body_t *body, char *why,
    size_t why_size)
{
    char               url[512], line[512], address[INET6_ADDRSTRLEN];
    const char        *used = NULL;
    struct curl_slist *pin = NULL;
    CURL              *easy = curl_easy_init();
    CURLcode           code = CURLE_OUT_OF_MEMORY;
    long               status = 0;

    snprintf(why, why_size, "it could not be asked");
    snprintf(url, sizeof(url), "http%s://%s" LP_OPT_IN_PATH,
             aim->tls ? "s" : "", aim->wire.host);
    if (easy == NULL || address_text(address, aim) != 0) {
        goto out;
    }
    snprintf(line, sizeof(line), "%s:%s:%s", place->host, place->port,
             address);
    pin = place->six ? NULL : curl_slist_append(NULL, line);
    if (!place->six && pin == NULL) {
        goto out;
    }
    set_question(easy, aim, body, url, pin);
    code = curl_easy_perform(easy);
    if (code == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &used);
        if (used == NULL || strcmp(used, address) != 0) {
            status = 0;
        }
    } else {
        snprintf(why, why_size, "GET " LP_OPT_IN_PATH ": %s",
                 body->too_long ? "more than 1 KB came"
                                : curl_easy_strerror(code));
    }

out:
    curl_easy_cleanup(easy);
    curl_slist_free_all(pin);
    return status;
}

static int
ask_consent(const lp_aim_t *aim, const place_t *place, const char *file)
{
    static const char *const texts[] = {
        [LP_OPT_IN_NONE] = "what " LP_OPT_IN_PATH " answers is no consent",
        [LP_OPT_IN_OTHER] = "its consent is for another token than ours",
        [LP_OPT_IN_PAST] = "its consent was until a day that is over",
    };
    body_t      body = {{0}, 0, 0};
    char        hex[LP_OPT_IN_HEX], why[256];
    long        status;
    lp_opt_in_t given;

    if (file == NULL) {
        return refuse(aim, NULL, "there is no --opt-in: its operator has to "
                                 "agree first");
    }
    if (lp_opt_in_file(hex, file) != 0
        || (aim->tls && lp_handshake_try(aim) != LP_YES)) {
        return LP_USAGE;
    }
    status = ask(aim, place, &body, why, sizeof(why));
    if (status != 200) {
        if (status != 0) {
            snprintf(why, sizeof(why), "its operator has not agreed: "
                     "GET " LP_OPT_IN_PATH " answered %ld", status);
        }
        return refuse(aim, hex, why);
    }
    given = lp_opt_in_judge((lp_span_t) {body.text, body.len}, hex,
                            lp_day_amsterdam((int64_t) time(NULL), NULL));
    return given == LP_OPT_IN_GIVEN ? LP_YES : refuse(aim, hex, texts[given]);
}

/* A path or an address that goes into requests, or is compared with answers:
   printable ASCII without blanks. */
static int
is_plain(const char *text, size_t size)
{
    size_t i;

    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] <= ' ' || text[i] > '~' || i + 1 == size) {
            return 0;
        }
    }
    return 1;
}

/* Whether whatever begins so is at one host: https://a would be at https://a.b
   as well. */
static int
names_a_place(const char *beginning)
{
    static const char *const schemes[] = {"http://", "https://"};
    unsigned                 i;
    size_t                   len;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        len = strlen(schemes[i]);
        if (strncmp(beginning, schemes[i], len) == 0) {
            beginning += len;
            return beginning[0] != '/' && strchr(beginning, '/') != NULL;
        }
    }
    return beginning[0] == '/' && beginning[1] != '/';
}

static int
set_wire(lp_aim_t *aim, const place_t *place,
         const lp_target_options_t *options)
{
    lp_wire_t  *wire = &aim->wire;
    const char *prefix = options->prefix ? options->prefix : "/go/";
    const char *login = options->login ? options->login : "";
    int         usual = strcmp(place->port, place->tls ? "443" : "80") == 0;

    snprintf(wire->host, sizeof(wire->host), "%s%s%s%s%s",
             place->six ? "[" : "", place->host, place->six ? "]" : "",
             usual ? "" : ":", usual ? "" : place->port);
    if (prefix[0] != '/' || prefix[strlen(prefix) - 1] != '/'
        || strpbrk(prefix, "?#") != NULL
        || !is_plain(prefix, sizeof(wire->prefix))) {
        lp_say("--prefix takes a path that begins and ends with /, of at most "
               "%zu bytes", sizeof(wire->prefix) - 1);
        return LP_USAGE;
    }
    if (options->login != NULL
        && (!names_a_place(login) || !is_plain(login, sizeof(wire->login)))) {
        lp_say("--login takes what the address begins with, the whole host "
               "and a / behind it, https://login.example.nl/..., or /..., of "
               "at most %zu bytes", sizeof(wire->login) - 1);
        return LP_USAGE;
    }
    snprintf(wire->prefix, sizeof(wire->prefix), "%s", prefix);
    snprintf(wire->login, sizeof(wire->login), "%s", login);
    return LP_YES;
}

/* Nothing that was given may be without effect unseen, --opt-in excepted:
   whoever always gives it may rehearse on this machine. */
static int
check_rest(const place_t *place, const lp_target_options_t *options)
{
    if (!place->tls && options->insecure) {
        lp_say("--insecure is for a target with https://; this one has no "
               "certificate");
        return LP_USAGE;
    }
    if (!place->tls && options->ca != NULL
        && (options->token_url == NULL
            || strncmp(options->token_url, "https://", 8) != 0)) {
        lp_say("--ca is for a target with https://; this one has no "
               "certificate");
        return LP_USAGE;
    }
    if (options->opt_in != NULL && access(options->opt_in, R_OK) != 0) {
        lp_say("--opt-in can't be read: %s", strerror(errno));
        return LP_USAGE;
    }
    return LP_YES;
}

static int
read_options(lp_aim_t *aim, place_t *place,
             const lp_target_options_t *options)
{
    int rc;

    memset(aim, 0, sizeof(*aim));
    rc = read_url(place, options->url);
    if (rc == LP_YES) {
        rc = set_wire(aim, place, options);
    }
    return rc == LP_YES ? check_rest(place, options) : rc;
}

int
lp_target_check_options(const lp_target_options_t *options)
{
    lp_aim_t aim;
    place_t  place;

    return read_options(&aim, &place, options);
}

int
lp_target_aim(lp_aim_t *aim, const lp_target_options_t *options)
{
    place_t place;
    int     rc = read_options(aim, &place, options);

    if (rc != LP_YES) {
        return rc;
    }
    aim->tls = place.tls;
    aim->ca = options->ca;
    aim->insecure = options->insecure;
    aim->name = strdup(place.host);
    if (aim->name == NULL) {
        lp_say("out of memory");
        return LP_NO;
    }
    rc = find_address(aim, &place);
    if (rc != LP_YES) {
        return rc;
    }
    if (aim->loopback) {
        return aim->tls ? lp_handshake_try(aim) : LP_YES;
    }
    if (options->insecure) {
        lp_say("--insecure is for this machine alone; give the CA of %s with "
               "--ca FILE", aim->wire.host);
        return LP_USAGE;
    }
    return ask_consent(aim, &place, options->opt_in);
}

void
lp_target_free(lp_aim_t *aim)
{
    free((char *) aim->name);
    aim->name = NULL;
}
