/*
 * What the parts of leerpoort check share: the lines that they say, one for
 * each thing looked at, to people or as JSON.
 */

#ifndef LP_CHECK_H
#define LP_CHECK_H

#include <jansson.h>

#include "command_line.h"
#include "redis_link.h"

typedef enum {
    LP_OK = 0,
    LP_WARN, /* works, but not as it should */
    LP_FAIL
} lp_check_level_t;

typedef struct {
    const lp_args_t *args;
    lp_redis_t       redis;
    json_t          *lines; /* NULL: written at once, for people */
    int              failed; /* something must be mended */
} lp_check_t;

/* Says a line; LP_FAIL makes the whole check fail. */
void lp_line(lp_check_t *check, lp_check_level_t level, const char *format,
             ...) __attribute__((format(printf, 3, 4)));

/* Puts ? where a byte is not printable ASCII. */
void lp_check_ascii(char *text, size_t len);

/* Monotonic milliseconds, and parts of them. */
double lp_check_now_ms(void);

/* Checks the Redis of the arguments; the link stays open. LP_YES, whatever was
   found; LP_USAGE after saying what is wrong with the arguments. */
int lp_check_redis(lp_check_t *check);

/* Looks whether the index of products is there; part of the above. */
void lp_check_products(lp_check_t *check);

/* Checks the configuration of --nginx-conf, by the nginx of --nginx. */
void lp_check_nginx(lp_check_t *check);

#endif
