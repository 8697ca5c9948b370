/* Which boot of the machine this is: CLOCK_BOOTTIME of another boot means nothing. */
#ifndef SHOAL_SHARED_BASE_BOOT_ID_H
#define SHOAL_SHARED_BASE_BOOT_ID_H

#include <stdint.h>

/* A number for the kernel's boot id; 0 when it can't be told. Read once; any thread. */
uint64_t boot_id(void);

#endif
