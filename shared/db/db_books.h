/* The statements that a database knows, and what is counted of each: sets found by pointer or by name. Loop thread. */
#ifndef SHOAL_SHARED_DB_DB_BOOKS_H
#define SHOAL_SHARED_DB_DB_BOOKS_H

#include "shared/db/db.h"

#define DB_SETS_MAX 64

struct db_book {
	struct db_statement_stats stats;
	uint64_t logged_ns, unlogged; /* its failures in the log */
};

struct db_books {
	struct {
		const struct statement_set *set;
		struct db_book *books; /* one a row; they do not move */
		size_t first;          /* number of its first row among all */
	} sets[DB_SETS_MAX];
	size_t count, total;
};

/* A statement's place. */
struct db_place {
	const char *owner;
	size_t index; /* among all */
	struct db_book *book;
};

/* See db_add_set(). */
int db_books_add(struct db_books *books, const struct statement_set *set);
/* False when @statement is no row of a registered set. */
bool db_books_place(const struct db_books *books, const struct statement *statement, struct db_place *ret_place);
const struct statement *db_books_find(const struct db_books *books, const char *owner, const char *name);
void db_books_each(const struct db_books *books, db_each_fn fn, void *arg);
void db_books_finish(struct db_books *books);

/* One done after @took_us. */
void db_book_done(struct db_book *book, uint64_t took_us);

#endif
