/*
 * leerpoort-worker: answers what the edge hands on by FastCGI, one request at a
 * time. Any number of them share one listening socket; something else starts
 * them (spawn-fcgi and multiwatch, or systemd) and starts another where one has
 * gone. A worker keeps nothing that outlives a request but its connection to
 * Redis, so that a crash costs the request in hand and no more.
 *
 * It ends by itself after --requests, with 0, so that no leak of a library can
 * grow for ever, and on SIGTERM, SIGINT or SIGUSR1 once its request has its
 * answer.
 *
 * Before the first request it looks whether Redis keeps what it acknowledges.
 * A Redis that answers and does not is a reason not to run. A Redis that can't
 * be reached is not: workers that are started anew while Redis is away must be
 * there when it is back. Until then they answer 503.
 */

#include <string.h>

#include "command_line.h"
#include "listener.h"
#include "page_routes.h"
#include "routes.h"
#include "say.h"
#include "serving.h"
#include "store_args.h"

/* Of this program alone. */
enum { OPT_PAGES = LP_OPTS, OPT_SITE };

static const lp_option_t own[] = {
    {"pages", "FILE", "what pages for people look like: pages.json"},
    {"site", "URL", "where its pages stand: https://toegang.example.nl"},
};

static const lp_take_t takes[] = {
    {LP_OPT_REDIS, LP_MAY},         {LP_OPT_USER, LP_MAY},
    {LP_OPT_PASSWORD_FILE, LP_MAY}, {LP_OPT_PEPPER, LP_MUST},
    {LP_OPT_SEAL, LP_MUST},         {LP_OPT_PARTIES, LP_MAY},
    {LP_OPT_KEY_FOLDER, LP_MAY},    {LP_OPT_OVER_QUANTITY, LP_MAY},
    {LP_OPT_LAST_DAY, LP_MAY},      {LP_OPT_REPLICAS, LP_MAY},
    {LP_OPT_UNSAFE_REDIS, LP_MAY},  {LP_OPT_REQUESTS, LP_MAY},
    {LP_OPT_TIMEOUT, LP_MAY},       {OPT_PAGES, LP_MAY},
    {OPT_SITE, LP_MAY},             {LP_OPT_END, LP_MAY},
};

static int run(const lp_args_t *args);

static const lp_command_t program = {
    "-worker", NULL, NULL,
    "Answers the edge's FastCGI requests: activations, the APIs, tokens.",
    "Standard input is the listening socket:\n"
    "  spawn-fcgi -s /run/leerpoort/worker.sock -n -- /usr/bin/multiwatch \\\n"
    "      -f 4 -- /usr/local/bin/leerpoort-worker --pepper FILE ...\n"
    "Without --keys there is no token endpoint, without --parties nobody\n"
    "who could ask for a token.",
    takes, run, own,
};

typedef struct {
    lp_service_t service;
    int64_t      requests; /* that are left */
    int          durable;  /* Redis was looked at */
} worker_t;

/* Options that take one of two words; the second one sets something. */
typedef struct {
    lp_opt_t    option;
    const char *name;
    const char *words[2];
} choice_t;

static const choice_t over_quantity = {
    LP_OPT_OVER_QUANTITY, "over-quantity", {"allow", "refuse"}};
static const choice_t last_day = {
    LP_OPT_LAST_DAY, "until", {"included", "excluded"}};

static int
read_choice(const lp_args_t *args, const choice_t *choice, int *second)
{
    const char *word = args->value[choice->option];

    *second = word != NULL && strcmp(word, choice->words[1]) == 0;
    if (word != NULL && !*second && strcmp(word, choice->words[0]) != 0) {
        return lp_args_refuse(args, "--%s takes %s or %s", choice->name,
                              choice->words[0], choice->words[1]);
    }
    return LP_YES;
}

/* An origin: what a browser sends with a form of ours. */
static int
read_site(worker_t *worker, const lp_args_t *args)
{
    const char *site = args->value[OPT_SITE], *host;

    if (site == NULL) {
        return LP_YES;
    }
    host = strncmp(site, "https://", 8) == 0   ? site + 8
           : strncmp(site, "http://", 7) == 0 ? site + 7
                                               : NULL;
    if (host == NULL || host[0] == '\0' || strpbrk(host, "/?#@ ") != NULL) {
        return lp_args_refuse(args, "--site is https://, a host name, and "
                                    "nothing after it");
    }
    worker->service.site = lp_span_of(site);
    return LP_YES;
}

