/* A bound on what libpq may read in one go, for PQconsumeInput() has none: see db_recv.c. */
#ifndef SHOAL_SHARED_DB_DB_RECV_H
#define SHOAL_SHARED_DB_DB_RECV_H

#include <stddef.h>

struct pg_conn;

/* PQconsumeInput() that takes at most @max_bytes off the socket and leaves the rest for the next pass. *ret_taken: how
 * many came. As PQconsumeInput(): 0 when the connection broke. */
int db_recv_consume(struct pg_conn *connection, size_t max_bytes, size_t *ret_taken);

#endif
