/* Our recv() in front of libc's, for this program and the libraries that it loads. Any thread.
 *
 * PQconsumeInput() reads as long as the socket gives anything, into a buffer that grows to whatever the server says is
 * to come: measured, an answer of 1 GB holds the loop for ten seconds and takes that much memory. libpq has no way to
 * bound it, but everything it reads, in clear or for OpenSSL, goes through recv(). So a name of that kind in the
 * program stands before libc's, and while a bound is set in this thread it says EAGAIN when that is used up: what libpq
 * knows as "nothing more for now". Everybody else's calls go straight through. */
#include "shared/db/db_recv.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

#include <postgresql/libpq-fe.h>

/* Declared by hand: <sys/socket.h> may define recv() itself, as a checking one. */
ssize_t recv(int fd, void *bytes, size_t size, int flags);
ssize_t recvfrom(int fd, void *bytes, size_t size, int flags, void *from, unsigned int *from_size);

static _Thread_local struct {
	bool set;
	size_t left;
} bound;

__attribute__((visibility("default"))) ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	ssize_t got;

	if (!bound.set)
		return recvfrom(fd, bytes, size, flags, NULL, NULL);
	if (bound.left == 0) {
		errno = EAGAIN;
		return -1;
	}
	got = recvfrom(fd, bytes, size < bound.left ? size : bound.left, flags, NULL, NULL);
	if (got > 0)
		bound.left -= (size_t)got;
	return got;
}

int db_recv_consume(PGconn *connection, size_t max_bytes, size_t *ret_taken)
{
	int ok;

	bound.set = true;
	bound.left = max_bytes;
	ok = PQconsumeInput(connection);
	*ret_taken = max_bytes - bound.left;
	bound.set = false;
	return ok;
}
