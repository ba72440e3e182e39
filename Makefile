# SPDX-License-Identifier: GPL-2.0-or-later
#
# The index of the project. `scripts/install-deps` brings what is needed; then
#
#   make              build/usher-tun, build/usher-gate and build/libusher.so.0
#   make demo         the main job in four network namespaces, step by step (root)
#   make check        every test; SAN=1 the same with ASan and UBSan, in build-san
#   make bench        against other tunnels; bench-quick in two minutes; bench-held with 30,000 flows
#   make install      into PREFIX, below DESTDIR; RUN_AS=usher: with a user of their own in the place of nobody
#   make deb          Debian packages, in build/deb; packages-check tries them, and builds for arm64 and with musl
#   make static       programs that need nothing of the machine they are copied to, in build/static
#   make format       lays the sources out again
#
# and the parts of the check: lint unit sim fuzz-replay net. `make fuzz` builds the fuzzers (clang) into build/fuzz,
# scripts/fuzz runs them.
# V=1 shows the commands.

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
UNITDIR    ?= $(PREFIX)/lib/systemd/system
NETWORKD   ?= $(PREFIX)/lib/systemd
SYSUSERS   ?= $(PREFIX)/lib/sysusers.d
TMPFILES   ?= $(PREFIX)/lib/tmpfiles.d
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
# Where the system's policy knows of it.
APPARMOR   ?= $(if $(wildcard /etc/apparmor.d/abi/4.0),/etc/apparmor.d)
NMDIR      ?= $(if $(filter /usr,$(PREFIX)),/usr/lib,/etc)/NetworkManager/conf.d
# CROSS=aarch64-linux-gnu- BUILD=build/arm64 for another machine, whose headers and libraries are below SYSROOT.
ifneq ($(CROSS),)
CC         := $(CROSS)gcc $(if $(SYSROOT),--sysroot=$(abspath $(SYSROOT)))
AR         := $(CROSS)ar
OBJCOPY    := $(CROSS)objcopy
PKG_CONFIG := $(if $(SYSROOT),PKG_CONFIG_SYSROOT_DIR=$(abspath $(SYSROOT)) PKG_CONFIG_LIBDIR=$(abspath \
  $(SYSROOT))/usr/lib/$(CROSS:-=)/pkgconfig) pkg-config
endif
CC         ?= cc
AR         ?= ar
OBJCOPY    ?= objcopy
PKG_CONFIG ?= pkg-config
MACHINE    := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
PYTHON     ?= /usr/bin/python3
BUILD      ?= $(if $(SAN),build-san,build)

# Sources of wolfSSL and lwIP: fetched, or wherever these say.
DEPS := build/deps
ifneq ($(WOLFSSL_DIR)$(LWIP_DIR),)
export WOLFSSL_DIR LWIP_DIR
endif
WOLFSSL := $(or $(WOLFSSL_DIR),$(DEPS)/wolfssl)
LWIP    := $(or $(LWIP_DIR),$(DEPS)/lwip)

PACKAGES := libuv libcares libnl-3.0 inih jansson libseccomp libcap-ng
# Where it is installed: src/link/tls/gcm.c.
IPSEC_MB := $(shell [ $(MACHINE) = x86_64 ] && $(CC) -E -include intel-ipsec-mb.h -x c /dev/null >/dev/null 2>&1 && echo -lIPSec_MB)
OPTIONAL := $(shell $(PKG_CONFIG) --exists libsystemd 2>/dev/null && echo libsystemd)
CURSES   := $(shell $(PKG_CONFIG) --exists ncursesw 2>/dev/null && echo ncursesw)
BUILT    := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)
# Of a tree without its history: VERSION=, SOURCE_DATE_EPOCH=.
VERSION  := $(or $(VERSION),$(shell scripts/version))

# ---------------------------------------------------------------------------------------------------------- flags

