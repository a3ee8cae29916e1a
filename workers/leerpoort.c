/*
 * leerpoort: the operators' command. It runs beside the edge and the workers,
 * never inside them: it reads tokens and ids on standard input, asks Redis
 * synchronously with a short timeout, answers once and ends.
 *
 * Exit codes: 0 yes, 1 no (the reason on standard error), 2 usage. Whatever
 * can't be done, an unreachable Redis included, is a no: nothing that guards
 * content may take a fault for a yes.
 */

#include "command_set.h"
#include "commands.h"

#define TAKES(name, ...)                                                       \
    static const lp_take_t name[] = {__VA_ARGS__, {LP_OPT_END, LP_MAY}}

#define REDIS                                                                  \
    {LP_OPT_REDIS, LP_MAY}, {LP_OPT_USER, LP_MAY},                             \
        {LP_OPT_PASSWORD_FILE, LP_MAY}

#define HOLDER                                                                 \
    {LP_OPT_HOLDER_TYPE, LP_MAY}, {LP_OPT_HOLDER_PEPPER, LP_MAY},              \
        {LP_OPT_SCHOOL, LP_MAY}, REDIS

TAKES(jws_verify, {LP_OPT_JWKS, LP_MUST}, {LP_OPT_ALGS, LP_MAY});

TAKES(token_verify, {LP_OPT_JWKS, LP_MUST}, {LP_OPT_ISS, LP_MUST},
      {LP_OPT_AUD, LP_MUST_REPEAT}, {LP_OPT_ALGS, LP_MAY},
      {LP_OPT_NOW, LP_MAY}, {LP_OPT_LEEWAY, LP_MAY}, {LP_OPT_MAX_AGE, LP_MAY});

TAKES(token_explain, {LP_OPT_JWKS, LP_MUST}, {LP_OPT_ISS, LP_MAY},
      {LP_OPT_AUD, LP_MAY_REPEAT}, {LP_OPT_ALGS, LP_MAY}, {LP_OPT_NOW, LP_MAY},
      {LP_OPT_LEEWAY, LP_MAY}, {LP_OPT_MAX_AGE, LP_MAY},
      {LP_OPT_JSON, LP_MAY});

TAKES(token_mint, {LP_OPT_KEY, LP_MUST}, {LP_OPT_SIGN_ALG, LP_MAY},
      {LP_OPT_KID, LP_MAY}, {LP_OPT_TYP, LP_MAY}, {LP_OPT_SET_ISS, LP_MAY},
      {LP_OPT_SET_AUD, LP_MAY_REPEAT}, {LP_OPT_EXPIRES_IN, LP_MAY},
      {LP_OPT_MINT_NOW, LP_MAY}, {LP_OPT_BATCH, LP_MAY});

TAKES(token_jwks, {LP_OPT_KEYS, LP_MUST_REPEAT}, {LP_OPT_SIGN_ALG, LP_MAY},
      {LP_OPT_KID, LP_MAY});

TAKES(key_new, {LP_OPT_NEW_ALG, LP_MUST}, {LP_OPT_KID, LP_MAY});

TAKES(key_rotate, {LP_OPT_KEY_FOLDER, LP_MUST}, {LP_OPT_RING_ALG, LP_MAY},
      {LP_OPT_OVERLAP, LP_MAY});

TAKES(key_list, {LP_OPT_KEY_FOLDER, LP_MUST}, {LP_OPT_JSON, LP_MAY});

TAKES(user_key, {LP_OPT_PEPPER, LP_MUST}, {LP_OPT_ID_TYPE, LP_MUST});

TAKES(right_show, {LP_OPT_PRODUCT, LP_MAY}, {LP_OPT_OPEN, LP_MAY}, HOLDER,
      {LP_OPT_JSON, LP_MAY});

