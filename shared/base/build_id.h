/* What this program is: its version and the commit it was built from. */
#ifndef SHOAL_SHARED_BASE_BUILD_ID_H
#define SHOAL_SHARED_BASE_BUILD_ID_H

extern const char shoal_version[];  /* "0.1.0" */
extern const char shoal_build_id[]; /* 12 hex digits, or "unknown" */

#endif
