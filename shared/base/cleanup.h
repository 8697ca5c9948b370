/* Scope-bound ownership: what a function holds is freed on every return but the one that hands it on. */
#ifndef SHOAL_SHARED_BASE_CLEANUP_H
#define SHOAL_SHARED_BASE_CLEANUP_H

/* Calls @fn with the variable's address when its scope ends. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Yields the pointer and clears the variable, so that its cleanup finds nothing. */
#define TAKE(ptr)                                         \
	({                                                \
		__typeof__(ptr) *take_ptr_ = &(ptr);      \
		__typeof__(ptr) take_value_ = *take_ptr_; \
		*take_ptr_ = NULL;                        \
		take_value_;                              \
	})

/* Like TAKE for a descriptor: yields it and leaves -1. */
#define TAKE_FD(fd)                          \
	({                                   \
		int *take_fd_ = &(fd);       \
		int take_value_ = *take_fd_; \
		*take_fd_ = -1;              \
		take_value_;                 \
	})

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - __builtin_offsetof(type, member)))
#define PRINTF_LIKE(fmt, args)          __attribute__((format(printf, fmt, args)))

/* For CLEANUP on heap pointers and descriptors. NULL and -1 are nothing to do. errno is kept. */
void cleanup_free(void *ptr_to_ptr);
void cleanup_close(int *fd);

#endif
