/*
 * The consent of a target outside this machine: what its operator configured,
 * compared with the token that we were given. A page that happens to be there
 * must never count as one.
 */

#ifndef LP_OPT_IN_H
#define LP_OPT_IN_H

#include <stdint.h>

#include "../core/span.h"

#define LP_OPT_IN_HEX 65   /* room for a SHA-256 in hex, and NUL */
#define LP_OPT_IN_MIN 16   /* bytes of a token */
#define LP_OPT_IN_MAX 1024 /* bytes of a token; of an answer */

typedef enum {
    LP_OPT_IN_GIVEN = 0,
    LP_OPT_IN_NONE,  /* the text is something else */
    LP_OPT_IN_OTHER, /* consent to the holder of another token */
    LP_OPT_IN_PAST   /* it was until a day that is over */
} lp_opt_in_t;

/* The SHA-256 of a token in hex, NUL-terminated. Returns -1 when OpenSSL
   failed. */
int lp_opt_in_hash(char hex[LP_OPT_IN_HEX], lp_span_t token);

/* Reads the token in a file and hashes it; one newline at its end is not part
   of it. Returns -1 after lp_say(). */
int lp_opt_in_file(char hex[LP_OPT_IN_HEX], const char *path);

/*
 * Judges an answer: "leerpoort-load sha256:<hex> until:YYYYMMDD", the three
 * words of it, with white space between and about them, and nothing else.
 * today: YYYYMMDD in Amsterdam.
 */
lp_opt_in_t lp_opt_in_judge(lp_span_t body, const char *hex, uint32_t today);

#endif
