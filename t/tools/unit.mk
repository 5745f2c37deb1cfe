# Copyright (C) the nginx media suite authors
#
# Unit tests and fuzz targets of the pure layers, which see no nginx header:
# each t/unit/*_test.c and t/fuzz/*_fuzz.c is one program, linked with all of
# them.  Every flavour of sanitizer has a library of its own:
#
#     asan  unit tests
#     tsan  unit tests with "ring" in their name, once more (by clang, which
#           takes the fences of the ring without a warning)
#     fuzz  fuzz targets
#
# Tools of the tests that are written in C are built as unit tests are.
#
# make -f t/tools/unit.mk units|fuzzers|tools OBJS=DIR

OBJS ?= objs
UNIT_CC ?= gcc
FUZZ_CC ?= clang

PURE = base codec format proto ring
SRCS := $(sort $(wildcard $(PURE:%=shared/%/*.c)))
TESTS := $(sort $(wildcard t/unit/*_test.c))
RINGS := $(foreach t,$(TESTS),$(if $(findstring ring,$t),$t))
FUZZERS := $(sort $(wildcard t/fuzz/*_fuzz.c))
TOOLS := $(sort $(wildcard t/tools/*.c))

CC_asan = $(UNIT_CC)
CC_tsan = $(FUZZ_CC)
CC_fuzz = $(FUZZ_CC)

SAN_asan = -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_tsan = -fsanitize=thread
SAN_fuzz = -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all

FLAGS = -g -O1 -fno-omit-frame-pointer -W -Wall -Wextra -Werror -MMD \
	$(PURE:%=-Ishared/%) -It/unit
LIBS = -lcrypto -lpthread -lm

DIR = $(OBJS)/unit


units: $(TESTS:t/unit/%.c=$(DIR)/asan/%) $(RINGS:t/unit/%.c=$(DIR)/tsan/%)

fuzzers: $(FUZZERS:t/fuzz/%.c=$(DIR)/fuzz/%)

tools: $(TOOLS:t/tools/%.c=$(DIR)/tools/%)


define flavour

$(DIR)/$1/lib/%.o: shared/%.c
	@mkdir -p $$(@D)
	$(CC_$1) $(SAN_$1) $(FLAGS) -c -o $$@ $$<

$(DIR)/$1/pure.a: $(SRCS:shared/%.c=$(DIR)/$1/lib/%.o) $(DIR)/list
	@rm -f $$@
	ar rcs $$@ $(SRCS:shared/%.c=$(DIR)/$1/lib/%.o)

$(DIR)/$1/%_test: t/unit/%_test.c $(DIR)/$1/pure.a
	$(CC_$1) $(SAN_$1) $(FLAGS) -MF $$@.d -o $$@ $$< $(DIR)/$1/pure.a $(LIBS)

$(DIR)/$1/%_fuzz: t/fuzz/%_fuzz.c $(DIR)/$1/pure.a
	$(CC_$1) $(SAN_$1) -fsanitize=fuzzer $(FLAGS) -MF $$@.d -o $$@ $$< \
		$(DIR)/$1/pure.a $(LIBS)

-include $(SRCS:shared/%.c=$(DIR)/$1/lib/%.d)
-include $(wildcard $(DIR)/$1/*.d)

endef

$(foreach f,asan tsan fuzz,$(eval $(call flavour,$f)))


$(DIR)/tools/%: t/tools/%.c $(DIR)/asan/pure.a
	@mkdir -p $(@D)
	$(CC_asan) $(SAN_asan) $(FLAGS) -MF $@.d -o $@ $< $(DIR)/asan/pure.a \
		$(LIBS)

-include $(wildcard $(DIR)/tools/*.d)


# A library is made anew when a source has come or gone.

$(DIR)/list: FORCE
	@mkdir -p $(DIR)
	@echo '$(SRCS)' | cmp -s - $@ || echo '$(SRCS)' > $@

FORCE:

.PHONY: units fuzzers tools FORCE
.SECONDARY:
