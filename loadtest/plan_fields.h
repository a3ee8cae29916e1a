/*
 * The members of a plan that are numbers, as tables: what reads a plan, what
 * writes it, what scales it and the page about it (docs/plans.md) agree about
 * names, bounds and what holds where nothing is said.
 */

#ifndef LP_PLAN_FIELDS_H
#define LP_PLAN_FIELDS_H

#include <stddef.h>

#include "plan.h"

typedef enum {
    LP_FIELD_NUMBER = 0,
    LP_FIELD_OR_NONE,  /* also -1: not asked for */
    LP_FIELD_COUNT,    /* the same, of whole numbers only */
    LP_FIELD_WHOLE     /* an unsigned */
} lp_field_kind_t;

/* What scaling and stretching do with it. */
typedef enum {
    LP_FIELD_STAYS = 0,
    LP_FIELD_RATE,
    LP_FIELD_TIME
} lp_field_grows_t;

/* A row; one without a name ends a table. */
typedef struct {
    const char      *name;
    lp_field_kind_t  kind;
    lp_field_grows_t grows;
    size_t           offset; /* in the plan, the stage, the spike, the fault */
    double           least;
    double           most;
    double           standard; /* where it is absent */
    unsigned         shapes;   /* of a stage: bits of lp_shape_t; else 0 */
} lp_plan_field_t;

typedef struct {
    const char            *name; /* "clicks" */
    const lp_plan_field_t *fields;
} lp_plan_group_t;

/* Ends with a group without a name. */
extern const lp_plan_group_t lp_plan_groups[];

extern const lp_plan_field_t lp_stage_fields[];
extern const lp_plan_field_t lp_spike_fields[];
extern const lp_plan_field_t lp_fault_fields[];

double lp_field_get(const lp_plan_field_t *field, const void *of);
void lp_field_put(const lp_plan_field_t *field, void *of, double value);

/* Whether the value may be there; NaN may not. */
int lp_field_allows(const lp_plan_field_t *field, double value);

/* Whether it has whole numbers only. */
int lp_field_is_whole(const lp_plan_field_t *field);

/* "a number from 0 to 1, or -1" into dst of size bytes. Returns dst. */
const char *lp_field_words(const lp_plan_field_t *field, char *dst,
                           size_t size);

/* Whether a stage of this shape has it. */
int lp_field_of_shape(const lp_plan_field_t *field, lp_shape_t shape);

/*
 * Checks what concerns more than one field: spikes and faults within the
 * length, sums of shares. Returns 0; -1 with the path of what is wrong and
 * why.
 */
typedef struct {
    char path[64];
    char why[192];
} lp_plan_fault_t;

int lp_plan_check(const lp_plan_t *plan, lp_plan_fault_t *fault);

#endif
