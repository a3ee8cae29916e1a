/*
 * Where the edge and leerpoort-sso ask for keys that they do not have: a
 * datagram socket, whose messages are identifiers of issuers.
 */

#ifndef LP_KEY_REQUESTS_H
#define LP_KEY_REQUESTS_H

#include "../core/span.h"

#define LP_KEY_REQUEST_MAX 512 /* bytes of an issuer's identifier */

/* Listens at path ("unix:" before it is allowed), mode 0660, in place of a
   socket that somebody left there. Returns a descriptor; -1 after lp_say(). */
int lp_key_requests_open(const char *path);

/* Takes what has come, up to a bound, and tells of each. */
void lp_key_requests_take(int fd, void (*ask)(void *owner, lp_span_t issuer),
                          void *owner);

/* Closes it and takes it away; fd -1 is none. */
void lp_key_requests_close(int fd, const char *path);

#endif
