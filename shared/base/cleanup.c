/* Destructors for CLEANUP() on things that are no module's own: heap pointers and descriptors.
 * Any thread. Must not change errno: they run on the way out of functions that have just failed. */
#include "shared/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void cleanup_free(void *ptr_to_ptr)
{
	void **ptr = ptr_to_ptr;
	int saved = errno;

	free(*ptr);
	*ptr = NULL;
	errno = saved;
}

void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
