/* Discord's permission bits (discord-facts section 10). ALL is every bit, unknown ones too. */
#ifndef SHOAL_PERMISSIONS_H
#define SHOAL_PERMISSIONS_H

#include <stdint.h>

#define SHOAL_PERMISSION_ADMINISTRATOR (UINT64_C(1) << 3)
#define SHOAL_PERMISSION_MANAGE_GUILD  (UINT64_C(1) << 5)

/* Whether @held (as Discord delivers it, overwrites included) covers @needed: an administrator's covers everything. */
static inline int shoal_permissions_cover(uint64_t held, uint64_t needed)
{
	return (held & SHOAL_PERMISSION_ADMINISTRATOR) || (held & needed) == needed;
}

#endif
