# SPDX-License-Identifier: BSD-2-Clause
#
# evbus: the one Makefile.  `make help` lists the targets.

# ---- Variables that a caller may set -------------------------------------
#
#   CC, CXX          compilers (gcc and clang are tried by CI)
#   CFLAGS, LDFLAGS  added after our own, so that they win
#   V=1              show whole commands
#   WERROR=1         warnings are errors
#   DEBUG=1          asserts on (-DEVBUS_DEBUG), -O1
#   SANITIZE=...     address,undefined or thread
#   COVERAGE=1       count what is reached; of clang-19 (the coverage target)
#   PREFIX, LIBDIR, INCLUDEDIR, MANDIR, DESTDIR      where install puts things
#   DATA, BOOK, SPEED, SECONDS                       what demo plays, and how
#   TOPOLOGY         the one topology that bench measures; empty: all
#   ARGS             passed on to the explorer
#   TEST             test only programs whose name contains this word
#   TIMEOUT          seconds that one test program may take
#   STRESS_SECONDS   how long each stress program runs
#   DELAYS=1         threads are held up now and then (the delays target)
#   SEED             of delays and flakes; empty: a new one
#   ROUNDS           how often flakes runs every test
#   EVENTS, FIRST    events that soak publishes, and its first sequence
#   EXECS            inputs that each fuzz target tries; empty: a few
#
# Each set of flags has a build directory of its own: build/ for the plain
# one, build/thread/ for SANITIZE=thread, build/clang-debug/ and so on.

V ?= 0
WERROR ?=
DEBUG ?=
SANITIZE ?=
COVERAGE ?=
DELAYS ?=
DESTDIR ?=
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
TOPOLOGY ?=
ARGS ?=
TEST ?=
STRESS_SECONDS ?= 30
SEED ?=
ROUNDS ?= 5
EXECS ?=

# ---- Derived settings ----------------------------------------------------

# The version stands in one place, include/evbus/base.h.
VERSION := $(shell sed -n \
	's/^.define EVBUS_VERSION[[:space:]]*"\(.*\)"/\1/p' include/evbus/base.h)
SONAME := libevbus.so.$(firstword $(subst ., ,$(VERSION)))

comma := ,
space := $(subst ,, )
compiler := $(filter-out cc gcc,$(notdir $(firstword $(CC))))
clang := $(findstring clang,$(shell $(CC) --version 2>/dev/null))
tags := $(strip $(compiler) $(subst $(comma),-,$(SANITIZE)) \
	$(if $(DEBUG),debug) $(if $(COVERAGE),coverage) $(if $(DELAYS),delays) \
	$(if $(WERROR),werror))
B := build$(addprefix /,$(subst $(space),-,$(tags)))

# Use all processors, unless the caller said otherwise.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
endif

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wundef -Wcast-qual \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla \
	$(if $(WERROR),-Werror)
# Packing an event's words into vector registers costs more than it saves: they
# are read back one by one at once.
OPTIMIZE := $(if $(DEBUG)$(SANITIZE),-O1,-O2) -g \
	-fno-tree-slp-vectorize
MODE := $(if $(DEBUG),-DEVBUS_DEBUG) $(if $(DELAYS),-DEVBUS_DELAYS) \
	$(if $(COVERAGE),-fprofile-instr-generate -fcoverage-mapping \
	-fcoverage-mcdc -fprofile-update=atomic) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer) \
	$(if $(findstring undefined,$(SANITIZE)),-fno-sanitize-recover=all)

# Expanded in recipes and only then, since .ci/packages may just have brought
# pkg-config; each assigns itself at its first use.
CK_CFLAGS = $(eval CK_CFLAGS := $$(shell pkg-config --cflags ck))$(CK_CFLAGS)
CK_LIBS = $(eval CK_LIBS := $$(shell pkg-config --libs ck))$(CK_LIBS)

LANGUAGE := -std=c11 -D_GNU_SOURCE -fvisibility=hidden -pthread
COMPILE = $(CC) $(LANGUAGE) $(OPTIMIZE) $(WARNINGS) $(MODE) -Iinclude \
	$(INCLUDES) $(CK_CFLAGS) $(EXTRA) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LINK = $(CC) $(OPTIMIZE) $(MODE) -pthread $(CFLAGS) $(LDFLAGS)
LIBS = $(CK_LIBS) -lpthread

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

# ---- What there is -------------------------------------------------------

