/* The version and commit of this build, kept in one object so that a new commit recompiles one file. */
#include "shared/base/build_id.h"

#ifndef SHOAL_BUILD_ID
#define SHOAL_BUILD_ID "unknown"
#endif

const char shoal_version[] = SHOAL_VERSION;
const char shoal_build_id[] = SHOAL_BUILD_ID;
