/*
 * leerpoort-sso: signing in, signing out, LTI launches: what people do before
 * they click with a token. It answers what the edge hands on by FastCGI; any
 * number of them share one listening socket, and something else starts them
 * (spawn-fcgi and multiwatch, or systemd), as with leerpoort-worker.
 *
 * Unlike a worker it waits for others, for providers above all; while one visit
 * waits the next ones are answered (loop.c). What a visit leaves for a later
 * one lies in Redis, so that the later one may come to another process.
 *
 * It ends by itself after --requests, with 0, and on SIGTERM, SIGINT or
 * SIGUSR1, once all who wait have their answer.
 */

#include "../workers/command_line.h"
#include "../workers/say.h"
#include "../workers/serving.h"
#include "../workers/store_args.h"
#include "loop.h"
#include "own_secrets.h"
#include "session_key.h"

#define CONNECT_MS 3000
#define ANSWER_MS  10000 /* of a provider; routes ask for less */
#define AGENT      "leerpoort-sso"

/* Of this program alone. */
enum { OPT_SSO = LP_OPTS, OPT_LTI, OPT_PAGES, OPT_KEY_FILES, OPT_KEY_SOCKET };

static const lp_option_t own[] = {
    {"sso", "FILE", "the site, sessions, identity providers: sso.json"},
    {"lti", "FILE", "the LTI platforms: lti.json"},
    {"pages", "FILE", "what pages for people look like: pages.json"},
    {"key-files", "FOLDER", "what leerpoort-keys has fetched"},
    {"key-socket", "PATH", "where leerpoort-keys is asked for fresh keys"},
};

static const lp_take_t takes[] = {
    {OPT_SSO, LP_MUST},             {OPT_LTI, LP_MAY},
    {OPT_PAGES, LP_MAY},            {OPT_KEY_FILES, LP_MUST},
    {OPT_KEY_SOCKET, LP_MAY},       {LP_OPT_KEY_FOLDER, LP_MAY},
    {LP_OPT_PEPPER, LP_MUST},       {LP_OPT_SEAL, LP_MUST},
    {LP_OPT_CA, LP_MAY},            {LP_OPT_REDIS, LP_MAY},
    {LP_OPT_USER, LP_MAY},          {LP_OPT_PASSWORD_FILE, LP_MAY},
    {LP_OPT_REPLICAS, LP_MAY},      {LP_OPT_UNSAFE_REDIS, LP_MAY},
    {LP_OPT_REQUESTS, LP_MAY},      {LP_OPT_TIMEOUT, LP_MAY},
    {LP_OPT_END, LP_MAY},
};

static int run(const lp_args_t *args);

static const lp_command_t program = {
    "-sso", NULL, NULL,
    "Signs people in and out, and takes LTI launches: FastCGI for the edge.",
    "Standard input is the listening socket:\n"
    "  spawn-fcgi -s /run/leerpoort/sso.sock -n -- /usr/bin/multiwatch \\\n"
    "      -f 2 -- /usr/local/bin/leerpoort-sso --sso FILE ...\n"
    "Without --lti there are no launches, without --keys none that picks\n"
    "content, and no provider that wants private_key_jwt by the ring.",
    takes, run, own,
};

typedef struct {
    lp_sso_t         sso;
    lp_visits_t      visits;
    lp_http_options_t http;
    lp_pages_file_t *pages;
} program_t;

/* -1, and *reason is what is wrong with any of them. */
static int
open_files(program_t *it, const lp_args_t *args, const char **reason)
{
    lp_sso_t   *sso = &it->sso;
    const char *ring = args->value[LP_OPT_KEY_FOLDER];

    it->pages = lp_pages_file_open(args->value[OPT_PAGES], reason);
    if (it->pages == NULL) {
        return -1;
    }
    sso->providers = lp_providers_open(args->value[OPT_SSO], reason);
    if (sso->providers == NULL) {
        return -1;
    }
    sso->platforms = lp_platforms_open(args->value[OPT_LTI], reason);
    if (sso->platforms == NULL) {
        return -1;
    }
    if (ring != NULL) {
        sso->ring = lp_key_ring_open(ring, reason);
        return sso->ring == NULL ? -1 : 0;
    }
    return 0;
}

static int
open_program(program_t *it, const lp_args_t *args,
             const lp_store_options_t *options)
{
    lp_sso_t   *sso = &it->sso;
    const char *reason;

    if (lp_serving_secrets(&sso->pepper, &sso->seal, args) != 0
        || lp_store_password_usable(options->password_file) != LP_YES) {
        return -1;
    }
    if (open_files(it, args, &reason) != 0) {
        lp_say("%s", reason);
        return -1;
    }
    it->http = (lp_http_options_t) {AGENT, args->value[LP_OPT_CA], CONNECT_MS,
                                    ANSWER_MS, 0};
    sso->visits = &it->visits;
    sso->keys = lp_key_files_open(args->value[OPT_KEY_FILES],
                                  args->value[OPT_KEY_SOCKET]);
    sso->http = lp_http_create(&it->http);
    sso->store = lp_store_create(options);
    sso->session_key = lp_session_key_create();
    if (sso->keys == NULL || sso->http == NULL || sso->store == NULL
        || sso->session_key == NULL) {
        lp_say("out of memory");
        return -1;
    }
    return lp_own_secrets_look(sso);
}

/* In reverse order; what is not there is NULL. */
static void
close_program(program_t *it)
{
    lp_sso_t *sso = &it->sso;

    lp_store_destroy(sso->store);
    lp_http_destroy(sso->http);
    lp_key_files_close(sso->keys);
    lp_session_key_destroy(sso->session_key);
    lp_shelf_close(sso->shelf);
    lp_key_ring_close(sso->ring);
    lp_platforms_close(sso->platforms);
    lp_providers_close(sso->providers);
    lp_pages_file_close(it->pages);
    lp_seal_destroy(sso->seal);
    lp_pepper_destroy(sso->pepper);
}

/* Looks at Redis, then serves. */
static int
serve(program_t *it, lp_listener_t *listener, int64_t requests, int durable)
{
    lp_loop_t loop = {&it->sso, listener, it->pages, requests, durable};

    switch (lp_serving_redis(it->sso.store, &loop.durable)) {
    case -1:
        return LP_NO;
    case 0:
        lp_say("Redis cannot be reached yet; 503 until it can");
        break;
    default:
        break;
    }
    return lp_loop_run(&loop);
}

static int
run(const lp_args_t *args)
{
    static program_t it;
    lp_serving_t     serving;
    lp_listener_t    listener;
    int              rc;

    lp_serving_guard();
    rc = lp_serving_options(&serving, args);
    if (rc != LP_YES) {
        return rc;
    }
    rc = LP_NO;
    if (lp_listener_open(&listener) == 0
        && open_program(&it, args, &serving.store) == 0) {
        rc = serve(&it, &listener, serving.requests,
                   args->value[LP_OPT_UNSAFE_REDIS] != NULL);
    }
    lp_listener_close(&listener);
    close_program(&it);
    return rc;
}

int
main(int argc, char **argv)
{
    return lp_args_run(&program, argc - 1, argv + 1);
}
