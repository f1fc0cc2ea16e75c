# SPDX-License-Identifier: GPL-2.0-or-later
#
#	make                    build/drey
#	make demo               a guided tour on a fleet of two real hosts
#	make check              every test; installs what it needs from Debian
#	make check-SUITE        one of unit golden fuzz examples race docs e2e traps
#	make check-engines      what depends on the engine's age, on each that Debian has
#	make check-crash        every fault at every request of every change; CASE=image:kill-after:14 for one
#	make check-asan         the tests with AddressSanitizer and UBSan
#	make check-valgrind     the unit tests under valgrind
#	make check-tsan         the programs of tests/race with ThreadSanitizer
#	make fuzz               FUZZ_SECONDS=30 for each fuzzer
#	make bench              how fast, beside how fast it could be
#	make lint               format, layers, sizes, headers, shellcheck, cppcheck, clang-tidy
#	make docs               write docs/reference from the tables
#	make golden-update      take what the commands print now for right
#	make coverage           lines that the unit tests reach, by folder
#	make install            PREFIX=/usr/local DESTDIR=
#	make clean
#
# BUILD=DIR builds elsewhere, V=1 shows the commands.

BUILD ?= build
VERSION := $(shell cat .version 2>/dev/null || echo 0.1.0)
ifeq ($(origin CC),default)
CC = gcc
endif
CLANG ?= clang
PREFIX ?= /usr/local
DESTDIR ?=
PKGS = yaml-0.1 libcurl jansson libssh sqlite3 libgit2 libzstd libcrypto

# maybe-uninitialized can't know that error_set() always returns -1; clang-tidy looks deeper.
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wformat=2 -Wno-missing-field-initializers \
	-Wno-maybe-uninitialized
OPT ?= -O2 -g
CFLAGS ?= $(OPT) -D_FORTIFY_SOURCE=2 -fstack-protector-strong
WERROR ?= -Werror
SANITIZE ?=
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
BASE_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DDREY_VERSION='"$(VERSION)"' -I. \
	-I$(BUILD)/include $(WARN) $(PKG_CFLAGS)
ALL_CFLAGS = $(BASE_CFLAGS) $(WERROR) $(CFLAGS) $(SANITIZE) -pthread
# libarchive from its archive: only what reads tar is taken in. The shared one brings libxml2 and
# ICU along, which cost each start 10 ms and 2.5 MB.
LIBS = -l:libarchive.a -Wl,--as-needed $(PKG_LIBS) -linotifytools -pthread -lm

