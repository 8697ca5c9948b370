/* Jobs that wait, in their order. Loop thread. */
#ifndef SHOAL_SHARED_DB_DB_QUEUE_H
#define SHOAL_SHARED_DB_DB_QUEUE_H

#include "shared/db/db_job.h"

/* Embedded, zeroed before use; linked by the jobs' own `next`. */
struct db_queue {
	struct db_job *first, *last;
	size_t count;
};

void db_queue_push(struct db_queue *queue, struct db_job *job);
void db_queue_push_front(struct db_queue *queue, struct db_job *job);
/* NULL when it is empty. */
struct db_job *db_queue_pop(struct db_queue *queue);

#endif