# $(call try,FLAGS): those FLAGS, if this compiler knows them.
try = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo $(1))

FORTIFY  := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
# One set of objects serves programs and library: nobody outside may replace our functions, so PIC costs nothing.
HARDEN   := -fPIC -fvisibility=hidden -fstack-protector-strong \
            -ffile-prefix-map=$(CURDIR)=. $(call try,-fstack-clash-protection) $(call try,-fcf-protection) $(call try,-ftrivial-auto-var-init=zero)
SANITIZE := $(if $(SAN),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Werror
# Only what a floor may see is on its path, so a header used outside its fence does not even compile.
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(HARDEN) $(if $(SAN)$(FUZZING),,$(FORTIFY)) $(SANITIZE) \
             $(EXTRA_CFLAGS) -MD -MP -Isrc $(if $(OPTIONAL),-DUSHER_SYSTEMD) $(if $(RUN_AS),-DUSHER_RUN_AS=$(RUN_AS))
WOLFSSL_CPPFLAGS = -Isrc/link/tls/wolfssl -DWOLFSSL_USER_SETTINGS -isystem $(WOLFSSL)
LWIP_CPPFLAGS    = -Ilwip-port -isystem $(LWIP)/src/include
NL_CPPFLAGS     := $(shell $(PKG_CONFIG) --cflags libnl-3.0 2>/dev/null)
PKG_CPPFLAGS    := $(filter-out $(NL_CPPFLAGS),$(shell $(PKG_CONFIG) --cflags $(PACKAGES) $(OPTIONAL) 2>/dev/null))

ALL_LDFLAGS = -pie $(BASE_LDFLAGS)
BASE_LDFLAGS = -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(SANITIZE) $(EXTRA_CFLAGS) $(LDFLAGS)
LIBS       := $(shell $(PKG_CONFIG) --libs $(PACKAGES) $(OPTIONAL) 2>/dev/null) $(IPSEC_MB) -lm

Q    := $(if $(V),,@)
say   = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# --------------------------------------------------------------------------------------------------------- sources

# The console, where what it stands on is installed.
CONSOLE  := $(shell $(PKG_CONFIG) --exists libmicrohttpd gnutls 2>/dev/null && echo console)
WEB_LIBS := $(if $(CONSOLE),$(shell $(PKG_CONFIG) --libs libmicrohttpd gnutls))
FLOORS := base usher packet stack os link edge exchange node config enrol portal gate pki cli libusher $(CONSOLE)
lib     = $(BUILD)/lib$(1).a
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
floor_objects = $(call objects,$(filter-out %/main.c,$(wildcard src/$(1)/*.c src/$(1)/*/*.c src/$(1)/*/*/*.c)))

UNIT   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(filter-out $(if $(CONSOLE),,%/test_console.c),$(wildcard tests/unit/test_*.c)))
SHARED := $(call objects,$(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c)))
SIM    := $(if $(wildcard tests/sim/*.c),$(BUILD)/usher-sim)
FUZZ   := $(patsubst tests/fuzz/fuzz_%.c,%,$(filter-out $(if $(CONSOLE),,%/fuzz_form.c),$(wildcard tests/fuzz/fuzz_*.c)))
REPLAY := $(FUZZ:%=$(BUILD)/replay/fuzz_%)
TOOLS  := $(if $(wildcard tests/wan/*.c),$(BUILD)/wan) $(if $(wildcard tests/bench/*.c),$(BUILD)/bench/load)
NET    := $(wildcard tests/net/test_*.py)

PROGRAMS := $(BUILD)/usher-tun $(BUILD)/usher-gate $(BUILD)/usher-pki-serve $(if $(CONSOLE),$(BUILD)/usher-console)
# For programs of others: libusher.a and libusher.so once installed. In here libusher.a is what stands in src/usher/.
SONAME   := libusher.so.0
LIBRARY  := $(BUILD)/$(SONAME) $(BUILD)/libusher-client.a $(BUILD)/usher-cat

# All floors and what they stand on; the group lets them be searched until nothing is missing.
ARCHIVES  := $(foreach f,$(FLOORS),$(call lib,$(f))) $(BUILD)/liblwip.a
WOLFDIR   := $(if $(CROSS),$(BUILD)/wolfssl,$(DEPS))
WOLFLIB   := $(WOLFDIR)/libwolfssl.a
.PHONY: all
all: $(PROGRAMS) $(LIBRARY) $(ARCHIVES) $(WOLFLIB)

link_all = $(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

$(BUILD)/usher-tun: $(BUILD)/obj/src/portal/main.o $(filter-out $(call lib,gate),$(ARCHIVES)) $(WOLFLIB)
$(BUILD)/usher-gate: $(BUILD)/obj/src/gate/main.o $(filter-out $(call lib,portal),$(ARCHIVES)) $(WOLFLIB)
$(BUILD)/usher-console: LIBS += $(WEB_LIBS)
$(BUILD)/usher-console: $(BUILD)/obj/src/console/main.o $(filter-out $(foreach f,portal gate libusher,$(call lib,$(f))),$(ARCHIVES)) $(WOLFLIB)
$(BUILD)/obj/src/console/assets.o: $(addprefix src/console/,style.css live.js icon.svg)
$(BUILD)/usher-pki-serve: $(BUILD)/obj/src/pki/main.o $(filter-out $(call lib,portal) $(call lib,gate),$(ARCHIVES)) $(WOLFLIB)
$(PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(link_all) $(if $(CURSES),$(shell $(PKG_CONFIG) --libs $(CURSES)))

# The library: all of it one object of which nothing is to be seen but its interface, so that it stands no other wolfSSL or
# lwIP in the way.
CLIENT := $(call lib,libusher) $(filter-out $(foreach f,portal gate pki stack console libusher,$(call lib,$(f))) %/liblwip.a,$(ARCHIVES)) \
          $(WOLFLIB)
MAP    := src/libusher/libusher.map
$(BUILD)/$(SONAME): $(call floor_objects,libusher) $(CLIENT) $(MAP)
	$(call say,LINK,$@)
	$(Q)$(CC) -shared $(BASE_LDFLAGS) $(if $(SAN),,-Wl,-z,defs) -Wl,-soname,$(SONAME) -Wl,--version-script,$(MAP) -o $@ \
	  $(filter %.o,$^) -Wl,--start-group $(CLIENT) -Wl,--end-group $(LIBS)
	$(Q)ln -sf $(SONAME) $(BUILD)/libusher.so
$(BUILD)/libusher-client.a: $(call floor_objects,libusher) $(CLIENT) $(MAP)
	$(call say,AR,$@)
	$(Q)$(CC) -r -nostdlib -o $(@:.a=.o) $(filter %.o,$^) -Wl,--start-group $(CLIENT) -Wl,--end-group
	$(Q)sed -n 's/^ *\(usher_[a-z_]*\);/\1/p' $(MAP) >$(@:.a=.names)
	$(Q)$(OBJCOPY) --keep-global-symbols=$(@:.a=.names) $(@:.a=.o)
	$(Q)rm -f $@ && $(AR) qcs $@ $(@:.a=.o)

# The example, as somebody else would build it, but for where the library lies.
$(BUILD)/usher-cat: doc/examples/usher-cat.c src/libusher/usher.h $(BUILD)/$(SONAME)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) $(WARN) $(SANITIZE) -Isrc/libusher -o $@ $< -L$(BUILD) -lusher -Wl,-rpath,'$$ORIGIN'

define floor
$(call lib,$(1)): $(call floor_objects,$(1)) $(BUILD)/flags
endef
$(foreach f,$(FLOORS),$(eval $(call floor,$(f))))
# q, for r would keep one only of two files of one name in different rooms of a floor.
$(ARCHIVES):
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) qcs $@ $(filter %.o,$^)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(DEPS)/fetched
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(WARN) $(CPPFLAGS) $(PKG_CPPFLAGS) $(FENCED) -c $< -o $@

$(BUILD)/obj/src/stack/%.o: FENCED = $(LWIP_CPPFLAGS)
$(BUILD)/obj/lwip-port/%.o: FENCED = $(LWIP_CPPFLAGS)
$(BUILD)/obj/src/link/tls/%.o: FENCED = $(WOLFSSL_CPPFLAGS)
$(BUILD)/obj/src/link/tls/identity.o: FENCED = $(WOLFSSL_CPPFLAGS) -DUSHER_BUILT=$(BUILT)
$(BUILD)/obj/src/link/tls/identity.o: $(BUILD)/version
$(BUILD)/obj/src/link/tls/gcm.o: FENCED = $(WOLFSSL_CPPFLAGS) $(if $(IPSEC_MB),-DUSHER_IPSEC_MB)
$(BUILD)/obj/src/os/netlink/%.o: FENCED = $(NL_CPPFLAGS)
$(BUILD)/obj/src/cli/version.o: FENCED = -DUSHER_VERSION='"$(VERSION)"' \
  -DUSHER_LWIP_VERSION='"$(shell sed -n 's/^lwip //p' $(DEPS)/versions)"'
$(BUILD)/obj/src/cli/version.o: $(BUILD)/version
# Without ncurses, top prints once.
$(BUILD)/obj/src/cli/top/%.o: FENCED = $(if $(CURSES),-DUSHER_CURSES $(shell $(PKG_CONFIG) --cflags ncursesw))
$(BUILD)/obj/tests/%.o: FENCED = -Itests
$(BUILD)/obj/tests/fuzz/%.o: FENCED = -Itests $(if $(FUZZING),-fno-sanitize=fuzzer-no-link)
$(BUILD)/obj/tests/unit/test_tls_gcm.o: FENCED = $(WOLFSSL_CPPFLAGS)

# ------------------------------------------------------------------------------------------------ wolfSSL and lwIP

$(DEPS)/fetched: scripts/fetch-deps $(DEPS)/where
	$(Q)scripts/fetch-deps
	@touch $@

# wolfSSL, by our own settings and with its assembly, which brings its own instruction sets and picks one at run time.
# One library serves every build, so it has neither their sanitisers nor what only one compiler knows.
WOLFSSL_C := $(addprefix src/,crl internal keys ssl tls tls13 wolfio) $(addprefix wolfcrypt/src/,aes asn chacha \
  chacha20_poly1305 coding cpuid cryptocb curve25519 ecc ed25519 ed448 error fe_448 fe_operations ge_448 ge_operations hash \
  hmac kdf logging memory misc poly1305 pwdbased random rsa sha256 sha3 sha512 signature sp_c32 sp_c64 sp_int sp_x86_64 \
  wc_encrypt wc_port wolfmath)
WOLFSSL_S := $(if $(filter x86_64,$(MACHINE)),$(addprefix wolfcrypt/src/,aes_asm aes_gcm_asm chacha_asm \
  fe_x25519_asm poly1305_asm sha256_asm sha3_asm sha512_asm sp_x86_64_asm))
WOLFSSL_CFLAGS := -O2 -g -w -fPIC -ffile-prefix-map=$(CURDIR)=. -fvisibility=hidden -fstack-protector-strong -fstack-clash-protection $(FORTIFY) $(WOLFSSL_CPPFLAGS)
wolfssl_object = $(WOLFDIR)/obj/$(1).o
WOLFSSL_CO := $(foreach f,$(WOLFSSL_C),$(call wolfssl_object,$(f)))
WOLFSSL_SO := $(foreach f,$(WOLFSSL_S),$(call wolfssl_object,$(f)))

$(WOLFSSL_CO) $(WOLFSSL_SO): $(DEPS)/fetched $(WOLFDIR)/flags src/link/tls/wolfssl/user_settings.h
$(call wolfssl_object,wolfcrypt/src/aes): WITH := $(if $(WOLFSSL_S),-maes -mpclmul -msse4.1)
$(WOLFSSL_CO):
	@mkdir -p $(@D)
	$(Q)$(CC) $(WOLFSSL_CFLAGS) $(WITH) -c $(WOLFSSL)/$(@:$(WOLFDIR)/obj/%.o=%.c) -o $@
$(WOLFSSL_SO):
	@mkdir -p $(@D)
	$(Q)$(CC) $(WOLFSSL_CPPFLAGS) -include src/link/tls/wolfssl/user_settings.h -Wa,--noexecstack \
	  -c $(WOLFSSL)/$(@:$(WOLFDIR)/obj/%.o=%.S) -o $@
$(WOLFLIB): $(WOLFSSL_CO) $(WOLFSSL_SO)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# lwIP: the core alone. Its checksums and list walks read unaligned words, which every processor we build for allows.
LWIP_C := $(addprefix core/,def inet_chksum init ip mem memp netif pbuf tcp tcp_in tcp_out timeouts) \
  $(addprefix core/ipv4/,ip4 ip4_addr) $(addprefix core/ipv6/,ip6 ip6_addr nd6 icmp6)
LWIP_O := $(LWIP_C:%=$(BUILD)/lwip/%.o)

$(LWIP_O): $(DEPS)/fetched $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(SAN)$(FUZZING),-fno-sanitize=alignment) -w $(LWIP_CPPFLAGS) \
	  -c $(LWIP)/src/$(@:$(BUILD)/lwip/%.o=%.c) -o $@
$(BUILD)/liblwip.a: $(LWIP_O) $(call objects,$(wildcard lwip-port/*.c))

# ------------------------------------------------------------- what makes everything, or the version, out of date

define stamp
$(1): FORCE
	@mkdir -p $$(@D)
	@echo '$(2)' | cmp -s - $$@ || echo '$(2)' >$$@
endef
$(eval $(call stamp,$(WOLFDIR)/flags,$(subst ','\'',$(WOLFSSL_CFLAGS))))
$(eval $(call stamp,$(DEPS)/where,$(WOLFSSL) $(LWIP)))
$(eval $(call stamp,$(BUILD)/version,$(VERSION)))
$(BUILD)/flags: FLAGS_NOW = $(CC) $(ALL_CFLAGS) $(PKG_CPPFLAGS) $(LWIP_CPPFLAGS) $(WOLFSSL_CPPFLAGS)
$(BUILD)/flags: FORCE
	@$(PKG_CONFIG) --exists --print-errors $(PACKAGES) || { echo 'run scripts/install-deps' >&2; false; }
	@mkdir -p $(@D)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' >$@
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: FORCE
FORCE:

# ----------------------------------------------------------------------------------------------------------- tests

.PHONY: check tests lint unit sim fuzz-replay net tools print-build
check:
	@scripts/check
tests: lint unit sim fuzz-replay net

# tests/run counts what passed and failed into $(BUILD)/results, of which scripts/check makes its last line.
run = @BUILD='$(abspath $(BUILD))' CC='$(CC)' SAN='$(SAN)' tests/run
lint: all
	$(run) lint scripts/check-layers scripts/check-format
unit: $(UNIT)
	$(run) unit $^
sim: $(SIM)
	$(run) sim $^
fuzz-replay: $(REPLAY)
	$(run) fuzz-replay $^
net: all tools
	$(if $(NET),$(run) net '$(PYTHON) tests/net/streams.py')
tools: $(TOOLS)
print-build:
	@echo '$(BUILD)'

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(SHARED) $(ARCHIVES) $(WOLFLIB)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(link_all) -lcmocka
$(SIM): $(call objects,$(wildcard tests/sim/*.c)) $(foreach f,link usher base,$(call lib,$(f)))
	$(call say,LINK,$@)
	$(Q)$(link_all)
$(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o $(ARCHIVES) $(WOLFLIB)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(link_all)
$(BUILD)/wan: $(call objects,$(wildcard tests/wan/*.c))
$(BUILD)/bench/load: $(call objects,$(wildcard tests/bench/*.c))
$(TOOLS):
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lm

# Fuzzers: the same rules once more, in their own directory, with clang's instrumentation.
# fuzz-fast has no ASan, of UBSan no report but a trap, no hardening, and does not look into comparisons, not even those of
# the C library (that is another archive of clang's, which -fsanitize=fuzzer would add): for the bulk of executions. What is
# linked in there spares them what costs time and says nothing.
FUZZ_QUICK   := tests/fuzz/heap tests/fuzz/pages tests/fuzz/rounds
FUZZ_WRAPPED := calloc free heap_pages heap_pages_free sha1_pbkdf2
.PHONY: fuzz fuzz-fast fuzz-programs
fuzz:
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz FUZZING=1 \
	  EXTRA_CFLAGS='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' fuzz-programs
fuzz-fast:
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz-fast FUZZING=1 HARDEN=-fPIC \
	  FUZZER='$(shell clang -print-runtime-dir)/libclang_rt.fuzzer-$(shell uname -m).a -lstdc++ $(FUZZ_WRAPPED:%=-Wl,--wrap=%)' \
	  EXTRA_CFLAGS='-fsanitize=fuzzer-no-link,undefined -fsanitize-trap=undefined -fno-sanitize-coverage=trace-cmp,indirect-calls' \
	  fuzz-programs
fuzz-programs: $(FUZZ:%=$(BUILD)/fuzz_%)
$(BUILD)/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(if $(FUZZER),$(FUZZ_QUICK:%=$(BUILD)/obj/%.o)) $(ARCHIVES) $(WOLFLIB)
	$(call say,LINK,$@)
	$(Q)$(link_all) $(or $(FUZZER),-fsanitize=fuzzer)

# --------------------------------------------------------------------------------------- demo, bench, format, install

.PHONY: demo bench bench-held bench-quick format install clean
demo:
	@scripts/demo
bench: all tools
	$(Q)BUILD='$(abspath $(BUILD))' $(PYTHON) tests/bench/bench.py --json $(BUILD)/bench/results.json
# Held flows alone, 30,000 of them: where one process may not have so many descriptors, in a machine where it may.
bench-held: all tools
	$(Q)BUILD='$(abspath $(BUILD))' $$([ "$$(ulimit -Hn)" -ge 31000 ] || echo tests/bench/machine) \
	  $(PYTHON) tests/bench/bench.py --hold --rounds 3 --paths direct,usher-tun
bench-quick: all tools
	$(Q)BUILD='$(abspath $(BUILD))' $(PYTHON) tests/bench/bench.py --quick
format:
	$(Q)clang-format -i $(wildcard src/*/*.[ch] src/*/*/*.[ch] src/*/*/*/*.[ch] doc/examples/*.c lwip-port/*.[ch] lwip-port/*/*.h tests/*/*.[ch])

install: all
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(UNITDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR) $(BASHDIR) $(ZSHDIR) $(FISHDIR))
	install $(PROGRAMS) scripts/usher-pki $(DESTDIR)$(BINDIR)
	for program in $(filter-out usher-pki-serve,$(notdir $(PROGRAMS))) usher-pki; do \
	  install -m 644 scripts/completion/usher.bash $(DESTDIR)$(BASHDIR)/$$program; \
	  sed "s|@PROGRAM@|$$program|" scripts/completion/usher.zsh >$(DESTDIR)$(ZSHDIR)/_$$program; \
	  sed "s|@PROGRAM@|$$program|; s|@FUNCTION@|$${program#usher-}|" scripts/completion/usher.fish \
	    >$(DESTDIR)$(FISHDIR)/$$program.fish; done
	install -m 644 $(BUILD)/$(SONAME) $(DESTDIR)$(LIBDIR)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libusher.so
	install -m 644 $(BUILD)/libusher-client.a $(DESTDIR)$(LIBDIR)/libusher.a
	install -m 644 src/libusher/usher.h $(DESTDIR)$(INCLUDEDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	  -e 's|@VERSION@|$(VERSION)|' -e 's|@PRIVATE@|$(LIBS)|' src/libusher/libusher.pc.in \
	  >$(DESTDIR)$(LIBDIR)/pkgconfig/libusher.pc
	for page in $(notdir $(wildcard doc/man/*.[1-8])); do \
	  install -d $(DESTDIR)$(MANDIR)/man$${page##*.}; \
	  sed 's|^\.Os$$|.Os usher-tun $(VERSION)|; $(if $(RUN_AS),s|^\.Ql nobody \.$$|.Ql $(RUN_AS) .|)' doc/man/$$page \
	    >$(DESTDIR)$(MANDIR)/man$${page##*.}/$$page; done
	install -D -m 644 -t $(DESTDIR)$(NETWORKD)/network scripts/network/00-usher.network
	install -D -m 644 scripts/network/networkd-usher.conf $(DESTDIR)$(NETWORKD)/networkd.conf.d/50-usher.conf
	install -D -m 644 scripts/network/NetworkManager-usher.conf $(DESTDIR)$(NMDIR)/50-usher.conf
	$(if $(CONSOLE),install -D -m 644 -t $(DESTDIR)$(SYSUSERS) scripts/sysusers/usher-console.conf)
	$(if $(CONSOLE),install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/usher/monitoring $(addprefix doc/monitoring/,usher.rules.yml grafana-usher.json))
	$(if $(CONSOLE),install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/polkit-1/rules.d scripts/polkit/usher-console.rules)
	install -D -m 644 -t $(DESTDIR)$(TMPFILES) scripts/tmpfiles/usher.conf
	install -d $(DESTDIR)$(SYSUSERS)
	sed '$(if $(filter-out usher,$(RUN_AS)),s|@USER@|$(RUN_AS)|,/@USER@/d)' scripts/sysusers/usher.conf >$(DESTDIR)$(SYSUSERS)/usher.conf
	$(if $(APPARMOR),install -d $(DESTDIR)$(APPARMOR) && sed 's|@BINDIR@|$(BINDIR)|' scripts/apparmor/usher-tun \
	  >$(DESTDIR)$(APPARMOR)/usher-tun)
	for unit in $(filter-out $(if $(CONSOLE),,usher-console.service),$(notdir $(wildcard scripts/systemd/*.service))); do \
	  sed 's|@BINDIR@|$(BINDIR)|' scripts/systemd/$$unit >$(DESTDIR)$(UNITDIR)/$$unit; done

# ------------------------------------------------------------------------------------------------------------ packages

# What takes minutes, and tools that no other test needs, is no part of the check.
.PHONY: deb static packages-check
deb: $(DEPS)/fetched
	$(Q)scripts/build-deb '$(VERSION)'
static: $(DEPS)/fetched
	$(Q)scripts/build-static
packages-check: deb static
	$(Q)scripts/check-deb
	$(Q)scripts/check-systemd
	$(Q)scripts/check-bare
	$(Q)scripts/check-static
	$(Q)scripts/check-reproducible build/deb
	$(Q)scripts/check-arm64

clean:
	rm -rf build-san $(filter-out $(DEPS),$(wildcard build/*)) $(DEPS)/obj $(WOLFLIB)

-include $(shell find $(BUILD)/obj $(BUILD)/lwip -name '*.d' 2>/dev/null)
