/*
 * A Redis that is only a socket, in the process of the test itself: what the
 * store sends waits there to be read, and what it is to be answered is written
 * before it asks.
 */

#ifndef LP_TEST_WIRE_H
#define LP_TEST_WIRE_H

#include <hiredis/hiredis.h>

#include "../../workers/store.h"

#define WIRE_TIMEOUT_MS 100

typedef struct {
    char         folder[64];
    char         address[96]; /* unix:... */
    int          listener;
    int          link;   /* the connection that was accepted; -1: none */
    redisReader *reader; /* commands are arrays as replies are */
    lp_store_t  *store;
} wire_t;

/* A listener, and a store that may connect to it. */
void wire_open(wire_t *wire, unsigned replicas);

void wire_close(wire_t *wire);

/* For cmocka: each test has a wire of its own, as its state. */
int wire_setup(void **state);
int wire_teardown(void **state);

#define WIRED(test) \
    cmocka_unit_test_setup_teardown(test, wire_setup, wire_teardown)

/* What a setup of its own calls, where a write waits for replicas. */
int wire_begin(void **state, unsigned replicas);

/* Takes the connection that the store has opened. */
void wire_accept(wire_t *wire);

/* Closes it from Redis' side. */
void wire_hang_up(wire_t *wire);

/* What the store will read. */
void wire_answer(wire_t *wire, const char *bytes);

/* The next command that was sent, to be freed; NULL: there is none. */
redisReply *wire_command(wire_t *wire);

/* The value behind a word of a command; NULL: no such word. */
const char *wire_word(const redisReply *command, const char *word);

#endif
