/*
 * Members that the providers of sso.json and the platforms of lti.json have in
 * common: titles, algorithms, and which claims hold whom.
 */

#ifndef LP_MAPPING_FILE_H
#define LP_MAPPING_FILE_H

#include "../core/alg.h"
#include "../core/language.h"
#include "../workers/conf_members.h"
#include "who.h"

/* Each reads from an object that lp_conf_read() has looked at. 0; -1, and the
   reason says what is wrong. */

/* "title": a text, or {"nl": ..., "en": ...}; absent: otherwise. */
int lp_conf_title(lp_conf_t *conf, const json_t *object,
                  lp_span_t title[LP_LANGUAGES], lp_span_t otherwise);

/* "algorithms": names of asymmetric ones; absent: otherwise. */
int lp_conf_algorithms(lp_conf_t *conf, const json_t *object, lp_algs_t *algs,
                       lp_alg_t otherwise);

/* "users", "schools", "employees"; not "school". */
int lp_conf_mapping(lp_conf_t *conf, const json_t *object,
                    lp_mapping_t *mapping);

#endif
