# Leerpoort: everything is built into build/, nothing else is written.
#
#   make            the module, the command and the unit tests
#   make help       the other targets
#
# Four variants come from the same rules: build/ (what is installed),
# build/asan/ (gcc, ASan and UBSan; the tests run a second time with it),
# build/fuzz/ (clang, libFuzzer) and the sources of nginx under build/compat/.
# Each keeps its flags in a file that its objects depend on, so that a change
# of flags rebuilds what it concerns.

ifneq ($(words $(CURDIR)),1)
$(error nginx's configure takes no folder with a space: $(CURDIR))
endif

MAKEFLAGS += --no-builtin-rules
# What is set on the command line is not for nginx's Makefile.
MAKEOVERRIDES =
.DELETE_ON_ERROR:
.SUFFIXES:

ifeq ($(origin CC),default)
CC = gcc
endif
CLANG   = clang
PYTHON  = /usr/bin/python3
NGINX_SRC = /usr/share/nginx/src
SECONDS = 60

PREFIX  = /usr/local
MODULES = /usr/lib/nginx/modules

# What a run prints: the name of each file, or with V=1 the commands.
ifeq ($(V),1)
Q =
say = @:
else
Q = @
say = @printf '  %-8s %s\n'
endif


# --- sources -----------------------------------------------------------------

CORE    := $(wildcard core/*.c)
# A program is named after the file with its main(), leerpoort_relay.c makes
# leerpoort-relay; all else in its folder is a library that each takes from.
MAINS   := $(wildcard workers/leerpoort.c workers/leerpoort_*.c \
             sso/leerpoort_*.c loadtest/leerpoort_*.c)
WORKERS := $(filter-out $(MAINS),$(wildcard workers/*.c))
SSO     := $(filter-out $(MAINS),$(wildcard sso/*.c))
LOAD    := $(filter-out $(MAINS),$(wildcard loadtest/*.c))
PROGRAMS := $(subst _,-,$(notdir $(MAINS:.c=)))
# MAIN_leerpoort-relay is workers/leerpoort_relay.
$(foreach main,$(MAINS:.c=), \
    $(eval MAIN_$(subst _,-,$(notdir $(main))) := $(main)))
MODULE  := $(wildcard ngx_module/*.c)
HEADERS := $(wildcard core/*.h ngx_module/*.h)
# The one file of the module that knows nothing of nginx: tests and fuzzers
# link it.
REPLY   := $(wildcard ngx_module/ngx_http_leerpoort_reply.c)
UNIT    := $(wildcard tests/unit/test_*.c)
# What several unit tests share.
UNIT_SHARED := $(filter-out $(UNIT),$(wildcard tests/unit/*.c))
FUZZ    := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_SHARED := $(filter-out $(FUZZ) tests/fuzz/replay.c, \
                 $(wildcard tests/fuzz/*.c))

UNIT_NAMES := $(UNIT:tests/unit/%.c=%)
FUZZ_NAMES := $(FUZZ:tests/fuzz/%.c=%)


# --- flags -------------------------------------------------------------------

CPPFLAGS = -D_GNU_SOURCE -Icore -Ingx_module -Iworkers
WARNINGS = -Wall -Wextra -Werror -Wformat=2 -Wshadow -Wstrict-prototypes \
           -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla
CFLAGS   = -O2 -g
LDFLAGS  =

HARDEN    = -fstack-protector-strong -fstack-clash-protection -fPIC \
            -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
HARDEN_LD = -Wl,-z,relro -Wl,-z,now
ifeq ($(shell uname -m),x86_64)
HARDEN   += -fcf-protection
endif

SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
           -fno-omit-frame-pointer

FLAGS_plain    = $(CFLAGS) $(HARDEN)
LDFLAGS_plain  = $(LDFLAGS) -pie $(HARDEN_LD)
CC_plain       = $(CC)

FLAGS_asan     = -O1 -g -fPIC $(SANITIZE)
LDFLAGS_asan   = $(LDFLAGS) -pie $(SANITIZE)
CC_asan        = $(CC)

# A histogram ends in an array without a length, and lies in the middle of a
# score: gcc's C, about which clang warns.
FLAGS_fuzz     = -O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link \
                 -Wno-gnu-variable-sized-type-not-at-end
LDFLAGS_fuzz   = $(LDFLAGS) $(SANITIZE) -fsanitize=fuzzer
CC_fuzz        = $(CLANG)

LIBS_core      = -lcrypto -ljansson
LIBS_leerpoort = -lhiredis -lcurl $(LIBS_core)
LIBS_leerpoort-worker = -lfcgi -lhiredis $(LIBS_core)
LIBS_leerpoort-relay  = -lhiredis -lcurl $(LIBS_core)
LIBS_leerpoort-tally  = -lhiredis $(LIBS_core)
LIBS_leerpoort-sso    = -lfcgi -lhiredis -lcurl $(LIBS_core)
LIBS_leerpoort-keys   = -lhiredis -lcurl $(LIBS_core)
LIBS_leerpoort-load   = -lssl -lhiredis -lcurl -lm $(LIBS_core)
LIBS_fuzz      = -lssl -lhiredis -lcurl -lfcgi -lm $(LIBS_core)
LIBS_unit      = -lcmocka $(LIBS_fuzz)


# --- targets for people ------------------------------------------------------

.PHONY: all demo rehearsal test bench fuzz tidy compat install clean help FORCE
.DEFAULT_GOAL := all

ALL := $(if $(CORE),build/libleerpoort-core.a) \
       $(PROGRAMS:%=build/%) \
       $(if $(MODULE),build/ngx_http_leerpoort_module.so)
UNITS := $(UNIT_NAMES:%=build/tests/%)
MUTANT := $(if $(MODULE),build/mutant/ngx_http_leerpoort_module.so)
ASAN  := $(ALL:build/%=build/asan/%) $(UNITS:build/%=build/asan/%) \
         $(FUZZ_NAMES:%=build/asan/replay/%)
FUZZERS := $(FUZZ_NAMES:%=build/fuzz/%)

all: deps-build deps-test $(ALL) $(UNITS)

demo: deps-build deps-demo $(ALL)
	@exec $(PYTHON) -B demo/demo.py $(if $(PORT),--port $(PORT))

# STAGES="units system" runs only these; see build-aux/run-tests.
test: deps-build deps-test $(ALL) $(UNITS) $(ASAN) $(MUTANT)
	@$(PYTHON) build-aux/run-tests $(STAGES)

# REHEARSAL="--seconds 600 --pupils 200000"; loadtest/rehearsal.py has them all.
rehearsal: deps-build deps-demo $(ALL)
	@exec $(PYTHON) -B loadtest/rehearsal.py $(REHEARSAL)

bench: deps-build deps-bench $(ALL)
	@exec $(PYTHON) bench/bench.py $(BENCH)

fuzz: deps-build deps-fuzz $(FUZZERS)
	@build-aux/run-fuzz $(SECONDS) $(FUZZ_NAMES)

tidy: deps-build deps-tidy build/nginx/Makefile
	@failed=0; $(PYTHON) build-aux/check-style || failed=1; \
	build-aux/run-tidy $(NGINX_SRC) build/nginx -- $(CPPFLAGS) -- \
	    $(CORE) $(MAINS) $(WORKERS) $(SSO) $(LOAD) $(UNIT) $(UNIT_SHARED) \
	    $(wildcard tests/fuzz/*.c) -- $(MODULE) || failed=1; \
	exit $$failed

compat: deps-build deps-compat build/leerpoort
	@build-aux/compat $(VERSIONS)

EXAMPLES = $(wildcard lua-free-conf/*)

install: $(ALL)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MODULES) \
	    $(DESTDIR)$(PREFIX)/share/doc/leerpoort/examples
	install -m 755 $(PROGRAMS:%=build/%) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 build/ngx_http_leerpoort_module.so $(DESTDIR)$(MODULES)/
	install -d $(DESTDIR)$(PREFIX)/share/leerpoort/plans
	install -m 644 $(wildcard loadtest/plans/*.json) \
	    $(DESTDIR)$(PREFIX)/share/leerpoort/plans/
	install -d $(DESTDIR)$(PREFIX)/share/leerpoort/hooks
	install -m 755 $(filter-out %.sh,$(wildcard loadtest/hooks/*)) \
	    $(DESTDIR)$(PREFIX)/share/leerpoort/hooks/
	install -m 644 loadtest/hooks/where.sh \
	    $(DESTDIR)$(PREFIX)/share/leerpoort/hooks/
	install -m 644 README.md LICENSE $(wildcard docs/*.md) \
	    $(DESTDIR)$(PREFIX)/share/doc/leerpoort/
	cp -R $(EXAMPLES) $(DESTDIR)$(PREFIX)/share/doc/leerpoort/examples/

clean:
	rm -rf build

help:
	@echo 'make             the nginx module, the programs, the unit tests'
	@echo 'make demo        a portal, a sign-in, an LMS, publishers to click through;'
	@echo '                 PORT=8080'
	@echo 'make rehearsal   the first school week in 3 minutes, and its verdict;'
	@echo '                 REHEARSAL="--seconds 600 --faults"'
	@echo 'make test        every test; STAGES="units system" for some of them'
	@echo 'make bench       the price of a checked click against return 302'
	@echo 'make fuzz        libFuzzer on every parser; SECONDS=60 for each'
	@echo 'make tidy        clang-tidy, cppcheck and the style checks'
	@echo 'make compat      build for and test with nginx 1.26 and 1.30'
	@echo 'make install     DESTDIR=, PREFIX=$(PREFIX), MODULES=$(MODULES)'
	@echo 'make clean       remove build/'
	@echo 'V=1 shows the commands. Missing Debian packages are installed first.'

# What must be installed: order-only for whatever needs it, so that it is
# looked at first, also with -j, and rebuilds nothing.
.PHONY: deps-build deps-demo deps-test deps-bench deps-fuzz deps-tidy \
        deps-compat

deps-build:
	@build-aux/install-deps build

deps-demo deps-test deps-bench deps-fuzz deps-tidy deps-compat: deps-build
	@build-aux/install-deps $(@:deps-%=%)


# --- one variant: $(1) its folder, $(2) its flags ----------------------------

define variant
$(1)/flags: FORCE | deps-build
	@mkdir -p $(1)
	@echo '$$(CC_$(2)) $$(CPPFLAGS) $$(FLAGS_$(2)) $$(LDFLAGS_$(2))' \
	    '$$(WARNINGS)' | cmp -s - $$@ \
	    || echo '$$(CC_$(2)) $$(CPPFLAGS) $$(FLAGS_$(2)) $$(LDFLAGS_$(2))' \
	    '$$(WARNINGS)' > $$@

$(1)/obj/%.o: %.c $(1)/flags | deps-build
	@mkdir -p $$(@D)
	$$(say) '$$(CC_$(2))' $$@
	$$(Q)$$(CC_$(2)) -std=c11 $$(CPPFLAGS) $$(FLAGS_$(2)) $$(WARNINGS) \
	    -MMD -MP -c -o $$@ $$<

# The archive is made anew: a file that is gone must not live on in it.
$(1)/libleerpoort-core.a: $(CORE:%.c=$(1)/obj/%.o)
	$$(say) AR $$@
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

$(1)/libleerpoort-workers.a: $(WORKERS:%.c=$(1)/obj/%.o)
	$$(say) AR $$@
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

$(1)/libleerpoort-sso.a: $(SSO:%.c=$(1)/obj/%.o)
	$$(say) AR $$@
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

$(1)/libleerpoort-load.a: $(LOAD:%.c=$(1)/obj/%.o)
	$$(say) AR $$@
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

.SECONDEXPANSION:
$(PROGRAMS:%=$(1)/%): $(1)/%: $(1)/obj/$$$$(MAIN_$$$$*).o \
    $(1)/libleerpoort-load.a $(1)/libleerpoort-sso.a \
    $(1)/libleerpoort-workers.a $(1)/libleerpoort-core.a
	$$(say) LINK $$@
	$$(Q)$$(CC_$(2)) $$(FLAGS_$(2)) $$(LDFLAGS_$(2)) -o $$@ $$^ \
	    $$(LIBS_$$(@F))

$(UNIT_NAMES:%=$(1)/tests/%): $(1)/tests/%: $(1)/obj/tests/unit/%.o \
    $(UNIT_SHARED:%.c=$(1)/obj/%.o) $(REPLY:%.c=$(1)/obj/%.o) \
    $(1)/libleerpoort-load.a $(1)/libleerpoort-sso.a \
    $(1)/libleerpoort-workers.a $(1)/libleerpoort-core.a
	@mkdir -p $$(@D)
	$$(say) LINK $$@
	$$(Q)$$(CC_$(2)) $$(FLAGS_$(2)) $$(LDFLAGS_$(2)) -o $$@ $$^ \
	    $$(LIBS_unit)

$(patsubst %,$(1)/obj/%.o,$(basename $(UNIT) $(UNIT_SHARED))): | deps-test

-include $$(wildcard $(1)/obj/*/*.d $(1)/obj/*/*/*.d)
endef

$(eval $(call variant,build,plain))
$(eval $(call variant,build/asan,asan))
$(eval $(call variant,build/fuzz,fuzz))


# --- fuzzers, and the same run over the kept corpora by gcc's sanitizers -----

$(FUZZERS): build/fuzz/%: build/fuzz/obj/tests/fuzz/%.o \
    $(FUZZ_SHARED:%.c=build/fuzz/obj/%.o) $(REPLY:%.c=build/fuzz/obj/%.o) \
    build/fuzz/libleerpoort-load.a build/fuzz/libleerpoort-sso.a \
    build/fuzz/libleerpoort-workers.a build/fuzz/libleerpoort-core.a
	$(say) LINK $@
	$(Q)$(CC_fuzz) $(FLAGS_fuzz) $(LDFLAGS_fuzz) -o $@ $^ $(LIBS_fuzz)

$(patsubst %.c,build/fuzz/obj/%.o, \
    $(FUZZ) $(FUZZ_SHARED) $(CORE) $(WORKERS) $(SSO) $(LOAD) \
    $(REPLY)): | deps-fuzz

$(FUZZ_NAMES:%=build/asan/replay/%): build/asan/replay/%: \
    build/asan/obj/tests/fuzz/%.o build/asan/obj/tests/fuzz/replay.o \
    $(FUZZ_SHARED:%.c=build/asan/obj/%.o) $(REPLY:%.c=build/asan/obj/%.o) \
    build/asan/libleerpoort-load.a build/asan/libleerpoort-sso.a \
    build/asan/libleerpoort-workers.a build/asan/libleerpoort-core.a
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC_asan) $(FLAGS_asan) $(LDFLAGS_asan) -o $@ $^ $(LIBS_fuzz)


