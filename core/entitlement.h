/*
 * Entitlements as people and other parties write them (uuids), and as a right
 * record holds them (22 characters).
 */

#ifndef LP_ENTITLEMENT_H
#define LP_ENTITLEMENT_H

#include "right.h"

#define LP_UUID_LEN 36 /* characters, with the hyphens */

/* Reads a uuid or 22 characters of base64url into dst (LP_ENTITLEMENT_LEN
   characters, no NUL). Returns 0 or -1. */
int lp_entitlement_read(char *dst, const char *text);

/* Writes the uuid and a NUL; returns dst. */
const char *lp_entitlement_uuid(char *dst, const char *entitlement);

#endif
