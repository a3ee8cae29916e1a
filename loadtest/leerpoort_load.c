/*
 * leerpoort-load: the rehearsal. It makes a country of pupils that do not
 * exist, lets them click as a plan says, judges every answer against what that
 * pupil must get, and ends with a verdict (docs/rehearsal.md).
 *
 * Exit codes: 0 pass, 1 fail, 2 usage, 3 invalid: the tool itself could not
 * keep the schedule, so that it can't say.
 */

#include "../workers/command_set.h"
#include "load_commands.h"

#define OWN(option) [(option) - LP_OPTS]

static const lp_option_t own[LP_LOAD_OPTS - LP_OPTS] = {
    OWN(LP_LOAD_PUPILS) = {"pupils", "N", "how many pupils"},
    OWN(LP_LOAD_SEED) = {"seed", "S", "the same for the same (1)"},
    OWN(LP_LOAD_PRODUCTS) = {"products", "N", "in the catalogue (500)"},
    OWN(LP_LOAD_ZIPF) = {"zipf", "S", "the products' popularity (1.0)"},
    OWN(LP_LOAD_ALGS) = {"alg", "A:N,B:N",
                         "algorithms of tokens, and how many of each (ES256)"},
    OWN(LP_LOAD_MIX) = {"mix", "HOLD:SHARE,...",
                        "what the rights are like; see the text"},
    OWN(LP_LOAD_DAY) = {"day", "YYYYMMDD", "rights are about it (today)"},
    OWN(LP_LOAD_JOBS) = {"jobs", "N", "processes that mint (one a core)"},
    OWN(LP_LOAD_LIFE) = {"expires-in", "SECONDS", "of the tokens (86400)"},
    OWN(LP_LOAD_NOW) = {"now", "UNIX", "mint as if this were the time"},
    OWN(LP_LOAD_API) = {"api", "URL", "load rights through the bulk API"},
    OWN(LP_LOAD_CLIENT) = {"client", "ID", "the seller's client id"},
    OWN(LP_LOAD_CLIENT_KEY) = {"key", "FILE", "its private key: JWK or PEM"},
    OWN(LP_LOAD_TOKEN_URL) = {"token-url", "URL",
                              "the token endpoint (URL/oauth/token)"},
    OWN(LP_LOAD_BULK) = {"bulk", "LINES", "in one request (5000)"},
    OWN(LP_LOAD_TARGET) = {"target", "URL", "the edge: http(s)://host:port"},
    OWN(LP_LOAD_PREFIX) = {"prefix", "PATH", "of access links (/go/)"},
    OWN(LP_LOAD_LOGIN) = {"login", "URL",
                          "what leerpoort_login begins with; absent: 401"},
    OWN(LP_LOAD_OUT) = {"out", "FOLDER", "for the result (run-<time>)"},
    OWN(LP_LOAD_SCALE) = {"scale", "X", "times the plan's rates (1)"},
    OWN(LP_LOAD_FIT) = {"fit", "SECONDS", "stretch the plan to this length"},
    OWN(LP_LOAD_SHARD) = {"shard", "I/N", "this machine's part: 1/5 to 5/5"},
    OWN(LP_LOAD_START_AT) = {"start-at", "UTC",
                             "2026-08-20T06:15:00Z, or Unix seconds"},
    OWN(LP_LOAD_CORES) = {"cores", "N", "engines side by side (1)"},
    OWN(LP_LOAD_HOOKS) = {"hooks", "FOLDER", "programs for the plan's faults"},
    OWN(LP_LOAD_OPT_IN) = {"opt-in", "FILE",
                           "the token of a target elsewhere"},
    OWN(LP_LOAD_INSECURE) = {"insecure", NULL,
                             "take any certificate, on this machine"},
    OWN(LP_LOAD_STOP_EARLY) = {"stop-early", NULL,
                               "end when a threshold can't be met any more"},
    OWN(LP_LOAD_PLAIN) = {"plain", NULL, "a line a second, for logs"},
    OWN(LP_LOAD_MAX_RATE) = {"max-rate", "N", "never more a second (50000)"},
    OWN(LP_LOAD_MAX_SECONDS) = {"max-seconds", "N", "never longer (14400)"},
    OWN(LP_LOAD_STOP_FILE) = {"stop-file", "FILE",
                              "stop when this file is there"},
    OWN(LP_LOAD_RUN) = {"run", "FOLDER", "the run's result"},
    OWN(LP_LOAD_HTML) = {"html", "FILE", "write the comparison as a page"},
    OWN(LP_LOAD_BEFORE) = {"before", NULL,
                           "only remember what was there, before another run"},
};

#define TAKES(name, ...)                                                       \
    static const lp_take_t name[] = {__VA_ARGS__, {LP_OPT_END, LP_MAY}}

#define REDIS                                                                  \
    {LP_OPT_REDIS, LP_MAY}, {LP_OPT_USER, LP_MAY},                             \
        {LP_OPT_PASSWORD_FILE, LP_MAY}

#define CLIENT                                                                 \
    {LP_LOAD_CLIENT, LP_MAY}, {LP_LOAD_CLIENT_KEY, LP_MAY},                    \
        {LP_LOAD_TOKEN_URL, LP_MAY}, {LP_OPT_CA, LP_MAY}