TAKES(right_set, {LP_OPT_PRODUCT, LP_MUST}, {LP_OPT_STATE, LP_MAY},
      {LP_OPT_FROM, LP_MAY}, {LP_OPT_UNTIL, LP_MAY},
      {LP_OPT_ENTITLEMENT, LP_MAY}, {LP_OPT_OPEN, LP_MAY},
      {LP_OPT_QUANTITY, LP_MAY}, HOLDER);

TAKES(right_drop, {LP_OPT_PRODUCT, LP_MAY}, {LP_OPT_TOKENS, LP_MAY},
      {LP_OPT_ALL, LP_MAY}, {LP_OPT_OPEN, LP_MAY}, HOLDER);

TAKES(right_revoke, {LP_OPT_AT, LP_MAY}, HOLDER);

TAKES(product_show, REDIS, {LP_OPT_JSON, LP_MAY});

TAKES(product_set, {LP_OPT_URL, LP_MAY}, {LP_OPT_DEEP, LP_MAY},
      {LP_OPT_FREE, LP_MAY}, {LP_OPT_IN, LP_MAY}, {LP_OPT_NAME, LP_MAY},
      {LP_OPT_LICENCE, LP_MAY}, {LP_OPT_TICKET, LP_MAY}, REDIS);

TAKES(product_drop, REDIS);

TAKES(product_chapters, REDIS);

TAKES(product_index, REDIS);

TAKES(import_entitlements, {LP_OPT_PEPPER, LP_MUST}, {LP_OPT_PARTY, LP_MAY},
      {LP_OPT_CONFIRM, LP_MAY}, {LP_OPT_LAST_DAY, LP_MAY},
      {LP_OPT_ERRORS, LP_MAY}, {LP_OPT_FROM_LINE, LP_MAY}, REDIS);

TAKES(import_rows, {LP_OPT_ERRORS, LP_MAY}, {LP_OPT_FROM_LINE, LP_MAY}, REDIS);

TAKES(school_show, {LP_OPT_ALIAS_TYPE, LP_MUST}, {LP_OPT_ALIAS_ID, LP_MUST},
      REDIS, {LP_OPT_JSON, LP_MAY});

TAKES(school_set, {LP_OPT_ALIAS_SCHOOL, LP_MUST}, {LP_OPT_SCHOOL_NAME, LP_MAY},
      {LP_OPT_ALIAS_TYPE, LP_MAY}, {LP_OPT_ALIAS_ID, LP_MAY}, REDIS);

TAKES(school_drop, {LP_OPT_ALIAS_TYPE, LP_MUST}, {LP_OPT_ALIAS_ID, LP_MUST},
      REDIS);

TAKES(school_consent, {LP_OPT_CONSENT_SCHOOL, LP_MUST},
      {LP_OPT_CONSENT_SCOPE, LP_MUST}, {LP_OPT_WITHDRAW, LP_MAY}, REDIS);

TAKES(report_usage, {LP_OPT_WEEK, LP_MAY}, {LP_OPT_RUNNING, LP_MAY},
      {LP_OPT_REPORT_SCHOOL, LP_MAY}, {LP_OPT_FORMAT, LP_MAY},
      {LP_OPT_HIDE, LP_MAY}, REDIS);

TAKES(catalogue_pull, {LP_OPT_CA, LP_MAY}, {LP_OPT_DRY_RUN, LP_MAY}, REDIS,
      {LP_OPT_JSON, LP_MAY});

TAKES(relay_status, REDIS, {LP_OPT_JSON, LP_MAY});

TAKES(relay_retry, {LP_OPT_DEAD, LP_MAY}, REDIS);

TAKES(school_erase, {LP_OPT_ALIAS_SCHOOL, LP_MUST}, {LP_OPT_YES, LP_MAY},
      {LP_OPT_FORCE, LP_MAY}, {LP_OPT_REWRITE, LP_MAY}, REDIS);

TAKES(privacy_show, {LP_OPT_HOLDER_PEPPER, LP_MUST}, {LP_OPT_ID_TYPE, LP_MAY},
      {LP_OPT_SEAL, LP_MAY}, REDIS, {LP_OPT_JSON, LP_MAY});

