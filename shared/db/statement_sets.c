/* One line an owner. Pure; any thread. What stands here is held against the schema by a test: each row must prepare,
 * have the types that it says, and touch one partition or say why not. */
#include "shared/db/statement_sets.h"

#include "shared/base/cleanup.h"
#include "shared/db/statements_core.h"
#include "shared/db/statements_effects.h"
#include "shared/db/statements_outbox.h"
#include "shared/privacy/statements_privacy.h"
#include "shared/schedule/statements_schedule.h"
#include "shared/settings/statements_settings.h"

const struct statement_set *const statement_sets[] = {
	&core_statement_set,    &outbox_statement_set,   &effects_statement_set,
	&privacy_statement_set, &settings_statement_set, &schedule_statement_set,
};
const size_t statement_set_count = ARRAY_SIZE(statement_sets);