TAKES(population, {LP_LOAD_PUPILS, LP_MUST}, {LP_LOAD_SEED, LP_MAY},
      {LP_LOAD_PRODUCTS, LP_MAY}, {LP_LOAD_ZIPF, LP_MAY},
      {LP_LOAD_ALGS, LP_MAY}, {LP_LOAD_MIX, LP_MAY}, {LP_LOAD_DAY, LP_MAY},
      {LP_LOAD_JOBS, LP_MAY}, {LP_LOAD_LIFE, LP_MAY}, {LP_LOAD_NOW, LP_MAY});

TAKES(mint, {LP_LOAD_JOBS, LP_MAY}, {LP_LOAD_LIFE, LP_MAY},
      {LP_LOAD_NOW, LP_MAY});

TAKES(seed, REDIS, {LP_OPT_PEPPER, LP_MUST}, {LP_OPT_PARTY, LP_MAY},
      {LP_LOAD_API, LP_MAY}, CLIENT, {LP_LOAD_BULK, LP_MAY});

TAKES(plan_list, {LP_OPT_JSON, LP_MAY});

TAKES(plan_show, {LP_LOAD_SCALE, LP_MAY}, {LP_LOAD_FIT, LP_MAY},
      {LP_OPT_JSON, LP_MAY});

TAKES(run, {LP_LOAD_TARGET, LP_MUST}, {LP_LOAD_OUT, LP_MAY},
      {LP_LOAD_SCALE, LP_MAY}, {LP_LOAD_FIT, LP_MAY}, {LP_LOAD_PREFIX, LP_MAY},
      {LP_LOAD_LOGIN, LP_MAY}, {LP_LOAD_CORES, LP_MAY},
      {LP_LOAD_SHARD, LP_MAY}, {LP_LOAD_START_AT, LP_MAY},
      {LP_LOAD_HOOKS, LP_MAY}, {LP_LOAD_STOP_EARLY, LP_MAY},
      {LP_LOAD_STOP_FILE, LP_MAY}, {LP_LOAD_PLAIN, LP_MAY},
      {LP_LOAD_MAX_RATE, LP_MAY}, {LP_LOAD_MAX_SECONDS, LP_MAY},
      {LP_LOAD_OPT_IN, LP_MAY}, {LP_LOAD_INSECURE, LP_MAY}, CLIENT);

TAKES(verify, {LP_LOAD_RUN, LP_MAY}, {LP_LOAD_BEFORE, LP_MAY},
      {LP_OPT_PEPPER, LP_MUST}, REDIS, {LP_OPT_JSON, LP_MAY});

TAKES(report, {LP_OPT_JSON, LP_MAY});

TAKES(merge, {LP_OPT_JSON, LP_MAY});

TAKES(compare, {LP_LOAD_HTML, LP_MAY}, {LP_OPT_JSON, LP_MAY});

static const lp_command_t commands[] = {
    {"-load population", "DIR", NULL,
     "Makes a country of pupils, their rights and their tokens.",
     "Nobody in it can be real. The same seed and day give the same. Broken\n"
     "off, the same command mints the rest of the tokens.\n"
     "--mix: shares of what a member may do with a product of the class, the\n"
     "rest is licensed: set, entitled, open, none, not-yet, ended, blocked.",
     population, lp_load_population, own},
    {"-load mint", "DIR", NULL, "Mints all tokens anew.",
     "For a rehearsal on a later day: tokens expire.", mint, lp_load_mint,
     own},
    {"-load seed", "DIR", NULL, "Loads a population into Leerpoort.",
     "Schools and products go straight into Redis; rights too, or with --api\n"
     "as a seller sends them. Without --party or --api nobody is told of\n"
     "activations. May be repeated: then it is as before the first click.",
     seed, lp_load_seed, own},
    {"-load plan list", NULL, NULL, "Lists the plans that are shipped.", NULL,
     plan_list, lp_load_plan_list, own},
    {"-load plan show", "PLAN", NULL, "Draws a plan's curve and explains it.",
     "PLAN: a file, or the name of a shipped one.", plan_show,
     lp_load_plan_show, own},
    {"-load run", "PLAN DIR", NULL,
     "Rehearses a plan with a population, and ends with a verdict.",
     "Exit: 0 pass, 1 fail, 2 usage, 3 invalid. + and - change the rate,\n"
     "Ctrl-C ends with a report, twice at once. Only to this machine, unless\n"
     "the target answers /.well-known/leerpoort-load (docs/rehearsal.md).",
     run, lp_load_run, own},
    {"-load verify", "DIR", NULL,
     "Compares what clients were told with Redis, after a run.",
     "Rights, journal, quantities and usage. Exit 1 where they differ, 3\n"
     "where they could not be compared.",
     verify, lp_load_verify, own},
    {"-load report", "RUN", NULL, "Says a run's verdict; draws its page anew.",
     "Exit as the run's: 0 pass, 1 fail, 3 invalid.", report, lp_load_report,
     own},
    {"-load merge", "OUT RUN...", NULL, "Adds the shards of one run up.",
     "OUT: a folder for the sum. Histograms add up exactly. Exit as run.",
     merge, lp_load_merge, own},
    {"-load compare", "A B", NULL, "Shows two runs side by side.",
     "Exit 1 where B is worse: its verdict, or a latency beyond what chance\n"
     "and the histogram's error explain.",
     compare, lp_load_compare, own},
};

static const lp_command_set_t set = {
    commands,
    sizeof(commands) / sizeof(commands[0]),
    "-load",
    "population, seed, run, verify: in this order (docs/rehearsal.md).\n"
    "Exit: 0 pass, 1 fail, 2 usage, 3 invalid: the tool was too slow to say.\n",
};

int
main(int argc, char **argv)
{
    return lp_command_set_main(&set, argc, argv);
}
