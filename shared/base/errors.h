/* Our error numbers beside errno's, and words for both. A function returns the negative. */
#ifndef SHOAL_SHARED_BASE_ERRORS_H
#define SHOAL_SHARED_BASE_ERRORS_H

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
	SHOAL_E_LAST,
};

/* A short stable name ("ENOENT", "SHOAL_ERATE") and a sentence for people. @error may be negative or positive.
 * Never NULL; static storage. */
const char *error_name(int error);
const char *error_text(int error);
/* The positive number of a name as error_name() gives it; 0 when it is none. */
int error_from_name(const char *name);

#endif
