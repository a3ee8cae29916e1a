/*
 * An answer as it comes in: an incremental reader of HTTP/1.1 that keeps what
 * the judge has to see and discards the rest. It takes the bytes in any
 * pieces, and says the same whatever the pieces are.
 */

#ifndef LP_LOAD_ANSWER_H
#define LP_LOAD_ANSWER_H

#include "expect.h"

#define LP_ANSWER_HEAD_MAX (64 * 1024)   /* all lines, interim answers' too */
#define LP_ANSWER_BODY_MAX (1024 * 1024) /* as sent, chunks' sizes included */
#define LP_ANSWER_LINE_MAX 1200 /* of a line that is looked at; a longer one
                                   is cut */
#define LP_ANSWER_INTERIM_MAX 8 /* 1xx answers before the answer */

/* lp_answer_t.outcome where the header is absent, twice or unknown. */
#define LP_OUTCOME_NONE LP_OUTCOMES

typedef enum {
    LP_ANSWER_MORE = 0, /* not whole yet */
    LP_ANSWER_WHOLE,
    LP_ANSWER_MALFORMED
} lp_answer_state_t;

typedef struct {
    /* For the judge, once it is whole. */
    unsigned     status;
    lp_outcome_t outcome;      /* or LP_OUTCOME_NONE */
    int          redirects;    /* there is a Location */
    size_t       location_len; /* above LP_LOCATION_KEPT: too long, and only
                                  its first LP_LOCATION_KEPT bytes are here */
    int          headed;       /* the head is whole: a browser goes where it
                                  says, whatever becomes of the body */
    int          keep;         /* the connection may be used again */

    /* The reader's own. */
    uint8_t  stage;
    uint8_t  interim;
    uint8_t  http10;
    uint8_t  seen; /* headers that may come once */
    uint8_t  close;
    uint8_t  keep_alive;
    uint8_t  chunked;
    uint32_t head;  /* bytes of lines until now */
    uint32_t body;  /* bytes of body until now, with its chunks' lines */
    uint32_t left;  /* of the body, of the chunk */
    uint32_t line_len; /* of a line that came in pieces; it may be longer than
                          what is kept of it */
    char     location[LP_LOCATION_KEPT];
    char     line[LP_ANSWER_LINE_MAX];
} lp_answer_t;

/* Must come before the first byte of each answer. */
void lp_answer_start(lp_answer_t *answer);

/*
 * Takes what came. *used: how much of it belonged to the answer; less than len
 * only when it is whole, or malformed.
 */
lp_answer_state_t lp_answer_feed(lp_answer_t *answer, const char *data,
                                 size_t len, size_t *used);

/* The other side has closed: LP_ANSWER_WHOLE for a body that ends so, else
   LP_ANSWER_MORE: the rest will never come. */
lp_answer_state_t lp_answer_close(lp_answer_t *answer);

#endif
