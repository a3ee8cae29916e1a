/*
 * What the files of the verdict share: whether a run can say anything, and the
 * sentence that says it. lp_result_conclude() and lp_result_hopeless() are in
 * result.h.
 */

#ifndef LP_LOAD_VERDICT_H
#define LP_LOAD_VERDICT_H

#include "result.h"

/* Why a run says nothing about the target. The first that holds counts. */
typedef enum {
    LP_DOUBT_NONE = 0,
    LP_DOUBT_TROUBLE,  /* an engine could not go on, a shard is lacking */
    LP_DOUBT_NO_CLICK,
    LP_DOUBT_SLIP,     /* the tool was late */
    LP_DOUBT_MISSED,   /* the tool was too late */
    LP_DOUBT_LOST      /* clicks without an end: a fault of this tool */
} lp_doubt_t;

lp_doubt_t lp_doubt_of(const lp_result_t *result);

/* The tool's own lateness, p99. */
double lp_slip_ms(const lp_result_t *result);

/* Writes conclusion.sentence from the rest of the conclusion
   (verdict_words.c). */
void lp_conclusion_sentence(lp_result_t *result);

/* A check's value or limit as people read it: "12 ms", "0.1 %", "3". Returns
   dst. */
#define LP_AMOUNT_MAX 48
const char *lp_check_amount(char dst[LP_AMOUNT_MAX], const char *name,
                            double value);

#endif
