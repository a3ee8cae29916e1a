/*
 * leerpoort-keys: fetches the keys and metadata that the edge and leerpoort-sso
 * believe in, and writes them into a folder. It needs the network and that
 * folder, and nothing else of Leerpoort: no Redis, no secret. Where it is gone,
 * everything goes on with the keys that are there.
 *
 * One loop: what is due is begun, then it waits for answers, datagrams, signals
 * and the next turn. SIGTERM and SIGINT end it at once, SIGHUP and SIGUSR1
 * let it fetch everything now.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../workers/command_line.h"
#include "../workers/say.h"
#include "fetch_check.h"
#include "fetch_status.h"
#include "fetcher.h"
#include "key_requests.h"
#include "sources.h"

#define LOOK_MS    1000 /* at most, between two looks at the configuration */
#define CONNECT_MS 5000
#define EVERY_S    900
#define AGAIN_S    30
#define TIMEOUT_S  10

enum {
    OPT_SSO = LP_OPTS,
    OPT_LTI,
    OPT_SOURCES,
    OPT_KEY_FILES,
    OPT_KEY_SOCKET,
    OPT_EVERY,
    OPT_AGAIN,
    OPT_TIMEOUT,
    OPT_RETRY,
    OPT_STATUS
};

static const lp_option_t own_options[] = {
    {"sso", "FILE", "the identity providers: sso.json"},
    {"lti", "FILE", "the LTI platforms: lti.json"},
    {"sources", "FILE", "further issuers of tokens: sources.json"},
    {"key-files", "FOLDER", "where what is fetched is kept"},
    {"key-socket", "PATH", "listen there for issuers to be fetched now"},
    {"every", "TIME", "where a source does not say how long (15m)"},
    {"again", "TIME", "between two fetches that were asked for (30s)"},
    {"timeout", "TIME", "for each answer of a source (10s)"},
    {"retry", NULL, "with --once: until each source was fetched"},
    {"status", NULL, "say how the sources are doing, and end"},
};

static const lp_take_t takes[] = {
    {OPT_KEY_FILES, LP_MUST}, {OPT_SSO, LP_MAY},     {OPT_LTI, LP_MAY},
    {OPT_SOURCES, LP_MAY},    {OPT_KEY_SOCKET, LP_MAY}, {LP_OPT_CA, LP_MAY},
    {OPT_EVERY, LP_MAY},      {OPT_AGAIN, LP_MAY},   {OPT_TIMEOUT, LP_MAY},
    {LP_OPT_ONCE, LP_MAY},    {OPT_RETRY, LP_MAY},   {OPT_STATUS, LP_MAY},
    {LP_OPT_END, LP_MAY},
};

static int run(const lp_args_t *args);

static const lp_command_t program = {
    "-keys", NULL, NULL,
    "Fetches the keys and metadata of providers, platforms and other issuers.",
    "Writes NAME.jwks.json and NAME.discovery.json into the folder, checked\n"
    "and whole. A source that fails leaves its files. SIGHUP: all now.\n"
    "With --once it ends when each source was tried; 1: one of them failed.\n"
    "With --status it ends with 1 where one was not fetched for a day.",
    takes, run, own_options,
};

typedef struct {
    lp_fetcher_t  fetcher;
    lp_sources_t *sources;
    int           signals;  /* a descriptor */
    int           requests; /* likewise; -1: none */
    int           once, retry;
    int           ended;
} keys_t;

/* "90", "30s", "15m", "1h" to milliseconds. */
static int
read_time(const lp_args_t *args, unsigned option, int64_t absent_s,
          int64_t *ms)
{
    const char *text = args->value[option], *p;
    int64_t     seconds = 0, unit = 1;

    *ms = absent_s * 1000;
    if (text == NULL) {
        return LP_YES;
    }
    for (p = text; *p >= '0' && *p <= '9' && seconds <= 86400; p++) {
        seconds = seconds * 10 + (*p - '0');
    }
    if (p > text && *p != '\0' && p[1] == '\0') {
        unit = *p == 's' ? 1 : *p == 'm' ? 60 : *p == 'h' ? 3600 : 0;
        p++;
    }
    seconds *= unit;
    if (*p != '\0' || seconds < 1 || seconds > 86400) {
        return lp_args_refuse(args, "--%s takes a time from 1s to 24h, like "
                                    "30s or 15m",
                              own_options[option - LP_OPTS].name);
    }
    *ms = seconds * 1000;
    return LP_YES;
}

