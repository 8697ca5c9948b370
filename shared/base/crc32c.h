/* CRC-32C (Castagnoli), by the processor's instruction where it has one. For damage, not against an adversary. Any
 * thread. */
#ifndef SHOAL_SHARED_BASE_CRC32C_H
#define SHOAL_SHARED_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from @crc (0 to begin) over @len bytes. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
