/*
 * leerpoort-relay: tells other parties what the workers wrote into the journal.
 * It reads its options and secrets, sees that Redis can be trusted, and hands
 * over to relay.c. SIGTERM and SIGINT end it with 0 once what is on its way has
 * an answer.
 */

#include <math.h>
#include <stdlib.h>

#include "relay.h"
#include "say.h"
#include "serving.h"
#include "store_args.h"

#define STORE_TIMEOUT_MS 3000 /* more than the relay sleeps in Redis */
#define SECONDS_MIN      0.01
#define SECONDS_MAX      (31 * 86400.0)
#define LOCK_DEFAULT_S   10.0
#define LOCK_MIN_S       0.1
#define PATIENCE_DEFAULT 30.0
#define RETRY_DEFAULT    "60,300,3600,86400"

static const lp_take_t takes[] = {
    {LP_OPT_REDIS, LP_MAY},         {LP_OPT_USER, LP_MAY},
    {LP_OPT_PASSWORD_FILE, LP_MAY}, {LP_OPT_SEAL, LP_MUST},
    {LP_OPT_PARTIES, LP_MUST},      {LP_OPT_RETRY, LP_MAY},
    {LP_OPT_PATIENCE, LP_MAY},      {LP_OPT_LOCK, LP_MAY},
    {LP_OPT_CA, LP_MAY},            {LP_OPT_UNSAFE_REDIS, LP_MAY},
    {LP_OPT_ONCE, LP_MAY},          {LP_OPT_END, LP_MAY},
};

static int run(const lp_args_t *args);

static const lp_command_t program = {
    "-relay", NULL, NULL,
    "Sends confirmations and activations to the other parties.",
    "One process works at a time; another that is started waits for its end.\n"
    "With --once it ends when nothing more can be delivered now.",
    takes, run, NULL,
};

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
    (void) number;
    stop = 1;
}

static void
catch_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Seconds at text, with or without a fraction, up to a comma or the end. */
static int
read_seconds(const char **text, double least, int64_t *ms)
{
    char  *end;
    double seconds;

    if (**text < '0' || **text > '9') {
        return -1;
    }
    seconds = strtod(*text, &end);
    if ((*end != '\0' && *end != ',') || !isfinite(seconds) || seconds < least
        || seconds > SECONDS_MAX) {
        return -1;
    }
    *text = end;
    *ms = (int64_t) (seconds * 1000);
    return 0;
}

static int
read_pauses(lp_relay_options_t *options, const lp_args_t *args)
{
    const char *text = args->value[LP_OPT_RETRY];

    if (text == NULL) {
        text = RETRY_DEFAULT;
    }
    for (;;) {
        if (options->n_pauses == LP_PAUSES_MAX
            || read_seconds(&text, SECONDS_MIN,
                            &options->pauses_ms[options->n_pauses]) != 0) {
            return lp_args_refuse(args, "--retry takes up to %d numbers of "
                                        "seconds with commas between them",
                                  LP_PAUSES_MAX);
        }
        options->n_pauses++;
        if (*text == '\0') {
            return LP_YES;
        }
        text++;
    }
}

static int
read_time(const lp_args_t *args, lp_opt_t option, double least, double absent,
          int64_t *ms)
{
    const char *text = args->value[option];

    *ms = (int64_t) (absent * 1000);
    if (text != NULL
        && (read_seconds(&text, least, ms) != 0 || *text != '\0')) {
        return lp_args_refuse(args, "--%s takes seconds, at least %g",
                              option == LP_OPT_LOCK ? "lock" : "patience",
                              least);
    }
    return LP_YES;
}

static int
read_options(lp_relay_options_t *options, const lp_args_t *args)
{
    int rc;

    options->once = args->value[LP_OPT_ONCE] != NULL;
    options->ca = args->value[LP_OPT_CA];
    rc = read_pauses(options, args);
    rc |= read_time(args, LP_OPT_LOCK, LOCK_MIN_S, LOCK_DEFAULT_S,
                    &options->lock_ms);
    rc |= read_time(args, LP_OPT_PATIENCE, SECONDS_MIN, PATIENCE_DEFAULT,
                    &options->patience_ms);
    return rc;
}

static int
open_all(lp_relay_options_t *options, const lp_args_t *args)
{
    const char *reason;
    int         durable = args->value[LP_OPT_UNSAFE_REDIS] != NULL;

    if (lp_serving_secrets(NULL, &options->seal, args) != 0) {
        return -1;
    }
    options->parties = lp_parties_open(args->value[LP_OPT_PARTIES], &reason);
    if (options->parties == NULL) {
        lp_say("%s", reason);
        return -1;
    }
    return lp_serving_redis(options->store, &durable) == -1 ? -1 : 0;
}

static int
run(const lp_args_t *args)
{
    lp_relay_options_t options;
    int                rc;

    lp_serving_guard();
    catch_signals();
    memset(&options, 0, sizeof(options));
    rc = read_options(&options, args);
    if (rc != LP_YES) {
        return rc;
    }
    rc = lp_store_of_args(&options.store, args, STORE_TIMEOUT_MS);
    if (rc == LP_YES) {
        rc = open_all(&options, args) == 0
                     && lp_relay_run(&options, &stop) == 0
                 ? LP_YES
                 : LP_NO;
    }
    lp_parties_close(options.parties);
    lp_seal_destroy(options.seal);
    lp_store_destroy(options.store);
    return rc;
}

int
main(int argc, char **argv)
{
    return lp_args_run(&program, argc - 1, argv + 1);
}
