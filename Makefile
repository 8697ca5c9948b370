# shoal: make [all] builds the programs into build/. See `make help`.
SHELL := /bin/bash
, := ,
.DEFAULT_GOAL := all

# --- variants ------------------------------------------------------------------------------------------------------
# make SANITIZE=1 …  builds into build/sanitize with ASan and UBSan;  make CC=clang BUILD=build/clang …  likewise apart.
SANITIZE ?= 0
ifeq ($(SANITIZE),1)
BUILD ?= build/sanitize
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
BUILD ?= build
SANFLAGS :=
endif

VERSION  := 0.1.0
# What a program says it is: changes with every source change, so a rolling upgrade can tell old from new.
BUILD_ID := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

CC      ?= cc
OPT     ?= -O2
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CPPFLAGS += -D_GNU_SOURCE -Iinclude -I. -DSHOAL_VERSION='"$(VERSION)"'
# make KILL_POINTS=1 BUILD=… builds what the chaos campaign runs: processes that die where they are told to.
ifeq ($(KILL_POINTS),1)
CPPFLAGS += -DSHOAL_KILL_POINTS
CHAOS_SRC := $(wildcard tests/chaos/*.c)
endif
ifeq ($(SANITIZE),0)
CPPFLAGS += -D_FORTIFY_SOURCE=2
endif
CFLAGS  += -std=gnu11 $(OPT) -g $(WARN) -fno-common -fPIE -fstack-protector-strong $(SANFLAGS)
LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS)

LIBS_shared     := -luv -lcurl -ljansson -lpq -lnats -lsystemd -llmdb -linih -lsodium -lz -lcrypto -lpthread -lm
LIBS_shoald     := $(LIBS_shared)
LIBS_shoalctl   := $(LIBS_shared)
LIBS_shoal-shard := -lwebsockets -lzstd -lssl $(LIBS_shared)
LIBS_discord-sim := -luv -lssl -lcrypto -lz -lzstd -ljansson -lnghttp2 -lm -lpthread

# --- what is built from what: a folder is a program or a library, a new file needs no new rule ---------------------
# One short line a file; `make V=1` shows whole commands.
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@echo "  $(1) $(2)")

objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
SHARED_SRC := $(wildcard shared/*/*.c)
# Modules that every worker has (shard/modhost/table.c); of the others a .so is made. `make build/modules/NAME.so` makes one
# of any.
LINKED     := $(notdir $(patsubst %/,%,$(filter shard/modules/admin/ shard/modules/remind/ shard/modules/utility/,$(wildcard shard/modules/*/))))
LINKED_SRC := $(foreach name,$(LINKED),$(filter-out shard/modules/$(name)/test_%,$(wildcard shard/modules/$(name)/*.c)))
SHARD_SRC  := $(filter-out shard/main.c shard/modules/%,$(wildcard shard/*.c shard/*/*.c shard/*/*/*.c)) $(LINKED_SRC)
SUPER_SRC  := $(filter-out supervisor/main.c,$(wildcard supervisor/*.c))
CTL_SRC    := $(filter-out supervisor/ctl/main.c,$(wildcard supervisor/ctl/*.c))
SIM_SRC    := $(filter-out tests/sim/main.c,$(wildcard tests/sim/*.c))

PROGRAMS := $(addprefix $(BUILD)/,\
	$(if $(wildcard supervisor/main.c),shoald) $(if $(wildcard supervisor/ctl/main.c),shoalctl) \
	$(if $(wildcard shard/main.c),shoal-shard) $(if $(wildcard tests/sim/main.c),discord-sim))

# A folder of shard/modules/ is a module: NAME.so of all its files but test_*.c, and a test program of each of those.
MODULES     := $(patsubst shard/modules/%/,$(BUILD)/modules/%.so,\
	$(filter-out $(patsubst %,shard/modules/%/,$(LINKED)),$(wildcard shard/modules/*/)))
MODULE_TEST := $(wildcard shard/modules/*/test_*.c)

MODULE_TESTS := $(patsubst %.c,$(BUILD)/tests/modules/%,$(notdir $(MODULE_TEST)))

UNIT_SRC  := $(wildcard tests/unit/test_*.c)
UNIT_BIN  := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRC)) \
	$(MODULE_TESTS)
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(BENCH_SRC))

all: $(PROGRAMS) $(MODULES) ## build the programs and modules

$(BUILD)/libshoal.a: $(call objs,$(SHARED_SRC))
$(BUILD)/libshard.a: $(call objs,$(SHARD_SRC))
$(BUILD)/libsupervisor.a: $(call objs,$(SUPER_SRC))
$(BUILD)/libctl.a: $(call objs,$(CTL_SRC))
$(BUILD)/libsim.a: $(call objs,$(SIM_SRC))
$(BUILD)/lib%.a:
	@rm -f $@
	@ar rcs $@ $^

link = $(Q)echo "  LD $@"; mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)
$(BUILD)/shoald: $(BUILD)/obj/supervisor/main.o $(BUILD)/libsupervisor.a $(BUILD)/libshoal.a
	$(link) $(LIBS_shoald)
$(BUILD)/shoalctl: $(BUILD)/obj/supervisor/ctl/main.o $(BUILD)/libctl.a $(BUILD)/libshoal.a
	$(link) $(LIBS_shoalctl)
ifeq ($(KILL_POINTS),1)
$(BUILD)/shoal-shard: LDFLAGS += -Wl,--wrap=curl_multi_add_handle
endif
$(BUILD)/shoal-shard: $(BUILD)/obj/shard/main.o $(call objs,$(CHAOS_SRC)) $(BUILD)/libshard.a $(BUILD)/libshoal.a
	$(link) $(LIBS_shoal-shard)
$(BUILD)/discord-sim: $(BUILD)/obj/tests/sim/main.o $(BUILD)/libsim.a
	$(link) $(LIBS_discord-sim)

# A worker that certain words kill, for tests of dead letters.
POISON := $(BUILD)/tests/poison/shoal-shard
POISON_WRAPS := decode_event ticket_identify culprit_enter cache_apply journal_conclude journal_get
$(POISON): LDFLAGS += $(addprefix -Wl$(,)--wrap=,$(POISON_WRAPS))
$(POISON): $(BUILD)/obj/shard/main.o $(BUILD)/obj/tests/poison/poison.o $(BUILD)/libshard.a $(BUILD)/libshoal.a
	$(link) $(LIBS_shoal-shard)

# The build id lives in one object, so that a new commit recompiles one file and not all.
$(BUILD)/obj/shared/base/build_id.o: CPPFLAGS += -DSHOAL_BUILD_ID='"$(BUILD_ID)"'
$(BUILD)/obj/shared/base/build_id.o: $(BUILD)/build_id.stamp
$(BUILD)/build_id.stamp: FORCE
	@mkdir -p $(@D); echo '$(BUILD_ID)' | cmp -s - $@ || echo '$(BUILD_ID)' > $@

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# A unit test may reach into every room: it links them all and takes what it needs.
$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libsupervisor.a $(BUILD)/libctl.a $(BUILD)/libshard.a $(BUILD)/libshoal.a
	$(link) $(LIBS_shoal-shard) -lcmocka
# The one in which every allocation is made to fail.
$(BUILD)/tests/unit/test_alloc: LDFLAGS += $(addprefix -Wl$(,)--wrap=,malloc calloc realloc strdup free)
# The one whose worker has no outside.
$(BUILD)/tests/unit/test_every_call: LDFLAGS += $(addprefix -Wl$(,)--wrap=,rest_send rest_cancel db_is_on db_query outbox_write \
	outbox_pending settings_get settings_set bus_is_on bus_subscribe bus_unsubscribe control_link_request)
# A module sees the public contract and libc, and nothing of ours is linked into it.
MODULE_FLAGS := -fPIC -fvisibility=hidden -shared -Wl,-z,relro,-z,now,--as-needed $(if $(SANFLAGS),,-Wl$(,)--no-undefined)
.SECONDEXPANSION:
$(BUILD)/modules/%.so: $$(filter-out shard/modules/$$*/test_%.c,$$(wildcard shard/modules/$$*/*.c)) \
		$$(wildcard shard/modules/$$*/*.h) $(wildcard include/shoal/*.h)
	@mkdir -p $(@D)
	$(call say,SO,$@)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(CFLAGS)) $(MODULE_FLAGS) -o $@ $(filter %.c,$^)
$(BUILD)/tests/modules/test_%: $$(wildcard shard/modules/*/test_%.c) $$(wildcard shard/modules/*/*.[ch]) \
		$(wildcard include/shoal/*.h)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -pie $(SANFLAGS) -o $@ $(firstword $(filter %/test_$*.c,$^)) -lcmocka
$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libshard.a $(BUILD)/libshoal.a
	$(link) $(LIBS_shoal-shard)

.PHONY: all help deps run test unit modules chaos chaos-programs chaos-workers chaos-writes chaos-cluster bench lint fuzz fuzz-short fuzz-bins fuzz-parts \
	install clean FORCE
.SECONDARY:

unit-bins: $(UNIT_BIN)
bench-bins: $(BENCH_BIN)

# --- set up, run, test (deploy/local, tests/run) -------------------------------------------------------------------
PYTHON := /usr/bin/python3
# What is up to date need not be said.
QUIET = $(if $(filter 1,$(V)),,-s)
# A fresh clone is built by all processors, unless make was told how many.
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
# Programs that the suite starts; only what is there yet.
TEST_PROGRAMS = $(PROGRAMS) $(MODULES) $(POISON) $(UNIT_BIN) $(if $(FUZZ_CC),$(FUZZ_BIN))

deps: ## install missing Debian packages (deploy/packages.txt)
	@deploy/local/deps.sh

run: ## a fleet here: private PostgreSQL and nats-server, discord-sim unless DISCORD_TOKEN is set
	@deploy/local/deps.sh build run
	@$(MAKE) $(QUIET) $(PARALLEL) --no-print-directory all
	@exec $(PYTHON) deploy/local/run.py --build $(BUILD)

test: ## every test; the last line says how many passed (SANITIZE=1: under ASan and UBSan; ONLY=word: some)
	@deploy/local/deps.sh build run test
	@$(MAKE) $(QUIET) $(PARALLEL) --no-print-directory $(TEST_PROGRAMS)
	@$(MAKE) --no-print-directory chaos-programs
	@exec $(PYTHON) tests/run --build $(BUILD) $(if $(filter 1,$(SANITIZE)),--sanitize) $(ONLY)

unit: ## the unit tests alone
	@$(MAKE) $(QUIET) $(PARALLEL) --no-print-directory $(UNIT_BIN)
	@exec $(PYTHON) tests/run --build $(BUILD) $(if $(filter 1,$(SANITIZE)),--sanitize) unit/

modules: $(MODULES) $(MODULE_TESTS) ## the modules alone, and their own tests
	@exec $(PYTHON) tests/run --build $(BUILD) $(if $(filter 1,$(SANITIZE)),--sanitize) modules/

bench: ## figures beside other libraries' and the bare parts' (tests/bench/run; BENCH_QUICK=1: fewer; ONLY=part)
	@deploy/local/deps.sh build run bench
	@$(MAKE) $(PARALLEL) --no-print-directory $(PROGRAMS) $(addprefix $(BUILD)/tests/bench/,bench_inflate bench_db bench_outbox bench_commands)
	@exec $(PYTHON) tests/bench/run --build $(BUILD) $(ONLY)

# --- fuzzing -------------------------------------------------------------------------------------------------------
# Each tests/fuzz/fuzz_x.c is a libFuzzer program over all that is ours, all of it instrumented.
FUZZ_CC := $(firstword $(foreach c,clang-16 clang-19 clang,$(shell command -v $(c))))
FUZZ_LIB := build/fuzz-lib
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))
FUZZ_SECONDS ?= 60
FUZZ_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_MAKE = $(MAKE) $(PARALLEL) --no-print-directory CC=$(FUZZ_CC) BUILD=$(FUZZ_LIB) SANITIZE=1 OPT=-O1 \
	SANFLAGS='-fsanitize=fuzzer-no-link $(FUZZ_FLAGS)'

fuzz-bins: $(FUZZ_BIN)
fuzz-parts: FORCE
	$(if $(FUZZ_CC),,$(error fuzzing needs clang with libFuzzer: make deps, or install clang-16 and libclang-rt-16-dev))
	+@$(FUZZ_MAKE) $(patsubst %.c,$(FUZZ_LIB)/obj/%.o,$(FUZZ_SRC)) $(FUZZ_LIB)/libsupervisor.a $(FUZZ_LIB)/libshard.a $(FUZZ_LIB)/libshoal.a
# The inner make knows how these are made; here they only come after it.
ifneq ($(BUILD),$(FUZZ_LIB))
$(patsubst %.c,$(FUZZ_LIB)/obj/%.o,$(FUZZ_SRC)) $(FUZZ_LIB)/libsupervisor.a $(FUZZ_LIB)/libshard.a $(FUZZ_LIB)/libshoal.a: fuzz-parts ;
endif
$(BUILD)/fuzz/%: $(FUZZ_LIB)/obj/tests/fuzz/%.o $(FUZZ_LIB)/libsupervisor.a $(FUZZ_LIB)/libshard.a $(FUZZ_LIB)/libshoal.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer $(FUZZ_FLAGS) -pie -o $@ $^ $(LIBS_shoal-shard)

fuzz: fuzz-bins ## every decoder of foreign bytes, FUZZ_SECONDS=60 each
	@tests/fuzz/run.sh $(BUILD)/fuzz $(FUZZ_SECONDS)

fuzz-short: ## the same, 5 s each
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=5

# --- lint and install ----------------------------------------------------------------------------------------------
lint: ## format, include rules, self-contained headers, cppcheck, and a clean build by clang
	@deploy/local/deps.sh build test lint
	@tests/lint.sh
	@$(MAKE) $(PARALLEL) --no-print-directory -k CC=$(FUZZ_CC) BUILD=build/clang all unit-bins bench-bins >build/clang.log 2>&1 || \
		{ grep -E 'error|warning' build/clang.log | head -20; echo "lint: the build by $(FUZZ_CC) is not clean: build/clang.log"; exit 1; }
	@echo "lint: clean"

# Programs together (shoald finds its worker beside itself), the contract for module authors, migrations, the sample, and
# what systemd wants: with PREFIX /usr or /usr/local it finds all three by itself.
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
INSTALL    ?= install
SYSTEMD    := lib/systemd/system/shoald.service lib/sysusers.d/shoal.conf lib/tmpfiles.d/shoal.conf
PLACES     := sed -e 's|@BINDIR@|$(PREFIX)/bin|g' -e 's|@CONFDIR@|$(SYSCONFDIR)/shoal|g' \
	-e 's|@DOCDIR@|$(PREFIX)/share/doc/shoal|g'

install: ## programs, headers, migrations, sample configuration, systemd unit (PREFIX=/usr/local, DESTDIR=)
	@$(MAKE) $(PARALLEL) --no-print-directory all
	$(INSTALL) -d $(addprefix $(DESTDIR)$(PREFIX)/,bin include/shoal share/shoal share/doc/shoal) $(DESTDIR)$(SYSCONFDIR)/shoal
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin/
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/lib/shoal/modules
	$(INSTALL) -m 644 $(MODULES) $(DESTDIR)$(PREFIX)/lib/shoal/modules/
	$(INSTALL) -m 644 $(wildcard include/shoal/*.h) $(DESTDIR)$(PREFIX)/include/shoal/
	@for owner in $(wildcard sql/*); do \
		$(INSTALL) -d $(DESTDIR)$(PREFIX)/share/shoal/$$owner && \
		$(INSTALL) -m 644 $$owner/*.sql $(DESTDIR)$(PREFIX)/share/shoal/$$owner/ || exit 1; done
	$(INSTALL) -m 644 README.md ARCHITECTURE.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/shoal/
	$(INSTALL) -m 644 shard/modules/README.md $(DESTDIR)$(PREFIX)/share/doc/shoal/MODULES.md
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' deploy/shoal.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/shoal.pc
	$(INSTALL) -m 644 deploy/shoal.ini.sample $(DESTDIR)$(SYSCONFDIR)/shoal/
	$(INSTALL) -d $(addprefix $(DESTDIR)$(PREFIX)/,$(dir $(SYSTEMD)))
	@set -e; for pair in $(join $(addsuffix :,deploy/shoald.service deploy/shoal.sysusers deploy/shoal.tmpfiles),$(SYSTEMD)); do \
		to=$(DESTDIR)$(PREFIX)/$${pair#*:}; $(PLACES) "$${pair%%:*}" >"$$to.new"; chmod 644 "$$to.new"; \
		mv "$$to.new" "$$to"; done

# A worker of its own, which dies where it is told to (tests/chaos), and all that it needs beside it.
CHAOS_BUILD = $(BUILD)/chaos
chaos-programs:
	@$(MAKE) $(QUIET) $(PARALLEL) --no-print-directory KILL_POINTS=1 BUILD=$(CHAOS_BUILD) all

CHAOS ?=
chaos: ## everything that kills, in turn: chaos-workers, then chaos-cluster
	@$(MAKE) --no-print-directory chaos-workers; workers=$$?; \
		$(MAKE) --no-print-directory chaos-cluster && exit $$workers
chaos-workers: ## workers killed at random and at named places, links and requests broken (SEED=N repeats one, CHAOS=--help)
	@deploy/local/deps.sh build run test
	@$(MAKE) --no-print-directory chaos-programs
	@exec $(PYTHON) tests/chaos/run --build $(CHAOS_BUILD) $(if $(SEED),--seed $(SEED)) $(CHAOS)
chaos-cluster: ## PostgreSQL clusters under write load: Patroni, etcd, pgbouncer; failovers; pgbackrest's way back
	@deploy/local/deps.sh build run test chaos
	@$(MAKE) $(PARALLEL) --no-print-directory all
	@rm -f $(BUILD)/chaos-cluster.txt; SHOAL_TEST_BUILD=$(BUILD) SHOAL_TEST_REQUIRE=1 \
		CHAOS_REPORT=$(CURDIR)/$(BUILD)/chaos-cluster.txt \
		$(PYTHON) -B -m pytest -q -rs --tb=short -p no:cacheprovider tests/chaos/cluster; \
		status=$$?; cat $(BUILD)/chaos-cluster.txt; exit $$status

WRITE_KILLS ?= 200
chaos: chaos-writes
chaos-writes: ## writes while PostgreSQL's connections, the server, workers and the supervisor are killed (WRITE_KILLS=N, SEED=N)
	@deploy/local/deps.sh build run test
	@$(MAKE) $(PARALLEL) --no-print-directory all $(BUILD)/tests/unit/test_outbox $(BUILD)/tests/unit/test_outbox_file
	@rm -f $(BUILD)/chaos-writes.txt; CHAOS_KILLS=$(WRITE_KILLS) CHAOS_SEED=$(SEED) \
		CHAOS_REPORT=$(CURDIR)/$(BUILD)/chaos-writes.txt \
		$(PYTHON) tests/run --build $(BUILD) test_outbox; status=$$?; cat $(BUILD)/chaos-writes.txt; exit $$status

clean: ## remove build/
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort | expand -t 12

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
