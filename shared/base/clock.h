/* Time, with the kinds kept apart: intervals never use the wall clock. */
#ifndef SHOAL_SHARED_BASE_CLOCK_H
#define SHOAL_SHARED_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL

/* CLOCK_MONOTONIC: intervals within one machine's run. The same for every process. Never 0. */
uint64_t clock_monotonic_ns(void);
/* CLOCK_BOOTTIME: like monotonic but counts suspend: deadlines that others rely on (leases, identify windows). */
uint64_t clock_boottime_ns(void);
/* CLOCK_REALTIME in milliseconds since 1970: for people and for protocols, never for intervals. */
int64_t clock_wall_ms(void);
/* CPU time of this process, user + system. */
uint64_t clock_cpu_ns(void);

/* Writes "2026-08-04T16:20:01.123Z" (25 bytes with NUL). Returns @text. */
#define CLOCK_ISO_SIZE 25
char *clock_format_iso(int64_t wall_ms, char text[CLOCK_ISO_SIZE]);

/* Tests only: replaces the monotonic and boottime clocks with @fake (NULL: the real ones again). */
void clock_set_fake(const uint64_t *fake_ns);

#endif