TAKES(privacy_erase, {LP_OPT_HOLDER_PEPPER, LP_MUST}, {LP_OPT_SEAL, LP_MUST},
      {LP_OPT_ID_TYPE, LP_MAY}, {LP_OPT_YES, LP_MAY}, {LP_OPT_REWRITE, LP_MAY},
      REDIS);

TAKES(explain, {LP_OPT_LOG, LP_MAY}, {LP_OPT_JSON, LP_MAY});

TAKES(check, REDIS, {LP_OPT_NGINX_CONF, LP_MAY}, {LP_OPT_NGINX, LP_MAY},
      {LP_OPT_JSON, LP_MAY});

static const lp_command_t commands[] = {
    {"jws verify", NULL, "TOKEN",
     "Checks a token's signature alone and prints its payload.",
     "Default algorithms: all but HS256, which is checked only when --alg\n"
     "names it. A key that names no algorithm serves the token's.",
     jws_verify, lp_command_jws_verify, NULL},
    {"token verify", NULL, "TOKEN",
     "Checks a token's signature and claims and prints the claims.",
     "Default algorithms: all but ES512 and HS256.", token_verify,
     lp_command_token_verify, NULL},
    {"token explain", NULL, "TOKEN",
     "Says in words why a token is accepted or refused.",
     "Without --iss or --aud the token's own are believed. Shows no ids of\n"
     "persons and no signature: the answer may go into a ticket.",
     token_explain, lp_command_token_explain, NULL},
    {"token mint", NULL, "CLAIMS",
     "Signs a JSON object of claims, for tests and demonstrations.", NULL,
     token_mint, lp_command_token_mint, NULL},
    {"token jwks", NULL, NULL, "Prints the public JWKS of keys.",
     "--alg and --kid are for a single key.", token_jwks,
     lp_command_token_jwks, NULL},
    {"key new", NULL, NULL, "Makes a private key and prints it as a JWK.",
     "Without --kid the name is the key's thumbprint (RFC 7638).", key_new,
     lp_command_key_new, NULL},
    {"key rotate", NULL, NULL,
     "Adds a key that our own tokens will be signed with.",
     "It is published at once, in jwks.json, and signs after the overlap; the\n"
     "first key signs at once. Keys that no token needs any more are removed.",
     key_rotate, lp_command_key_rotate, NULL},
    {"key list", NULL, NULL, "Shows which keys sign and are published.", NULL,
     key_list, lp_command_key_list, NULL},
    {"user-key", NULL, "ID", "Prints the user key of a person's id.", NULL,
     user_key, lp_command_user_key, NULL},
    {"right show", NULL, "ID", "Shows what a person or a school may use.",
     NULL, right_show, lp_command_right_show, NULL},
    {"right set", NULL, "ID", "Stores a right, or changes parts of it.",
     "What is not given stays as it is. A new right needs --state (O with\n"
     "--open) and --entitlement.",
     right_set, lp_command_right_set, NULL},
    {"right drop", NULL, "ID", "Removes a right.",
     "One of --product, --tokens and --all.", right_drop,
     lp_command_right_drop, NULL},
    {"right revoke", NULL, "ID",
     "Refuses a person's tokens that were issued before now.", NULL,
     right_revoke, lp_command_right_revoke, NULL},
    {"product show", "ID", NULL, "Shows a product.", NULL, product_show,
     lp_command_product_show, NULL},
    {"product set", "ID", NULL, "Stores a product, or changes parts of it.",
     "What is not given stays as it is; an empty value removes.", product_set,
     lp_command_product_set, NULL},
    {"product drop", "ID", NULL, "Removes a product.", NULL, product_drop,
     lp_command_product_drop, NULL},
    {"product chapters", "ID", "LINES",
     "Sets what teachers can pick of a product.",
     "A line each: its path, a blank, its title. No lines: there are none.",
     product_chapters, lp_command_product_chapters, NULL},
    {"product index", NULL, NULL,
     "Makes the lists of products and of sets anew.",
     "For a store from before there were any. Goes through all of Redis.",
     product_index, lp_command_product_index, NULL},
    {"import entitlements", "FILE", NULL,
     "Takes in entitlements, a request of a seller a line.",
     "FILE is NDJSON, - for standard input. Lines that are refused are\n"
     "counted and passed over; it is safe to repeat.",
     import_entitlements, lp_command_import_entitlements, NULL},
    {"import products", "FILE", NULL, "Takes in products, one a line.",
     "FILE is NDJSON, - for standard input.", import_rows,
     lp_command_import_products, NULL},
    {"import schools", "FILE", NULL, "Takes in schools, one a line.",
     "FILE is NDJSON, - for standard input.", import_rows,
     lp_command_import_schools, NULL},
    {"school show", NULL, NULL, "Shows which school an id means.", NULL,
     school_show, lp_command_school_show, NULL},
    {"school set", NULL, NULL, "Makes a school known, and an id of it.",
     "Entitlements of a school that is not known are refused.", school_set,
     lp_command_school_set, NULL},
    {"school drop", NULL, NULL, "Forgets which school an id means.", NULL,
     school_drop, lp_command_school_drop, NULL},
    {"school consent", NULL, NULL,
     "Stores that a school lets a dashboard see its usage.", NULL,
     school_consent, lp_command_school_consent, NULL},
    {"report usage", NULL, NULL,
     "Prints what was used in a week, per school and product.",
     "Figures of few readers are hidden, and what would give them away. Once\n"
     "issued, the report of a week stays as it is.",
     report_usage, lp_command_report_usage, NULL},
    {"catalogue pull", "URL", NULL,
     "Brings the products of an Edu-V Catalogue into Redis.",
     "Nothing is written before all pages are there; products that did not\n"
     "change are not written. Exit 1 where rows were refused.",
     catalogue_pull, lp_command_catalogue_pull, NULL},
    {"relay status", NULL, NULL, "Shows what waits for other parties.",
     "Exit 1 where something is stuck: a party that fails, dead letters, a\n"
     "message older than a quarter of an hour, or no relay while some wait.",
     relay_status, lp_command_relay_status, NULL},
    {"relay retry", "OIN", NULL, "Ends the pause of a party.", NULL,
     relay_retry, lp_command_relay_retry, NULL},
    {"school erase", NULL, NULL,
     "Erases all that is held of a school and its people.",
     "Refused while messages to sellers or clicks of the school wait.",
     school_erase, lp_command_school_erase, NULL},
    {"privacy show", NULL, "ID", "Shows all that is held of a person.",
     "Goes through all of Redis. Without --type the id is an ECK iD.",
     privacy_show, lp_command_privacy_show, NULL},
    {"privacy erase", NULL, "ID", "Erases all that is held of a person.",
     "Totals stay. Messages that wait are sent without the person. May be\n"
     "repeated; broken off, the same command does the rest.",
     privacy_erase, lp_command_privacy_erase, NULL},
    {"explain", "CODE", NULL,
     "Says what a support code of a page stands for.",
     "A code is the ten characters that a page asked its reader to pass on.\n"
     "With --log, - for standard input, the lines of the code as well.",
     explain, lp_command_explain, NULL},
    {"check", NULL, NULL, "Checks Redis and nginx, and says what to do.", NULL,
     check, lp_command_check, NULL},
};

static const lp_command_set_t set = {
    commands,
    sizeof(commands) / sizeof(commands[0]),
    "",
    "Ids of persons and secrets come on standard input or in files.\n"
    "Redis: --redis, else LEERPOORT_REDIS, else "
    "unix:/run/redis/redis-server.sock.\n"
    "Exit: 0 yes, 1 no (the reason on standard error), 2 usage.\n",
};

int
main(int argc, char **argv)
{
    return lp_command_set_main(&set, argc, argv);
}
