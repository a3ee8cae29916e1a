/*
 * What a receiver's answers mean. For receiver.c alone.
 */

#ifndef LP_RECEIVER_ANSWER_H
#define LP_RECEIVER_ANSWER_H

#include "receiver.h"

/* lp_http_done_t of a token request (owner: the receiver) and of a message
   (owner: the parcel). */
void lp_receiver_on_token(void *owner, const lp_http_reply_t *reply);
void lp_receiver_on_answer(void *owner, const lp_http_reply_t *reply);

/* Nothing new is sent in this round, and a pause follows: "<what><why>". */
void lp_receiver_fail(lp_receiver_t *receiver, const char *what,
                      const char *why);

/* This message is for the dead letters. */
void lp_parcel_refuse(lp_parcel_t *parcel, const char *reason);

#endif
