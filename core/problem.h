/*
 * What a page for people can be about: how a click ended, or why a sign-in or
 * a launch did not work. One value for each, with its status, its texts in two
 * languages (what happened, what to do, whom to ask), and a sentence for the
 * operator who looks a support code up. The numbers are part of support codes
 * that people wrote down: new ones go at the end.
 */

#ifndef LP_PROBLEM_H
#define LP_PROBLEM_H

#include "language.h"
#include "outcome.h"

typedef enum {
    /* 0 to 31: an lp_outcome_t as it is */
    LP_PROBLEM_NO_COOKIES = 32, /* the browser kept none: can't sign in */
    LP_PROBLEM_SIGN_IN_OLD,     /* state unknown, used or too old */
    LP_PROBLEM_SIGN_IN_OTHER,   /* begun in another browser */
    LP_PROBLEM_SIGN_IN_REFUSED, /* the provider says no (error=...) */
    LP_PROBLEM_SIGN_IN_WRONG,   /* what the provider sent is not right */
    LP_PROBLEM_PROVIDER_DOWN,   /* it did not answer, late, or an error */
    LP_PROBLEM_BUSY,            /* too many sign-ins at once: try again */
    LP_PROBLEM_UNKNOWN_SCHOOL,  /* the school is not known here */
    LP_PROBLEM_NOBODY,          /* the provider named nobody that we can use */
    LP_PROBLEM_SESSION_EXPIRED,
    LP_PROBLEM_BAD_RETURN,      /* the way back leads elsewhere */
    LP_PROBLEM_UNKNOWN_PROVIDER,
    LP_PROBLEM_LAUNCH_OLD,      /* LTI: state or nonce unknown, used, old */
    LP_PROBLEM_LAUNCH_OTHER,    /* ... begun in another browser */
    LP_PROBLEM_LAUNCH_WRONG,    /* ... a claim is missing or wrong */
    LP_PROBLEM_LAUNCH_UNKNOWN,  /* ... platform or deployment not registered */
    LP_PROBLEM_LAUNCH_NO_BOOK,  /* ... it names no product */
    LP_PROBLEM_TEACHERS_ONLY,   /* Deep Linking by somebody who teaches not */
    LP_PROBLEM_LINK_OLD,        /* an account link's way in was used, is old */
    LP_PROBLEM_BAD_FORM,        /* a form that is not ours, or incomplete */
    LP_PROBLEM_NOT_FOUND,       /* nothing at this address */
    LP_PROBLEM_OFF,             /* the page exists, and is not configured */
    LP_PROBLEM_TOO_LONG,        /* more header fields than nginx takes */
    LP_PROBLEMS
} lp_problem_t;

static inline lp_problem_t
lp_problem_of(lp_outcome_t outcome)
{
    return (lp_problem_t) outcome;
}

/* Between the outcomes and the others there are numbers that mean nothing. */
int lp_problem_exists(unsigned number);

/* "no-right", "sign-in-old": for logs, and for people who search. */
const char *lp_problem_name(lp_problem_t problem);

/* The HTTP status of its page. */
unsigned lp_problem_status(lp_problem_t problem);

typedef struct {
    const char *title;  /* one line */
    const char *what;   /* what happened; a sentence or two, no markup */
    const char *todo;   /* what the reader can do */
    const char *ask;    /* whom to ask; NULL: nobody */
} lp_problem_text_t;

const lp_problem_text_t *lp_problem_text(lp_problem_t problem,
                                         lp_language_t language);

/* The number in Edu-V's {"status", "statusMessage"}. */
unsigned lp_problem_eduv(lp_problem_t problem);

/* 1 where trying again by itself may help: unavailable, busy, down. */
int lp_problem_passes(lp_problem_t problem);

/* For an operator, in English: what it means and what to look at. */
const char *lp_problem_advice(lp_problem_t problem);

#endif
