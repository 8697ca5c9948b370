/* The module host: which modules there are, and what is made of their rows. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_MODHOST_H
#define SHOAL_SHARD_MODHOST_MODHOST_H

/* Takes up the rows of all modules (registry.h). Once a process, before anything asks for a command. */
void modhost_load(void);

#endif