static int
open_signals(void)
{
    struct rlimit none = {0, 0};
    sigset_t      set;

    setrlimit(RLIMIT_CORE, &none);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
take_signals(keys_t *keys)
{
    struct signalfd_siginfo taken;

    while (read(keys->signals, &taken, sizeof(taken)) == sizeof(taken)) {
        if (taken.ssi_signo == SIGTERM || taken.ssi_signo == SIGINT) {
            keys->ended = 1;
        } else {
            lp_fetcher_hurry(&keys->fetcher);
        }
    }
}

static void
ask(void *owner, lp_span_t issuer)
{
    lp_fetcher_ask(owner, issuer);
}

static void
look_at_sources(keys_t *keys)
{
    const lp_source_list_t *list;
    int                     changed;

    list = lp_source_list(keys->sources, &changed);
    if (changed && lp_fetcher_take(&keys->fetcher, list) != 0) {
        lp_say("memory ran out; a source may be missing");
    }
}

static void
write_status(keys_t *keys)
{
    if (keys->fetcher.changed && lp_status_write(&keys->fetcher) != 0) {
        lp_say("status.json can't be written: %s", strerror(errno));
    }
}

/* Runs until it is ended, or all is done. */
static void
loop(keys_t *keys)
{
    int     fds[2] = {keys->signals, keys->requests}, wait;
    int64_t written = 0;

    while (!keys->ended) {
        look_at_sources(keys);
        wait = lp_fetcher_begin(&keys->fetcher, LOOK_MS);
        lp_http_run_beside(keys->fetcher.http, fds,
                           keys->requests == -1 ? 1 : 2, wait);
        take_signals(keys);
        if (keys->requests != -1) {
            lp_key_requests_take(keys->requests, ask, &keys->fetcher);
        }
        if (keys->once && lp_fetcher_done(&keys->fetcher, keys->retry)) {
            break;
        }
        if (lp_fetcher_clock() - written >= LOOK_MS) {
            written = lp_fetcher_clock();
            write_status(keys);
        }
    }
    write_status(keys);
}

static int
read_options(keys_t *keys, lp_http_options_t *http, const lp_args_t *args)
{
    int64_t timeout_ms;
    int     rc;

    if (args->value[OPT_SSO] == NULL && args->value[OPT_LTI] == NULL
        && args->value[OPT_SOURCES] == NULL) {
        return lp_args_refuse(args, "--sso, --lti or --sources is missing: "
                                    "whose keys?");
    }
    rc = read_time(args, OPT_EVERY, EVERY_S, &keys->fetcher.schedule.every_ms);
    if (rc == LP_YES) {
        rc = read_time(args, OPT_AGAIN, AGAIN_S,
                       &keys->fetcher.schedule.again_ms);
    }
    if (rc == LP_YES) {
        rc = read_time(args, OPT_TIMEOUT, TIMEOUT_S, &timeout_ms);
    }
    if (rc != LP_YES) {
        return rc;
    }
    keys->once = args->value[LP_OPT_ONCE] != NULL;
    keys->retry = args->value[OPT_RETRY] != NULL;
    *http = (lp_http_options_t) {
        .agent = "leerpoort-keys", .ca = args->value[LP_OPT_CA],
        .connect_ms = timeout_ms < CONNECT_MS ? (long) timeout_ms : CONNECT_MS,
        .total_ms = (long) timeout_ms, .body_max = LP_FETCH_KEYS_MAX};
    return LP_YES;
}

/* 0; -1 after lp_say(). */
static int
open_all(keys_t *keys, const lp_http_options_t *http, const lp_args_t *args)
{
    const char *reason;

    keys->sources = lp_sources_open(args->value[OPT_SSO], args->value[OPT_LTI],
                                    args->value[OPT_SOURCES], &reason);
    if (keys->sources == NULL) {
        lp_say("%s", reason);
        return -1;
    }
    keys->fetcher.folder = lp_folder_open(args->value[OPT_KEY_FILES]);
    if (keys->fetcher.folder == NULL) {
        return -1;
    }
    keys->fetcher.http = lp_http_create(http);
    keys->signals = open_signals();
    if (keys->fetcher.http == NULL || keys->signals == -1) {
        lp_say("libcurl or the signals can't be set up");
        return -1;
    }
    if (args->value[OPT_KEY_SOCKET] != NULL) {
        keys->requests = lp_key_requests_open(args->value[OPT_KEY_SOCKET]);
        return keys->requests == -1 ? -1 : 0;
    }
    return 0;
}

static void
close_all(keys_t *keys, const lp_args_t *args)
{
    lp_key_requests_close(keys->requests, args->value[OPT_KEY_SOCKET]);
    if (keys->signals != -1) {
        close(keys->signals);
    }
    lp_fetcher_drop(&keys->fetcher);
    lp_http_destroy(keys->fetcher.http);
    lp_folder_close(keys->fetcher.folder);
    lp_sources_close(keys->sources);
}

static int
run(const lp_args_t *args)
{
    lp_http_options_t http;
    keys_t            keys;
    int               rc;

    if (args->value[OPT_STATUS] != NULL) {
        return lp_status_print(args->value[OPT_KEY_FILES]);
    }
    memset(&keys, 0, sizeof(keys));
    keys.signals = -1;
    keys.requests = -1;
    rc = read_options(&keys, &http, args);
    if (rc != LP_YES) {
        return rc;
    }
    if (open_all(&keys, &http, args) == 0) {
        look_at_sources(&keys);
        lp_status_recall(&keys.fetcher);
        loop(&keys);
        rc = keys.once && !lp_fetcher_done(&keys.fetcher, 1) ? LP_NO : LP_YES;
    } else {
        rc = LP_NO;
    }
    close_all(&keys, args);
    return rc;
}

int
main(int argc, char **argv)
{
    return lp_args_run(&program, argc - 1, argv + 1);
}
