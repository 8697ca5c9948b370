/* SPDX-License-Identifier: MIT */
/* Error numbers beside errno's. A function returns the negative. The values are stable. */
#ifndef SHOAL_ERROR_H
#define SHOAL_ERROR_H

#include <errno.h>

enum shoal_error {
	SHOAL_E_FIRST = 5000,
	SHOAL_EHTTP = SHOAL_E_FIRST, /* an HTTP status that is no success; details beside it */
	SHOAL_EDISCORD,              /* Discord answered with an error code; details beside it */
	SHOAL_EREFUSED,              /* the other side said no for good: repeating changes nothing */
	SHOAL_ERATE,                 /* a rate limit would be exceeded and the deadline does not allow waiting */
	SHOAL_EEXPIRED,              /* the thing's time is over (an interaction, a lease, a grant) */
	SHOAL_EOFFLINE,              /* the feature is off or its server away (NATS, PostgreSQL, supervisor) */
	SHOAL_EDAMAGED,              /* stored bytes fail their check */
	SHOAL_EVERSION,              /* another version than we can speak */
	SHOAL_EUNKNOWN,              /* it may or may not have happened */
	SHOAL_ENOKEY,                /* the key that this is encrypted with, or that would encrypt it, is not there */
	SHOAL_E_LAST,
};

#endif
