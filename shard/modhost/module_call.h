/* A module's asynchronous call of something that can't be called back (a database, a cache of settings): it is in its
 * scope and completes exactly once. When the scope ends first, the module is told -ECANCELED at once, and the memory
 * goes when the answer comes, which nobody hears. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_MODULE_CALL_H
#define SHOAL_SHARD_MODHOST_MODULE_CALL_H

#include <stddef.h>

#include "shard/events/scope.h"

/* First member of whatever is called for. */
struct module_call {
	struct scope_call call;
	/* Calls the module's function: @error, and @answer of the kind that was asked for (NULL with -ECANCELED). */
	void (*tell)(struct module_call *call, int error, const void *answer);
	bool told;
};

/* A zeroed one of @size bytes, in @scope from now on. -ECANCELED, -ENOBUFS, -ENOMEM. */
int module_call_begin(struct shoal_scope *scope, size_t size,
		      void (*tell)(struct module_call *call, int error, const void *answer), void **ret_call);
/* The answer: tells the module, if nobody has, and frees @call. */
void module_call_settle(struct module_call *call, int error, const void *answer);
/* As if it had never been: the module is not told. */
void module_call_drop(struct module_call *call);

#endif