static int
read_options(worker_t *worker, const lp_args_t *args, lp_serving_t *serving)
{
    int rc = lp_serving_options(serving, args);

    rc |= read_choice(args, &over_quantity, &worker->service.refuse_over);
    rc |= read_choice(args, &last_day, &worker->service.until_excluded);
    worker->requests = serving->requests;
    return rc == LP_YES ? read_site(worker, args) : rc;
}

/* -1, and *reason is what is wrong with any of them. */
static int
open_files(lp_service_t *service, const lp_args_t *args, const char **reason)
{
    const char *ring = args->value[LP_OPT_KEY_FOLDER];

    service->pages = lp_pages_file_open(args->value[OPT_PAGES], reason);
    if (service->pages == NULL) {
        return -1;
    }
    service->parties = lp_parties_open(args->value[LP_OPT_PARTIES], reason);
    if (service->parties == NULL) {
        return -1;
    }
    if (ring != NULL) {
        service->keys = lp_key_ring_open(ring, reason);
        return service->keys == NULL ? -1 : 0;
    }
    return 0;
}

static int
open_service(lp_service_t *service, const lp_args_t *args,
             const lp_store_options_t *options)
{
    const char *reason;

    if (lp_serving_secrets(&service->pepper, &service->seal, args) != 0
        || lp_store_password_usable(options->password_file) != LP_YES) {
        return -1;
    }
    if (open_files(service, args, &reason) != 0) {
        lp_say("%s", reason);
        return -1;
    }
    service->store = lp_store_create(options);
    if (service->store == NULL) {
        lp_say("out of memory");
        return -1;
    }
    return 0;
}

/* In reverse order; what is not there is NULL. */
static void
close_service(lp_service_t *service)
{
    lp_store_destroy(service->store);
    lp_key_ring_close(service->keys);
    lp_parties_close(service->parties);
    lp_pages_file_close(service->pages);
    lp_seal_destroy(service->seal);
    lp_pepper_destroy(service->pepper);
}

static void
refuse_for_now(worker_t *worker, FCGX_Request *connection)
{
    lp_request_t request;

    if (lp_request_open(&request, connection) == NULL
        && lp_span_equal(request.route, lp_span("page"))) {
        lp_page_unavailable(&worker->service, &request);
    } else {
        lp_answer_unavailable(&request);
    }
}

static int
serve(worker_t *worker, lp_listener_t *listener)
{
    int ready, usable = 1;

    while (worker->requests > 0 && usable != -1) {
        ready = lp_listener_next(listener);
        if (ready != 1) {
            return ready == 0 ? LP_YES : LP_NO;
        }
        usable = lp_serving_redis(worker->service.store, &worker->durable);
        if (usable == 1) {
            lp_route(&worker->service, &listener->connection);
        } else {
            refuse_for_now(worker, &listener->connection);
        }
        lp_listener_finish(listener);
        worker->requests--;
    }
    return usable == -1 ? LP_NO : LP_YES;
}

/* Looks at Redis, then serves. */
static int
start(worker_t *worker, lp_listener_t *listener)
{
    int usable = lp_serving_redis(worker->service.store, &worker->durable);

    if (usable == -1) {
        return LP_NO;
    }
    if (usable == 0) {
        lp_say("Redis cannot be reached yet; 503 until it can");
    }
    return serve(worker, listener);
}

static int
run(const lp_args_t *args)
{
    static worker_t worker;
    lp_serving_t    serving;
    lp_listener_t   listener;
    int             rc;

    lp_serving_guard();
    rc = read_options(&worker, args, &serving);
    if (rc != LP_YES) {
        return rc;
    }
    rc = LP_NO;
    worker.durable = args->value[LP_OPT_UNSAFE_REDIS] != NULL;
    if (lp_listener_open(&listener) == 0
        && open_service(&worker.service, args, &serving.store) == 0) {
        rc = start(&worker, &listener);
    }
    lp_listener_close(&listener);
    close_service(&worker.service);
    return rc;
}

int
main(int argc, char **argv)
{
    return lp_args_run(&program, argc - 1, argv + 1);
}
