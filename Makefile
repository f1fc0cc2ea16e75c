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
PKGS = yaml-0.1 libcurl jansson libssh sqlite3 libgit2 libzstd libcrypto

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wformat=2 -Wno-missing-field-initializers
OPT ?= -O2 -g
CFLAGS ?= $(OPT) -D_FORTIFY_SOURCE=2 -fstack-protector-strong
WERROR ?= -Werror
SANITIZE ?=
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DDREY_VERSION='"$(VERSION)"' -I. \
	-I$(BUILD)/include $(WARN) $(WERROR) $(CFLAGS) $(SANITIZE) -pthread \
	$(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -linotifytools -pthread -lm

MAIN = controller/main.c
SRC = $(sort $(filter-out $(MAIN),$(wildcard controller/*.c controller/*/*.c manifests/*.c \
	reconcilers/*.c)))
OBJ = $(SRC:%.c=$(BUILD)/obj/%.o)
HEADERS = $(sort $(wildcard controller/*.h controller/*/*.h manifests/*.h reconcilers/*.h))
UNIT_SRC = $(sort $(wildcard tests/unit/*.c tests/unit/*/*.c))
UNIT_OBJ = $(UNIT_SRC:%.c=$(BUILD)/obj/%.o)

.PHONY: all
all: $(BUILD)/drey

$(BUILD)/drey: $(BUILD)/obj/controller/main.o $(BUILD)/libdrey.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libdrey.a: $(OBJ)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.c | $(BUILD)/include/kinds.inc
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The list of kinds is the list of files that define one: a new kind is one file.
$(BUILD)/include/kinds.inc: $(wildcard reconcilers/*.c)
	@mkdir -p $(@D)
	@sed -n 's/^const struct reconciler \(reconciler_[a-z_]*\) = .*/KIND(\1)/p' \
		$(sort $(wildcard reconcilers/*.c)) > $@

-include $(OBJ:.o=.d) $(UNIT_OBJ:.o=.d) $(BUILD)/obj/controller/main.d

$(BUILD)/unit: $(UNIT_OBJ) $(BUILD)/libdrey.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lcriterion

.PHONY: clean
clean:
	rm -rf $(BUILD)