# This list drives install, uninstall and the header tests.
HEADERS := include/evbus.h $(sort $(wildcard include/evbus/*.h))
PAGES := $(sort $(wildcard man/*.3 man/*.7))

SOURCES := $(sort $(wildcard src/*.c src/*/*.c)) \
	$(if $(DELAYS),tests/delays/delay.c)
MARKET := $(sort $(wildcard examples/market/*.c))
# A loop_X with a library here is built where pkg-config finds that.
LOOP_NEEDS := uv=libuv event=libevent_core glib=glib-2.0 systemd=libsystemd \
	uring=liburing
loop_needs = $(patsubst $(1)=%,%,$(filter $(1)=%,$(LOOP_NEEDS)))
loop_there = $(if $(call loop_needs,$(1)),$(shell pkg-config --exists \
	$(call loop_needs,$(1)) 2>/dev/null && echo x),x)
LOOPS := $(foreach f,$(sort $(wildcard examples/loop_*.c)), \
	$(if $(call loop_there,$(patsubst examples/loop_%.c,%,$(f))),$(f)))
EXAMPLES := $(sort $(filter-out examples/loop_%,$(wildcard examples/*.c))) \
	$(LOOPS)
TESTS := $(sort $(wildcard tests/*/test_*.c))
# Started by a test and not by the runner, e.g. under another tool.
PROGRAMS := $(sort $(wildcard tests/*/prog_*.c))
BENCHES := $(sort $(wildcard tests/bench/bench_*.c))
STRESS := $(sort $(wildcard tests/stress/stress_*.c))
FUZZ := $(sort $(wildcard tests/fuzz/fuzz_*.c))
EXPLORE := $(sort $(filter-out %/selftest.c,$(wildcard tests/explore/*.c)))
# All other C files below tests/ are helpers.  They, and the modules of the
# market example, go into one archive, from which each test takes its share.
HELPERS := $(sort $(filter-out $(TESTS) $(PROGRAMS) $(BENCHES) $(STRESS) \
	tests/fuzz/% tests/bench/% tests/explore/% tests/canary/% \
	tests/coverage/% tests/delays/% tests/mutants/% tests/lint/%, \
	$(wildcard tests/*/*.c))) $(MARKET)
