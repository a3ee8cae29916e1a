/*
 * Whether a target that speaks TLS will be believed, asked once before anything
 * begins: a certificate that no click would trust is no finding of a rehearsal.
 */

#ifndef LP_LOAD_HANDSHAKE_H
#define LP_LOAD_HANDSHAKE_H

#include "engine.h"

/*
 * One connection and handshake, as an engine does it, of a few seconds at most.
 * LP_USAGE, after lp_say(), where the CA file can't be read, the certificate
 * does not verify, or what answers speaks no TLS. Else LP_YES: a target that is
 * silent, hangs up or is gone is sick, and may be rehearsed.
 */
int lp_handshake_try(const lp_aim_t *aim);

#endif
