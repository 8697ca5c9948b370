/* Words for our error numbers (<shoal/error.h>) and errno's. */
#ifndef SHOAL_SHARED_BASE_ERRORS_H
#define SHOAL_SHARED_BASE_ERRORS_H

#include <shoal/error.h>

/* A short stable name ("ENOENT", "SHOAL_ERATE") and a sentence for people. @error may be negative or positive.
 * Never NULL; static storage. */
const char *error_name(int error);
const char *error_text(int error);
/* The positive number of a name as error_name() gives it; 0 when it is none. */
int error_from_name(const char *name);

#endif
