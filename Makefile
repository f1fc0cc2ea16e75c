# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make              build/drey
#   make demo         a guided tour on a fleet of two real hosts
#   make check        every test
#   make help         the other targets

BUILD ?= build
VERSION := $(shell cat .version 2>/dev/null || echo 0.1.0)
CC ?= gcc
CLANG ?= clang
PREFIX ?= /usr/local
DESTDIR ?=
PKGS = yaml-0.1 libcurl jansson libarchive libssh sqlite3 libgit2 libzstd libcrypto

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wformat=2 -Wno-missing-field-initializers
OPT ?= -O2 -g
CFLAGS ?= $(OPT) -D_FORTIFY_SOURCE=2 -fstack-protector-strong
WERROR ?= -Werror
SANITIZE ?=
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
BASE_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DDREY_VERSION='"$(VERSION)"' -I. \
	-I$(BUILD)/include $(WARN) $(PKG_CFLAGS)
ALL_CFLAGS = $(BASE_CFLAGS) $(WERROR) $(CFLAGS) $(SANITIZE) -pthread
LIBS = $(PKG_LIBS) -linotifytools -pthread -lm

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

-include $(OBJ:.o=.d) $(UNIT_OBJ:.o=.d) $(BUILD)/obj/controller/main.d \
	$(wildcard $(BUILD)/obj/tests/*/*.d)

$(BUILD)/unit: $(UNIT_OBJ) $(BUILD)/libdrey.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lcriterion

.PHONY: clean
clean:
	rm -rf $(BUILD)
