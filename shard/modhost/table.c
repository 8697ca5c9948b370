/* The list of linked-in modules. Pure. */
#include "shard/modhost/table.h"

#include "shard/modhost/api.h"
#include "shared/base/cleanup.h"

/* For modules that are linked in. Here and not beside the table itself: their own weak definition would satisfy the
 * linker, and the archive's member that holds the real one would be left out. */
const struct shoal_api *shoal_api_table = &api_table;

static const struct shoal_module *const own[] = {
	&shoal_module_core,
	&shoal_module_admin,
	&shoal_module_remind,
	&shoal_module_utility,
};

const struct shoal_module *table_module(size_t i)
{
	const struct shoal_module *const *extra = shoal_extra_modules;

	if (i < ARRAY_SIZE(own))
		return own[i];
	if (!extra)
		return NULL;
	for (i -= ARRAY_SIZE(own); *extra && i > 0; i--)
		extra++;
	return *extra;
}
