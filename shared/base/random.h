/* Random numbers from the kernel, fetched in blocks. Good for jitter, ids and nonces alike. Not after fork without
 * exec. */
#ifndef SHOAL_SHARED_BASE_RANDOM_H
#define SHOAL_SHARED_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t random_u64(void);
/* Uniform in [0, below); 0 when @below is 0. */
uint64_t random_below(uint64_t below);
/* Uniform in [0, 1). */
double random_unit(void);
void random_fill(void *bytes, size_t len);
/* Writes @len lower-case hex digits and a NUL (@text holds @len + 1). */
void random_hex(char *text, size_t len);

#endif
