/*
 * leerpoort check: is this a Redis that Leerpoort can trust with licences, and
 * an nginx configuration that keeps secrets? One line for each thing looked
 * at: ok, warn (works, but not as it should) or FAIL, and what to do.
 */

#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "say.h"

#define LINE_MAX_BYTES 8192 /* two paths fit */

static const char *const level_names[] = {"ok", "warn", "FAIL"};

int
lp_command_check(const lp_args_t *args)
{
    lp_check_t check = {.args = args};
    json_t *answer;
    int     rc;

    if (args->value[LP_OPT_NGINX] != NULL
        && args->value[LP_OPT_NGINX_CONF] == NULL) {
        return lp_args_refuse(args, "--nginx needs --nginx-conf");
    }
    if (args->value[LP_OPT_JSON] != NULL) {
        check.lines = json_array();
    }
    rc = lp_check_redis(&check);
    if (rc == LP_YES && args->value[LP_OPT_NGINX_CONF] != NULL) {
        lp_check_nginx(&check);
    }
    lp_redis_close(&check.redis);
    if (check.lines != NULL && rc == LP_YES) {
        answer = json_pack("{s:b, s:O}", "ok", !check.failed, "lines",
                           check.lines);
        json_dumpf(answer, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
        json_decref(answer);
    }
    json_decref(check.lines);
    if (rc == LP_YES && check.failed) {
        lp_say("the check found what must be mended");
        return LP_NO;
    }
    return rc;
}

void
lp_line(lp_check_t *check, lp_check_level_t level, const char *format, ...)
{
    char    text[LINE_MAX_BYTES];
    json_t *sentence;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    check->failed |= level == LP_FAIL;
    if (check->lines == NULL) {
        printf("%-5s %s\n", level_names[level], text);
        return;
    }
    sentence = json_string(text);
    if (sentence == NULL) {
        lp_check_ascii(text, strlen(text)); /* a path need not be UTF-8 */
        sentence = json_string(text);
    }
    json_array_append_new(check->lines,
                          json_pack("{s:s, s:o}", "level", level_names[level],
                                    "text", sentence));
}

void
lp_check_ascii(char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] >= 0x7f) {
            text[i] = '?';
        }
    }
}

double
lp_check_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}