# A script is one test: exit status 0 passed, 77 skipped, others failed.
SCRIPTS := $(foreach f,$(sort $(wildcard tests/*/*.sh)), \
	$(if $(shell test -x $(f) && echo x),$(f)))

objects = $(patsubst %.c,$(B)/obj/%.o,$(1))
programs = $(patsubst %.c,$(B)/%,$(1))

STATIC := $(B)/libevbus.a
SHARED := $(B)/libevbus.so.$(VERSION)
LIBRARIES := $(STATIC) $(SHARED) $(B)/evbus.pc
EXAMPLE_PROGRAMS := $(call programs,$(EXAMPLES)) \
	$(if $(MARKET),$(B)/examples/market)
TEST_PROGRAMS := $(call programs,$(TESTS))
BENCH_PROGRAMS := $(patsubst tests/%.c,$(B)/%,$(BENCHES))
BENCH_HELPERS := $(filter-out $(BENCHES),$(wildcard tests/bench/*.c))

# With TEST=, only what has that word in its name.
chosen = $(if $(TEST),$(foreach f,$(1), \
	$(if $(findstring $(TEST),$(f)),$(f))),$(1))
# tests/run/loops.sh runs the loops.
CHOSEN := $(call chosen,tests/lint/headers tests/lint/manual-examples \
	$(SCRIPTS) $(filter-out $(call programs,$(LOOPS)),$(EXAMPLE_PROGRAMS)) \
	$(TEST_PROGRAMS))

# The packages that the wanted goals need; `all` and `install` bring in none.
goals = $(filter $(1),$(MAKECMDGOALS))
GROUPS := $(if $(call goals,demo bench explore mutants examples),base) \
	$(if $(call goals,test tests everything stress delays flakes \
	faults memcheck),base test) \
	$(if $(call goals,lint),base lint) \
	$(if $(call goals,coverage verify matrix),base test coverage) \
	$(if $(call goals,spin),base ci) \
	$(if $(call goals,soak),base test) \
	$(if $(call goals,fuzz verify analyze matrix),base test lint ci)
SETUP := $(if $(strip $(GROUPS)),packages)

# ---- Libraries -----------------------------------------------------------

.PHONY: all
all: $(LIBRARIES)	## build the libraries (the default)

.PHONY: packages
packages:
	@.ci/packages $(sort $(GROUPS))

# Changes when the flags do, and with it every object.
$(B)/flags: FORCE | $(SETUP)
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(LANGUAGE) $(OPTIMIZE) $(WARNINGS) $(MODE)' \
	    '$(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' >$@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv -f $@.new $@
.PHONY: FORCE
FORCE:

$(B)/obj/src/%.o $(B)/pic/%.o: INCLUDES := -Isrc
$(B)/obj/tests/%.o: INCLUDES := -Isrc -Itests -Itests/support -Iexamples

$(B)/obj/%.o: %.c $(B)/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c $< -o $@

$(B)/pic/%.o: %.c $(B)/flags
	$(say) 'CC pic' $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -c $< -o $@

$(STATIC): $(call objects,$(SOURCES))
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(SHARED): $(patsubst %.c,$(B)/pic/%.o,$(SOURCES)) src/evbus.map
	$(say) LD $@
	$(Q)$(LINK) -shared -Wl,-soname,$(SONAME) \
	    -Wl,--version-script=src/evbus.map \
	    $(if $(SANITIZE),,-Wl$(comma)-z$(comma)defs) \
	    $(filter %.o,$^) $(LIBS) -o $@
	$(Q)ln -sf $(@F) $(B)/$(SONAME) && ln -sf $(SONAME) $(B)/libevbus.so

$(B)/evbus.pc: src/evbus.pc.in include/evbus/base.h FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
	    -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
	    $< >$@

# ---- Examples and the demonstration --------------------------------------

$(B)/examples/market: $(call objects,$(MARKET)) $(STATIC)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) $^ $(LIBS) -lm -o $@

$(call programs,$(EXAMPLES)): $(B)/%: $(B)/obj/%.o $(STATIC)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) $^ $(EXTRA_LIBS) $(LIBS) -lm -o $@

# Headers of others are not ours to check.
define loop_rules
$(B)/obj/examples/loop_$(1).o: EXTRA = $$(patsubst -I%,-isystem %, \
	$$(shell pkg-config --cflags $(call loop_needs,$(1))))
$(B)/examples/loop_$(1): EXTRA_LIBS = $$(shell pkg-config --libs \
	$(call loop_needs,$(1)))
endef
$(foreach f,$(filter-out epoll,$(patsubst examples/loop_%.c,%,$(LOOPS))), \
	$(eval $(call loop_rules,$(f))))

.PHONY: examples
examples: $(EXAMPLE_PROGRAMS)	## build the examples

.PHONY: demo
demo: $(B)/examples/market	## run the market: DATA= BOOK= SPEED= SECONDS=
	$(Q)$< $(if $(DATA),--data '$(DATA)') $(if $(BOOK),--book '$(BOOK)') \
	    $(if $(SPEED),--speed '$(SPEED)') \
	    $(if $(SECONDS),--seconds '$(SECONDS)')

# ---- Tests ---------------------------------------------------------------

$(B)/libtests.a: $(call objects,$(HELPERS)) $(B)/flags
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(call programs,$(TESTS) $(PROGRAMS) $(STRESS)): \
    $(B)/%: $(B)/obj/%.o $(B)/libtests.a $(STATIC)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) $(FIRST_OBJECTS) $^ -lcmocka $(LIBS) -lm -o $@

# Of a copy of the library, with the system calls turned over to the test.
$(B)/faults/libevbus.a: $(STATIC) tests/faults/outside
	$(say) OBJCOPY $@
	@mkdir -p $(@D)
	$(Q)awk '$$2 == "fails" { print $$1, "fault_" $$1 }' \
	    tests/faults/outside >$(@D)/names
	$(Q)objcopy --redefine-syms=$(@D)/names --remove-section='.gnu.lto_*' \
	    $(STATIC) $@

FAULTY := $(call programs,tests/faults/test_syscalls.c \
	tests/faults/test_refused.c)
$(FAULTY): $(B)/faults/libevbus.a
$(FAULTY): private FIRST_OBJECTS = -Wl,--whole-archive \
	$(B)/faults/libevbus.a -Wl,--no-whole-archive

# What a test finds in its environment; tests/run.sh tells more.
ENVIRONMENT = EVBUS_BUILD='$(B)' EVBUS_SANITIZE='$(SANITIZE)' \
	EVBUS_HEADERS='$(HEADERS)' EVBUS_COVERAGE='$(COVERAGE)' \
	CC='$(CC)' CXX='$(CXX)'
TIMEOUT ?= $(if $(SANITIZE)$(COVERAGE),420,60)

.PHONY: tests
tests: $(filter $(B)/%,$(CHOSEN)) $(call programs,$(PROGRAMS) $(LOOPS)) \
    $(STATIC)

.PHONY: test
test: tests	## run the tests, the examples and the header tests: TEST=
	$(Q)$(ENVIRONMENT) tests/run.sh -t $(TIMEOUT) -o $(B)/log $(CHOSEN)

.PHONY: stress
stress: $(call programs,$(STRESS))	## run the stress programs for long
	$(Q)$(if $(STRESS),$(ENVIRONMENT) \
	    EVBUS_STRESS_SECONDS=$(STRESS_SECONDS) tests/run.sh -t 600 \
	    -o $(B)/log-stress $^,echo 'no stress programs yet')

# A build of its own, in which threads are held up at each EVBUS__DELAY().  Not
# where system calls are counted: the delays make some.
DELAYED := $(call chosen,$(filter-out %/test_syscalls,$(TEST_PROGRAMS)) \
	$(call programs,$(STRESS)))
.PHONY: delays delayed
delays: $(SETUP)	## tests and stress, threads held up: SEED=, TEST=
	$(Q)$(MAKE) --no-print-directory DELAYS=1 delayed

delayed: $(DELAYED) $(call programs,$(PROGRAMS))
	$(Q)$(ENVIRONMENT) tests/delays/run -s '$(SEED)' -o $(B)/log \
	    $(if $(TEST),,-a) $(DELAYED)

.PHONY: flakes
flakes: tests	## every test, over and over, under load: ROUNDS=, SEED=, TEST=
	$(Q)$(ENVIRONMENT) tests/flakes.sh -n $(ROUNDS) -s '$(SEED)' \
	    -t $(TIMEOUT) -o $(B)/log-flakes $(call chosen,$(SCRIPTS) \
	    $(TEST_PROGRAMS))

# The controls leave out one number, and damage one payload.
EVENTS ?= 40000000
FIRST ?= 0
.PHONY: soak
soak: $(B)/tests/stress/prog_soak	## many events, each checked: EVENTS= FIRST=
	$(Q)$< 100000 $(FIRST) skip && $< 100000 $(FIRST) damage && \
	    echo 'controls: caught' && $< $(EVENTS) $(FIRST)

# ---- The explorer --------------------------------------------------------
#
# The real code, compiled so that each access to shared memory is a step of
# the explorer, which also takes the place of the system and of the epochs.

X := $(B)/explore
EXPLORED := $(filter-out src/ffi.c src/base/os_linux%.c src/base/epoch.c, \
	$(SOURCES))
EXPLORE_OBJECTS := $(patsubst %.c,$(X)/obj/%.o,$(EXPLORED) $(EXPLORE))

$(X)/obj/%.o: INCLUDES := -Itests/explore -Isrc
$(X)/obj/%.o: EXTRA := -DEVBUS_EXPLORE
$(X)/obj/%.o: %.c $(B)/flags
	$(say) 'CC expl' $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c $< -o $@

# The allocator is the explorer's as well: freed memory is never used again.
EXPLORE_COMPILE = $(CC) $(LANGUAGE) $(OPTIMIZE) $(MODE) -DEVBUS_EXPLORE \
	$(CPPFLAGS) $(CFLAGS)
EXPLORE_LINK = $(LINK) $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc \
	free aligned_alloc posix_memalign)

$(X)/explore: $(EXPLORE_OBJECTS)
	$(say) LD $@
	$(Q)$(EXPLORE_LINK) $^ $(LIBS) -o $@

# From the archive the self-test takes the core, but not the other main.
$(X)/libexplore.a: $(EXPLORE_OBJECTS)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(X)/explore-selftest: $(X)/obj/tests/explore/selftest.o $(X)/libexplore.a
	$(say) LD $@
	$(Q)$(EXPLORE_LINK) $^ $(LIBS) -o $@

EXPLORE_SELFTEST := $(if $(wildcard tests/explore/selftest.c), \
	$(X)/explore-selftest)

.PHONY: explore
explore: $(X)/explore $(EXPLORE_SELFTEST)	## explore interleavings: ARGS=
	$(Q)$(if $(EXPLORE_SELFTEST),$(strip $(EXPLORE_SELFTEST)) &&) \
	    $(X)/explore $(ARGS) $(if $(ARGS),,&& $(X)/explore -K -n 300)

# ---- The mutants ---------------------------------------------------------
#
# The explorer once more.  Its hooks weaken one memory order at a time, and the
# compiler has a hook at each plain access as well, but not its own run-time.

Y := $(X)/mutate
SCENARIOS := $(wildcard tests/explore/scenario*.c)
MUTATED := $(patsubst %.c,$(Y)/obj/%.o,$(EXPLORED) $(SCENARIOS))
MUTATORS := $(patsubst %.c,$(Y)/obj/%.o,$(wildcard tests/mutants/*.c)) \
	$(patsubst %.c,$(X)/obj/%.o,$(filter-out $(SCENARIOS) %_main.c, \
	$(EXPLORE)))
MUTATE_FLAGS := -DEVBUS_EXPLORE -include tests/mutants/hooks.h
WRAPPED := $(patsubst %,-Wl$(comma)--wrap=evbus__x_%,load store xchg add or \
	and cas fence fence_light plain_store plain_load plain_copy_in)

$(MUTATED): EXTRA := $(MUTATE_FLAGS) -fsanitize=thread
$(Y)/obj/%.o: INCLUDES := -Itests/explore -Itests/mutants -Isrc
$(Y)/obj/tests/mutants/%.o: EXTRA := -DEVBUS_EXPLORE
$(Y)/obj/%.o: %.c $(B)/flags
	$(say) 'CC mut' $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c $< -o $@

$(Y)/obj/%.i: $(Y)/obj/%.o
	$(Q)$(COMPILE) $(MUTATE_FLAGS) -Itests/explore -Itests/mutants -Isrc \
	    -E -P $*.c -MF /dev/null -o $@

$(Y)/drive: $(MUTATED) $(MUTATORS)
	$(say) LD $@
	$(Q)$(EXPLORE_LINK) $(WRAPPED) $^ $(LIBS) -o $@

.PHONY: mutants
mutants: $(Y)/drive $(MUTATED:.o=.i) $(EXPLORE_OBJECTS)	## weaken each order
	$(Q)EVBUS_X='$(X)' EVBUS_OBJECTS='$(EXPLORE_OBJECTS)' \
	    EVBUS_COMPILE='$(EXPLORE_COMPILE)' \
	    EVBUS_LINK='$(EXPLORE_LINK)' EVBUS_LIBS='$(LIBS)' \
	    tests/mutants/run $(Y)/drive $(MUTATED:.o=.i)

# ---- Measurements --------------------------------------------------------

$(B)/obj/tests/bench/%.o: EXTRA := -O3 -march=native
$(BENCH_PROGRAMS): $(B)/%: $(B)/obj/tests/%.o $(call objects,$(BENCH_HELPERS)) \
    $(STATIC)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) $^ $(LIBS) -lm -o $@

.PHONY: bench
bench: $(BENCH_PROGRAMS)	## measure: TOPOLOGY=, build/bench.tsv
	$(Q)CC='$(CC)' tests/bench/run --build $(B) --topology '$(TOPOLOGY)'

# ---- Checks --------------------------------------------------------------

.PHONY: everything
everything: all tests $(call programs,$(STRESS)) $(BENCH_PROGRAMS) \
    $(if $(EXPLORE),$(X)/explore) $(EXPLORE_SELFTEST)	## build, run nothing

.PHONY: spin
spin: $(SETUP)	## check the Spin models and their seeded defects
	$(Q)CC='$(CC)' tests/spin/run

.PHONY: lint
lint: $(STATIC) $(SHARED)	## check manual, spelling, layers and sources
	$(Q)$(ENVIRONMENT) tests/lint/run

# ---- Fuzzing -------------------------------------------------------------
#
# Each target takes the library's sources with it; its twin fuzz_*-control has
# a seeded defect that must be found.

F := build/fuzz
FUZZ_CC ?= clang
FUZZ_COMPILE = $(FUZZ_CC) $(LANGUAGE) -O2 -g -DEVBUS_DEBUG -Iinclude -Isrc \
	$(CK_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-coverage=trace-cmp -fno-sanitize-recover=all -MMD -MP \
	$(WARNINGS)
FUZZ_PROGRAMS := $(patsubst tests/fuzz/%.c,$(F)/%,$(FUZZ))
FUZZ_OBJECTS := $(patsubst %.c,$(F)/obj/%.o,$(SOURCES) \
	$(filter-out $(FUZZ),$(wildcard tests/fuzz/*.c)))

$(F)/obj/%.o: %.c | $(SETUP)
	$(say) 'CC fuzz' $<
	@mkdir -p $(@D)
	$(Q)$(FUZZ_COMPILE) -c $< -o $@

$(F)/obj/%-control.o: %.c | $(SETUP)
	$(say) 'CC fuzz' '$< with its defect'
	@mkdir -p $(@D)
	$(Q)$(FUZZ_COMPILE) -DFUZZ_CONTROL -c $< -o $@

FUZZ_ALL := $(FUZZ_PROGRAMS) $(addsuffix -control,$(FUZZ_PROGRAMS))
$(FUZZ_ALL): $(F)/%: $(F)/obj/tests/fuzz/%.o $(FUZZ_OBJECTS)
	$(say) LD $@
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined $^ $(LIBS) -o $@

.PHONY: fuzz
fuzz: $(FUZZ_ALL)	## fuzz the calls and what they are given: EXECS=, TEST=
	$(Q)tests/fuzz/run -b $(F) $(if $(EXECS),-n $(EXECS)) \
	    $(call chosen,$(notdir $(FUZZ_PROGRAMS)))

.PHONY: coverage
coverage: $(SETUP)	## lines, branches and MC/DC that the tests reach
	$(Q)tests/coverage/run

.PHONY: faults
faults: tests	## every system call fails, in every way, at every place
	$(Q)EVBUS_FAULTS=all $(B)/tests/faults/test_syscalls
	$(Q)tests/faults/control

.PHONY: memcheck
memcheck: tests	## the tests under valgrind
	$(Q)tests/verify/memcheck -b $(B) $(if $(TEST),$(filter \
	    $(B)/tests/%,$(CHOSEN)))

.PHONY: analyze
analyze: $(SETUP)	## static analysis: gcc, clang, clang-tidy
	$(Q)tests/lint/analyze

.PHONY: matrix
matrix: $(SETUP)	## the tests by each compiler and way to optimise
	$(Q)tests/verify/matrix

.PHONY: verify
verify: $(SETUP)	## everything, in turn; takes a long while
	$(Q)tests/verify/run long

# ---- Install and pack ----------------------------------------------------

I := $(DESTDIR)$(INCLUDEDIR)
L := $(DESTDIR)$(LIBDIR)
M := $(DESTDIR)$(MANDIR)

.PHONY: install
install: $(LIBRARIES)	## install below PREFIX (and DESTDIR)
	$(Q)install -d $(I)/evbus $(L)/pkgconfig $(M)/man3 $(M)/man7
	$(Q)install -m 644 include/evbus.h $(I)
	$(Q)install -m 644 $(filter include/evbus/%,$(HEADERS)) $(I)/evbus
	$(Q)install -m 644 $(STATIC) $(L)
	$(Q)install -m 755 $(SHARED) $(L)
	$(Q)ln -sf $(notdir $(SHARED)) $(L)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(L)/libevbus.so
	$(Q)install -m 644 $(B)/evbus.pc $(L)/pkgconfig
	$(Q)for p in $(PAGES); do \
	    install -m 644 $$p $(M)/man$${p##*.} || exit 1; done

.PHONY: uninstall
uninstall:	## remove what install put there
	$(Q)rm -f $(patsubst include/%,$(I)/%,$(HEADERS))
	$(Q)rm -f $(L)/libevbus.a $(L)/libevbus.so $(L)/$(SONAME) \
	    $(L)/$(notdir $(SHARED)) $(L)/pkgconfig/evbus.pc
	$(Q)for p in $(PAGES); do \
	    rm -f $(M)/man$${p##*.}/$${p##*/} || exit 1; done
	$(Q)if test -d $(I)/evbus; then rmdir $(I)/evbus; fi

.PHONY: dist
dist:	## pack the committed sources into build/evbus-VERSION.tar.gz
	@mkdir -p build
	$(Q)git -c safe.directory='$(CURDIR)' archive --format=tar.gz \
	    --prefix=evbus-$(VERSION)/ -o build/evbus-$(VERSION).tar.gz HEAD
	@echo build/evbus-$(VERSION).tar.gz

.PHONY: clean
clean:	## remove build/
	$(Q)rm -rf build

.PHONY: help
help:	## this list
	@echo 'make TARGET [VARIABLE=value ...]; the variables stand at the' \
	    'top of the Makefile.'
	@awk '/^[a-z]+:/ { t = $$1; sub(/:/, "", t) } \
	    /\t## / { d = $$0; sub(/.*## /, "", d); printf "  %-11s %s\n", t, d }' \
	    Makefile

-include $(shell find $(B)/obj $(B)/pic $(X) $(F)/obj -name '*.d' 2>/dev/null)
.DELETE_ON_ERROR:
.SECONDARY:
