# SPDX-License-Identifier: GPL-2.0-only
# migrate-notify: the library, its Python sibling, the programs, the examples and their tests.
# Included by Makefile.

MN_SO := libmigrate-notify.so.1
LIBDIR ?= $(PREFIX)/lib/$(shell $(CC) -print-multiarch)
PYTHONDIR ?= $(PREFIX)/lib/python3/dist-packages
CXX ?= g++

MN_CPPFLAGS = -D_GNU_SOURCE -DHYBRID_VERSION=\"$(VERSION)\" -Ilib -I../include/uapi $(CPPFLAGS)
MN_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS)
MN_CXXFLAGS = -std=c++17 $(WARN) $(CFLAGS)
JSON_CFLAGS := $(shell $(PKG_CONFIG) --cflags json-c)
JSON_LIBS := $(shell $(PKG_CONFIG) --libs json-c)

MN_LIB := cpu ctx dispatch features
MN_PROTO := line msg
MN_CLI := agent drive main show
MN_HOST := main port xen xs
MN_WORKER := plain worker x86
MN_TESTS := lib dispatch proto
MN_FUZZ := msg xs xen

mn_objs = $(foreach o,$(2),$(BUILD)/$(1)/$(o).o)
mn_lib_objs = $(call mn_objs,$(1)/lib,$(MN_LIB))
mn_proto_objs = $(call mn_objs,$(1)/proto,$(MN_PROTO))

# obj: as installed; pic: for the shared library; san: sanitizers; tsan: threads
$(BUILD)/obj/lib/%.o: lib/%.c
	$(call mn_compile,-fvisibility=hidden)
$(BUILD)/pic/lib/%.o: lib/%.c
	$(call mn_compile,-fvisibility=hidden -fPIC)
$(BUILD)/obj/%.o: %.c ../VERSION
	$(call mn_compile,$(JSON_CFLAGS))
$(BUILD)/san/%.o: %.c ../VERSION
	$(call mn_compile,$(SAN) $(JSON_CFLAGS))
# (as specific as Makefile's rule for hybridctl's tests)
$(BUILD)/san/tests/mn/%.o: tests/mn/%.c
	$(call mn_compile,$(SAN) $(JSON_CFLAGS))
$(BUILD)/tsan/%.o: %.c
	$(call mn_compile,-fsanitize=thread -Wno-tsan)

define mn_compile
@mkdir -p $(@D)
$(CC) $(MN_CPPFLAGS) $(MN_CFLAGS) $(1) -MMD -MP -c -o $@ $<
endef

# The library: the header exports, the version script hides all else.
$(BUILD)/$(MN_SO): $(call mn_lib_objs,pic) lib/libmigrate-notify.sym
	$(CC) $(MN_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(MN_SO) -Wl,-z,defs,-z,now \
		-Wl,--version-script=lib/libmigrate-notify.sym -o $@ $(filter %.o,$^) -pthread
	ln -sf $(MN_SO) $(BUILD)/libmigrate-notify.so
$(BUILD)/libmigrate-notify.a: $(call mn_lib_objs,obj)
	rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/libmigrate-notify.pc: lib/libmigrate-notify.pc.in ../VERSION
	@mkdir -p $(@D)
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' $< >$@

# The programs, with the library in them: each is one file that runs anywhere.
$(BUILD)/migrate-notify: $(call mn_objs,obj/migrate-notify,$(MN_CLI)) $(call mn_proto_objs,obj) \
		$(BUILD)/libmigrate-notify.a
	$(CC) $(MN_CFLAGS) $(LDFLAGS) -o $@ $^ $(JSON_LIBS) -pthread
$(BUILD)/san/migrate-notify/migrate-notify: $(call mn_objs,san/migrate-notify,$(MN_CLI)) \
		$(call mn_proto_objs,san) $(call mn_lib_objs,san)
	$(CC) $(MN_CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(JSON_LIBS) -pthread
$(BUILD)/migrate-notify-host: $(call mn_objs,obj/host,$(MN_HOST)) $(call mn_proto_objs,obj)
	$(CC) $(MN_CFLAGS) $(LDFLAGS) -o $@ $^ $(JSON_LIBS)
$(BUILD)/san/host/migrate-notify-host: $(call mn_objs,san/host,$(MN_HOST)) \
		$(call mn_proto_objs,san)
	$(CC) $(MN_CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(JSON_LIBS)

# The examples. Highway and simdjson only where they are installed.
$(BUILD)/migrate-notify-worker: $(call mn_objs,obj/examples/worker,$(MN_WORKER)) \
		$(BUILD)/libmigrate-notify.a
	$(CC) $(MN_CFLAGS) $(LDFLAGS) -o $@ $^ -pthread
MN_CXX_EXAMPLES := $(foreach p,highway:libhwy simdjson:simdjson,\
	$(shell $(PKG_CONFIG) --exists $(word 2,$(subst :, ,$(p))) && echo $(word 1,$(subst :, ,$(p)))))
MN_CXX_BINS := $(MN_CXX_EXAMPLES:%=$(BUILD)/migrate-notify-%)
$(BUILD)/migrate-notify-highway: CXX_LIBS = $(shell $(PKG_CONFIG) --libs libhwy)
$(BUILD)/migrate-notify-simdjson: CXX_LIBS = $(shell $(PKG_CONFIG) --libs simdjson)
$(BUILD)/migrate-notify-highway $(BUILD)/migrate-notify-simdjson: $(BUILD)/migrate-notify-%: \
		examples/%/main.cc $(BUILD)/libmigrate-notify.a
	$(CXX) $(MN_CPPFLAGS) $(MN_CXXFLAGS) -Iexamples/$* $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< \
		$(BUILD)/libmigrate-notify.a $(CXX_LIBS) -pthread

mn-all: $(BUILD)/$(MN_SO) $(BUILD)/libmigrate-notify.a $(BUILD)/libmigrate-notify.pc \
	$(BUILD)/migrate-notify $(BUILD)/migrate-notify-host $(BUILD)/migrate-notify-worker

mn-examples: $(MN_CXX_BINS)

# Tests
MN_STANDIN := $(BUILD)/mn-standin.so
MN_PURE := $(patsubst %,../drivers/migrate-notify/%.c,phase page featdiff)
$(MN_STANDIN): tests/mn/standin.c $(BUILD)/mn-core.so
	@mkdir -p $(@D)
	$(CC) $(MN_CPPFLAGS) $(MN_CFLAGS) -shared -fPIC -o $@ $<
$(BUILD)/mn-core.so: tests/mn/standin_core.c $(MN_PURE) $(wildcard ../include/migrate-notify/*.h)
	@mkdir -p $(@D)
	$(CC) -Ikernel -I../include -I../include/uapi -std=gnu11 -Wall -Werror $(CFLAGS) \
		-fvisibility=hidden -shared -fPIC -o $@ $(filter %.c,$^)
$(BUILD)/san/tests/mn/%_test: $(BUILD)/san/tests/mn/%_test.o $(call mn_lib_objs,san) \
		$(call mn_proto_objs,san) $(call mn_objs,san/host,port xen xs)
	$(CC) $(MN_CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS_TEST) -pthread
$(BUILD)/tsan/dispatch_test: $(BUILD)/tsan/tests/mn/dispatch_test.o $(call mn_lib_objs,tsan)
	$(CC) $(MN_CFLAGS) -fsanitize=thread $(LDFLAGS) -o $@ $^ $(LIBS_TEST) -pthread

# Fuzzers are clang's; the corpus is what they found and what we know to be odd.
$(BUILD)/fuzz/%_fuzz: tests/fuzz/%_fuzz.c proto/line.c proto/msg.c host/xen.c host/xs.c
	@mkdir -p $(@D)
	$(CLANG) $(MN_CPPFLAGS) $(JSON_CFLAGS) -std=gnu11 $(WARN) -g -O1 \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $@ $^ $(JSON_LIBS)

MN_TEST_BINS := $(MN_TESTS:%=$(BUILD)/san/tests/mn/%_test) $(BUILD)/tsan/dispatch_test
MN_HAVE_FUZZ := $(shell command -v $(CLANG) >/dev/null && echo yes)
MN_FUZZ_BINS := $(if $(MN_HAVE_FUZZ),$(MN_FUZZ:%=$(BUILD)/fuzz/%_fuzz))

mn-check-deps: mn-all mn-examples $(MN_STANDIN) $(MN_TEST_BINS) $(MN_FUZZ_BINS) \
	$(BUILD)/san/migrate-notify/migrate-notify $(BUILD)/san/host/migrate-notify-host

MN_RUN := tests/mn/standin.py --usable aes,sse4.2 --after aes,avx,avx2
MN_CHECKS = '$(MN_RUN) $(MN_STANDIN) $(BUILD)/san/tests/mn/lib_test' \
	$(MN_TESTS:%='$(BUILD)/san/tests/mn/%_test') '$(BUILD)/tsan/dispatch_test' \
	'tests/mn/cli.sh $(BUILD)/migrate-notify $(MN_STANDIN)' \
	'tests/mn/cli.sh $(BUILD)/san/migrate-notify/migrate-notify $(MN_STANDIN)' \
	'tests/mn/host_test.py $(BUILD)/san/host/migrate-notify-host \
		$(BUILD)/san/migrate-notify/migrate-notify $(MN_STANDIN)' \
	'tests/mn/examples.sh $(BUILD) $(MN_STANDIN)' \
	'tests/mn/python_test.py $(MN_STANDIN)' \
	'tests/mn/abi.sh $(BUILD)' 'tests/fuzz/run.sh $(BUILD)/fuzz $(MN_FUZZ)'

mn-install: mn-all
	install -D -m 755 $(BUILD)/$(MN_SO) $(DESTDIR)$(LIBDIR)/$(MN_SO)
	ln -sf $(MN_SO) $(DESTDIR)$(LIBDIR)/libmigrate-notify.so
	install -D -m 644 $(BUILD)/libmigrate-notify.a $(DESTDIR)$(LIBDIR)/libmigrate-notify.a
	install -D -m 644 $(BUILD)/libmigrate-notify.pc \
		$(DESTDIR)$(LIBDIR)/pkgconfig/libmigrate-notify.pc
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include lib/migrate-notify.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/linux ../include/uapi/linux/migrate_notify.h \
		../include/uapi/linux/migrate_notify_features.def \
		../include/uapi/linux/migrate_notify_features.h
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/migrate-notify \
		$(BUILD)/migrate-notify-host
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 migrate-notify/migrate-notify.8 \
		host/migrate-notify-host.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man3 lib/migrate-notify.3
	install -D -m 644 -t $(DESTDIR)$(PYTHONDIR) python/migrate_notify.py
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/udev/rules.d units/60-migrate-notify.rules
	install -D -m 644 units/migrate-notify.sysusers \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/migrate-notify.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' units/migrate-notify-agent.service.in \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/migrate-notify-agent.service

.PHONY: mn-all mn-examples mn-check-deps mn-install

-include $(wildcard $(addsuffix /*.d,$(addprefix $(BUILD)/,. obj/lib obj/proto obj/migrate-notify \
	obj/host obj/examples/worker pic/lib san/lib san/proto san/migrate-notify san/host \
	san/tests/mn tsan/lib tsan/tests/mn)))