# --- the module, by nginx's own build against Debian's nginx-dev -------------
#
# nginx's Makefile knows its objects but not when to configure again: that is
# when config, the list of sources, the flags or nginx itself changed.

MODULE_CC   = -fno-semantic-interposition
MODULE_LD   = -Wl,-Bsymbolic-functions
MODULE_plain = "$(FLAGS_plain) -Wextra $(MODULE_CC)" "$(HARDEN_LD) $(MODULE_LD)"
MODULE_asan  = "$(FLAGS_asan) -Wextra $(MODULE_CC)" "$(SANITIZE) $(MODULE_LD)"
# One redirect in 10,000 is wrong: what a rehearsal must notice. For one test.
MODULE_mutant = "$(FLAGS_plain) -Wextra $(MODULE_CC) -DLEERPOORT_MUTANT=10000" \
                "$(HARDEN_LD) $(MODULE_LD)"

define module
$(1)/nginx/inputs: FORCE | deps-build
	@mkdir -p $(1)/nginx
	@(echo '$$(CC)' '$$(MODULE_$(2))' $(MODULE) $(CORE) $(HEADERS) && \
	  cksum $(NGINX_SRC)/conf_flags $(NGINX_SRC)/src/core/nginx.h) \
	  > $$@.new && { cmp -s $$@.new $$@ || cp $$@.new $$@; }

$(1)/nginx/Makefile: $(1)/nginx/inputs config build-aux/configure-module
	$$(say) CONF $(1)/nginx
	$$(Q)CC='$$(CC)' build-aux/configure-module $(NGINX_SRC) $(1)/nginx \
	    $$(MODULE_$(2))

$(1)/ngx_http_leerpoort_module.so: $(1)/nginx/Makefile \
    $(MODULE) $(CORE) $(HEADERS)
	$$(say) NGINX $$@
	$$(Q)$$(MAKE) $$(if $$(Q),-s) --no-print-directory -C $(NGINX_SRC) \
	    -f $(CURDIR)/$(1)/nginx/Makefile modules
	@cp $(1)/nginx/ngx_http_leerpoort_module.so $$@.new && mv $$@.new $$@
endef

$(eval $(call module,build,plain))
$(eval $(call module,build/asan,asan))
$(eval $(call module,build/mutant,mutant))
