/*
 * What an operator sees while a run goes on, and the keys that change it: one
 * line that is drawn anew on a terminal, or a line a second for logs.
 */

#ifndef LP_LIVE_H
#define LP_LIVE_H

#include <stddef.h>
#include <stdint.h>

#define LP_LIVE_MAX 512 /* room for any text of lp_live_text() */

#define LP_LIVE_NEVER INT64_MAX /* a time: so many are never answered */

/* A moment of a run. Rates in clicks a second, times in us. */
typedef struct {
    double   at;     /* seconds since the beginning; below 0: until it */
    double   length; /* of the plan */
    double   target;
    double   reached;
    double   factor; /* by + and - */
    uint64_t in_flight, waiting, open;
    int64_t  p50, p99; /* of the last second that is finished; -1: none is */
    uint64_t right;    /* from here on: since the beginning */
    uint64_t denied;   /* of those, without a redirect, as it had to be */
    uint64_t errors, missed, retried;
    int64_t  slip_p99;
    int      ending;   /* no more is scheduled */
} lp_moment_t;

typedef enum {
    LP_KEY_NONE = 0,
    LP_KEY_FASTER,
    LP_KEY_SLOWER,
    LP_KEY_END
} lp_key_t;

/* Takes the terminal where there is one: keys come without Enter. plain: a
   line a second whatever there is. */
void lp_live_open(int plain);

/* Gives it back, whoever asks and how often. Safe in a signal's handler. */
void lp_live_close(void);

/* The descriptor that has keys; -1: none has, or we are in the background. */
int lp_live_keys(void);

/* The next key that was pressed and means something. */
lp_key_t lp_live_key(void);

/* Shows a moment. */
void lp_live_show(const lp_moment_t *moment);

/* Empties the line that is drawn anew, so that something else may be said;
   what is shown next comes below. */
void lp_live_clear(void);

/* The line itself. columns: cut there; 0: never. red: for what is wrong.
   Returns its length. */
size_t lp_live_text(char dst[LP_LIVE_MAX], const lp_moment_t *moment,
                    size_t columns, int red);

#endif
