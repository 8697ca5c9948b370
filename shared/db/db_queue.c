/* A list of jobs with both its ends. Pure. */
#include "shared/db/db_queue.h"

void db_queue_push(struct db_queue *queue, struct db_job *job)
{
	job->next = NULL;
	if (queue->last)
		queue->last->next = job;
	else
		queue->first = job;
	queue->last = job;
	queue->count++;
}

void db_queue_push_front(struct db_queue *queue, struct db_job *job)
{
	job->next = queue->first;
	queue->first = job;
	if (!queue->last)
		queue->last = job;
	queue->count++;
}

struct db_job *db_queue_pop(struct db_queue *queue)
{
	struct db_job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->last = NULL;
	queue->count--;
	job->next = NULL;
	return job;
}