MAIN = controller/main.c
SRC = $(sort $(filter-out $(MAIN),$(wildcard controller/*.c controller/*/*.c manifests/*.c \
	reconcilers/*.c)))
OBJ = $(SRC:%.c=$(BUILD)/obj/%.o)
HEADERS = $(sort $(wildcard controller/*.h controller/*/*.h manifests/*.h reconcilers/*.h))
UNIT_SRC = $(sort $(wildcard tests/unit/*.c tests/unit/*/*.c tests/unit/*/*/*.c))
UNIT_OBJ = $(UNIT_SRC:%.c=$(BUILD)/obj/%.o)
FUZZ_SRC = $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_REPLAY = $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/replay/%)
RACE_SRC = $(sort $(wildcard tests/race/*.c))
RACE = $(RACE_SRC:tests/race/%.c=$(BUILD)/race/%)
BENCH_SRC = $(sort $(wildcard tests/bench/*.c))
BENCH = $(BENCH_SRC:tests/bench/%.c=$(BUILD)/bench/%)
GENERATED = $(BUILD)/include/kinds.inc $(BUILD)/include/commands.inc

# V=1 shows the commands themselves.
ifeq ($(V),1)
Q =
say = @:
else
Q = @
say = @printf '%-7s %s\n' $(1) '$(2)'
MAKEFLAGS += --no-print-directory
endif

.PHONY: all
all: $(BUILD)/drey

$(BUILD)/drey: $(BUILD)/obj/controller/main.o $(BUILD)/libdrey.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libdrey.a: $(OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.c | $(GENERATED)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The lists of kinds and of commands are the lists of files that define one: a new kind or command
# is one file. Made at each run, since a file may have gone; written only when they change.
$(BUILD)/include/kinds.inc: FORCE
	@mkdir -p $(@D)
	@sed -n 's/^const struct reconciler \(reconciler_[a-z_]*\) = .*/KIND(\1)/p' \
		$(sort $(wildcard reconcilers/*.c)) /dev/null > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/include/commands.inc: FORCE
	@mkdir -p $(@D)
	@sed -n 's/^const struct command \(command_[a-z_]*\) = .*/COMMAND(\1)/p' \
		$(sort $(wildcard controller/cli/*.c)) > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

.PHONY: FORCE
FORCE:

# Objects of tests, fuzzers and benchmarks stay for the next time.
.SECONDARY:

-include $(OBJ:.o=.d) $(UNIT_OBJ:.o=.d) $(BUILD)/obj/controller/main.d \
	$(wildcard $(BUILD)/obj/tests/*/*.d)

$(BUILD)/unit: $(UNIT_OBJ) $(BUILD)/libdrey.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lcriterion

# ---- tests ----------------------------------------------------------------------------------------

TALLY = tests/support/tally
RESULTS = $(BUILD)/results
JOBS ?= $(shell nproc)
# A parallel make hands its jobs on by itself.
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

# Everything the tests need, installed where it is missing; needs root only then.
.PHONY: deps
deps:
	@tests/support/install build test

SUITES = unit golden fuzz examples race docs e2e traps

# The build goes first and as wide as the machine, then the suites one after the other: they
# raise fleets and measure times. The last line is the sum of all.
.PHONY: check
check: deps
	@rm -rf $(RESULTS)
	@$(TALLY) run $(RESULTS) build $(MAKE) $(PARALLEL) check-build && \
		$(MAKE) -j1 -k $(SUITES:%=check-%) TALLIED=1; \
		$(TALLY) sum $(RESULTS)

.PHONY: check-build
check-build: $(BUILD)/drey $(BUILD)/unit $(FUZZ_REPLAY) $(RACE)

# Within `make check` each suite's count is noted for the sum.
tallied = $(if $(TALLIED),$(TALLY) run $(RESULTS) $(1) )

.PHONY: check-unit check-golden check-fuzz check-examples check-race check-docs check-e2e check-traps
check-unit: $(BUILD)/unit
	@$(call tallied,unit)$(BUILD)/unit

check-golden: $(BUILD)/drey
	@DREY=$(abspath $<) $(call tallied,golden)tests/golden/run

# Every input that a fuzzer ever found interesting, as an ordinary test.
check-fuzz: $(FUZZ_REPLAY)
	@$(call tallied,fuzz)tests/fuzz/replay $(FUZZ_REPLAY)

check-examples: $(BUILD)/drey
	@DREY=$(abspath $<) $(call tallied,examples)tests/golden/examples

check-race: $(RACE)
	@$(call tallied,race)tests/race/run $(RACE)

check-docs: $(BUILD)/drey
	@$(call tallied,docs)$(MAKE) docs-check

# Needs root: real hosts in namespaces of this machine. So many fleets of them at once.
FLEETS ?= 2
check-e2e: $(BUILD)/drey
	@DREY=$(abspath $<) $(call tallied,e2e)tests/e2e/run -j $(FLEETS)

# What depends on the engine's age. check-e2e has it on the engine of this machine, which on Debian 12 is
# the oldest; here it is once more on that of Debian's stable release, and by check-engines on all. Their root
# file systems are made by debootstrap, once.
TRAPS = tests/e2e/19-traps.sh tests/e2e/20-rows.sh tests/e2e/22-drift-corpus.sh tests/e2e/46-was.sh
STABLE ?= trixie
ENGINES ?= machine trixie testing trixie+containerd

check-traps: $(BUILD)/drey
	@DREY=$(abspath $<) DREY_E2E_ENGINE=$(STABLE) $(call tallied,traps)tests/e2e/run -j $(FLEETS) $(TRAPS)

.PHONY: check-engines
check-engines: $(BUILD)/drey
	@status=0; for engine in $(ENGINES); do \
		echo "== $$engine"; \
		DREY=$(abspath $<) DREY_E2E_ENGINE=$$engine tests/e2e/run $(TRAPS) || status=1; \
	done; exit $$status

# Half an hour to two hours, on so many hosts; `make check` takes a sample of it. What a case is, and how to run a part:
# tests/crash/run --help.
CASE ?=
CRASH_HOSTS ?= 4

.PHONY: check-crash
check-crash: $(BUILD)/drey
	@DREY=$(abspath $<) tests/crash/run --jobs $(CRASH_HOSTS) $(CASE)

$(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay_main.o \
		$(BUILD)/libdrey.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/race/%: $(BUILD)/obj/tests/race/%.o $(BUILD)/libdrey.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libdrey.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Each sanitizer builds into a folder of its own, and none is strict about warnings: gcc sees things
# that are not there once code is instrumented. A leak does not fail a test of Criterion (the
# runner looks at the child's signals, not at its last report), but it leaves a report file.
ASAN = $(BUILD)/asan
ASAN_CFLAGS = -O1 -g -fno-omit-frame-pointer
ASAN_FLAGS = -fsanitize=address,undefined -fno-sanitize-recover=all

.PHONY: check-asan
check-asan:
	@$(MAKE) BUILD=$(ASAN) WERROR= CFLAGS="$(ASAN_CFLAGS)" SANITIZE="$(ASAN_FLAGS)" check-build
	@rm -rf $(ASAN)/reports && mkdir -p $(ASAN)/reports
	@status=0; export ASAN_OPTIONS=log_path=$(abspath $(ASAN))/reports/asan:detect_leaks=1; \
		export UBSAN_OPTIONS=log_path=$(abspath $(ASAN))/reports/ubsan:print_stacktrace=1; \
		for suite in unit golden fuzz examples; do \
			$(MAKE) BUILD=$(ASAN) WERROR= CFLAGS="$(ASAN_CFLAGS)" SANITIZE="$(ASAN_FLAGS)" \
				check-$$suite || status=1; \
		done; \
		tests/support/reports $(ASAN)/reports || status=1; exit $$status

VALGRIND = valgrind -q --trace-children=yes --sim-hints=lax-ioctls --leak-check=full --show-leak-kinds=definite,indirect \
	--errors-for-leak-kinds=definite,indirect --child-silent-after-fork=no \
	--trace-children-skip='*/sh,*/bash,*/git,*/rm,*/ssh*,*/python3*'

.PHONY: check-valgrind
check-valgrind: $(BUILD)/unit
	@rm -rf $(BUILD)/valgrind && mkdir -p $(BUILD)/valgrind
	@status=0; $(VALGRIND) --log-file=$(abspath $(BUILD))/valgrind/report.%p $(BUILD)/unit || status=1; \
		tests/support/reports $(BUILD)/valgrind || status=1; exit $$status

# ThreadSanitizer can't run below Criterion (Snaipe/Criterion#247): plain programs instead.
TSAN = $(BUILD)/tsan

.PHONY: check-tsan
check-tsan:
	@$(MAKE) BUILD=$(TSAN) WERROR= CFLAGS="-O1 -g" SANITIZE=-fsanitize=thread \
		$(RACE:$(BUILD)/%=$(TSAN)/%)
	@TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
		tests/race/run $(RACE:$(BUILD)/%=$(TSAN)/%)

# New inputs that reach new code are kept in $(FUZZ)/corpus; what crashes is in $(FUZZ)/crashes.
FUZZ = $(BUILD)/fuzz
FUZZ_SECONDS ?= 30

.PHONY: fuzz
fuzz: $(BUILD)/drey
	@tests/support/install fuzz
	@$(MAKE) BUILD=$(FUZZ) CC=$(CLANG) WERROR= CFLAGS="-O1 -g" \
		SANITIZE=-fsanitize=address,undefined,fuzzer-no-link \
		$(FUZZ_SRC:tests/fuzz/%.c=$(FUZZ)/fuzzer/%)
	@$(BUILD)/drey dictionary > $(FUZZ)/dictionary
	@tests/fuzz/run $(FUZZ) $(FUZZ_SECONDS) $(FUZZ_SRC:tests/fuzz/%.c=$(FUZZ)/fuzzer/%)

$(BUILD)/fuzzer/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/libdrey.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS)

# Writes what the commands print now into the files they are compared with: read the diff.
.PHONY: golden-update
golden-update: $(BUILD)/drey $(BUILD)/unit
	@DREY=$(abspath $<) tests/golden/run --update
	@GOLDEN_UPDATE=1 $(BUILD)/unit --filter 'bad_manifests/*'

.PHONY: bench
bench: deps $(BUILD)/drey $(BENCH)
	@DREY=$(abspath $(BUILD)/drey) BUILD=$(abspath $(BUILD)) tests/bench/run

.PHONY: demo
demo:
	@tests/support/install build test
	@$(MAKE) $(PARALLEL) all
	@DREY=$(abspath $(BUILD))/drey tests/support/demo

.PHONY: coverage
coverage:
	@$(MAKE) BUILD=$(BUILD)/coverage WERROR= CFLAGS="-O0 -g --coverage" $(BUILD)/coverage/unit
	@$(BUILD)/coverage/unit
	@tests/support/coverage $(BUILD)/coverage

# ---- lint -----------------------------------------------------------------------------------------

LINT_C = $(SRC) $(MAIN) $(wildcard tests/*/*.c) $(filter-out $(wildcard tests/*/*.c),$(UNIT_SRC))
LINT_SHELL = $(shell grep -lE '^\#!/bin/(ba)?sh' -r tests .ci 2>/dev/null | sort)

.PHONY: lint lint-deps lint-format lint-size lint-banned lint-headers lint-shell lint-cppcheck lint-tidy
lint: lint-deps
	@$(MAKE) -k $(PARALLEL) lint-format layers lint-size lint-banned lint-headers lint-shell \
		lint-cppcheck lint-tidy

lint-deps:
	@tests/support/install build test lint

lint-format:
	@clang-format --dry-run -Werror $(LINT_C) $(HEADERS)

# Who may include whom: the table is in docs/architecture.md.
.PHONY: layers
layers:
	@tests/support/layers

# Functions are measured by clang-tidy.
lint-size:
	@wc -l $(LINT_C) $(HEADERS) | awk '$$1 > 800 && $$2 != "total" \
		{ print $$2 ": " $$1 " lines, 800 are allowed"; bad = 1 } END { exit bad }'

# Unbounded copies, hidden state, conversions that report no error.
lint-banned:
	@! grep -nE '\<(strcpy|strcat|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|alloca|tmpnam|mktemp)[ ]*\(' \
		$(LINT_C) $(HEADERS)

lint-headers: $(HEADERS:%.h=$(BUILD)/lint/%.h.ok)

$(BUILD)/lint/%.h.ok: %.h $(GENERATED)
	@mkdir -p $(@D)
	@echo '#include "$<"' | $(CC) $(BASE_CFLAGS) -Werror -fsyntax-only -x c - && touch $@

lint-shell:
	@shellcheck -x -P SCRIPTDIR $(LINT_SHELL)

lint-cppcheck: $(GENERATED)
	@mkdir -p $(BUILD)/lint/cppcheck
	@cppcheck -q -j$(JOBS) --std=c11 --error-exitcode=1 --inline-suppr \
		--enable=warning,performance,portability --library=posix --max-configs=4 \
		--suppressions-list=tests/support/cppcheck.suppress \
		--include=tests/support/cppcheck.h \
		--cppcheck-build-dir=$(BUILD)/lint/cppcheck -I. -I$(BUILD)/include $(SRC) $(MAIN)

lint-tidy: $(SRC:%.c=$(BUILD)/lint/%.c.ok) $(BUILD)/lint/controller/main.c.ok

$(BUILD)/lint/controller/base/error.c.ok: TIDY_INCLUDE =
TIDY_INCLUDE = -include tests/support/tidy.h

$(BUILD)/lint/%.c.ok: %.c $(HEADERS) .clang-tidy tests/support/tidy.h | $(GENERATED)
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- $(BASE_CFLAGS) $(TIDY_INCLUDE) 2>/dev/null && touch $@

# ---- documents ------------------------------------------------------------------------------------

.PHONY: docs docs-check
docs: $(BUILD)/drey
	@$(BUILD)/drey docs docs/reference

# Page by page: docs/reference also has pages that are written by hand.
docs-check: $(BUILD)/drey
	@rm -rf $(BUILD)/reference
	@$(BUILD)/drey docs $(BUILD)/reference
	@status=0; for page in $(BUILD)/reference/*; do \
		diff -u docs/reference/$${page##*/} $$page || status=1; done; \
		[ $$status = 0 ] || echo "docs/reference is not what the tables say: run make docs"; \
		DREY=$(abspath $<) tests/support/documents.py || status=1; \
		DREY=$(abspath $<) tests/support/schema.py || status=1; \
		exit $$status

# ---- installation ---------------------------------------------------------------------------------

INSTALL = install -D -m
ROOT = $(DESTDIR)$(PREFIX)
# A unit of the administrator's own goes to /etc; a package's to the vendor's folder.
UNITDIR ?= $(PREFIX)/lib/systemd/system

.PHONY: install uninstall
install: $(BUILD)/drey $(BUILD)/drey.service
	$(INSTALL) 755 $(BUILD)/drey $(ROOT)/bin/drey
	$(BUILD)/drey man > $(BUILD)/drey.1
	$(INSTALL) 644 $(BUILD)/drey.1 $(ROOT)/share/man/man1/drey.1
	$(BUILD)/drey completion bash > $(BUILD)/drey.bash
	$(INSTALL) 644 $(BUILD)/drey.bash $(ROOT)/share/bash-completion/completions/drey
	$(BUILD)/drey completion zsh > $(BUILD)/_drey
	$(INSTALL) 644 $(BUILD)/_drey $(ROOT)/share/zsh/vendor-completions/_drey
	$(BUILD)/drey completion fish > $(BUILD)/drey.fish
	$(INSTALL) 644 $(BUILD)/drey.fish $(ROOT)/share/fish/vendor_completions.d/drey.fish
	$(INSTALL) 644 $(BUILD)/drey.service $(DESTDIR)$(UNITDIR)/drey.service

uninstall:
	rm -f $(ROOT)/bin/drey $(ROOT)/share/man/man1/drey.1 \
		$(ROOT)/share/bash-completion/completions/drey \
		$(ROOT)/share/zsh/vendor-completions/_drey \
		$(ROOT)/share/fish/vendor_completions.d/drey.fish $(DESTDIR)$(UNITDIR)/drey.service

$(BUILD)/drey.service: controller/drey.service.in
	@mkdir -p $(@D)
	@sed 's,@BINDIR@,$(PREFIX)/bin,' $< > $@

# ---- the rest -------------------------------------------------------------------------------------

.PHONY: clean
clean:
	rm -rf $(BUILD)

.PHONY: help
help:
	@sed -n 's/^#\t//p' Makefile
