# Checks. A unit test is one file in tests/unit/ that includes the .c files it tests, and runs under
# ASan and UBSan; a fuzz target is one file in tests/fuzz/, run over its corpus by make check.
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
# A test that needs a third-party library names it: UNIT_LIBS_decode := $(B)/host/libzydis.a
UNIT_LIBS_emulate := $(B)/host/libzydis.a
UNIT_LIBS_vmm_exits := $(B)/host/libzydis.a
UNIT_LIBS_task_switch := $(B)/host/libzydis.a
.SECONDEXPANSION:
$(B)/unit/%: tests/unit/%.c $(GEN)/stamp $$(UNIT_LIBS_$$*)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(HOST_TP) $< $(UNIT_LIBS_$*) $(LDLIBS_$*) -o $@
UNIT_LIBS_domain_xml := $(B)/host/libexpat.a
LDLIBS_qcow2 := -lz
UNIT_LIBS_tune := $(B)/host/libexpat.a
UNIT_LIBS_network_xml := $(B)/host/libexpat.a
UNIT_LIBS_host_xml := $(B)/host/libexpat.a

# The host's IP stack is many files with names of their own: an archive, its main.c in the test.
IP_HOST := $(patsubst %,$(B)/host/%.o,$(filter-out net/ip/main.c net/ip/parent.c,$(wildcard net/ip/*.c)))
$(B)/host/net/ip/%.c.o: net/ip/%.c $(GEN)/stamp $(TP)/lwip.stamp
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(HOST_TP) -c $< -o $@
$(B)/host/libip.a: $(IP_HOST)
	@rm -f $@
	ar rcs $@ $^
-include $(IP_HOST:.o=.d)
UNIT_LIBS_host_ip := $(B)/host/libip.a $(B)/host/liblwip.a $(B)/host/libip.a
UNIT_LIBS_ip_frames := $(UNIT_LIBS_host_ip)
-include $(UNIT_BIN:%=%.d)

FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
$(B)/fuzz/%: tests/fuzz/%.c $(GEN)/stamp $$(UNIT_LIBS_$$*)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -g -O1 -Werror -I. -I$(GEN) -MMD -MP -MF $@.d -DHOST_TEST=1 -fno-strict-aliasing \
	  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(HOST_TP) $< $(UNIT_LIBS_$*) $(LDLIBS_$*) -o $@
-include $(FUZZ_BIN:%=%.d)

# Test guests: multiboot 1 and PVH in one ELF32 each, 64-bit code inside.
GUEST_CFLAGS := $(COMMON) -ffreestanding -fno-pic -no-pie -mno-red-zone -mgeneral-regs-only -fno-builtin \
                -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none
GUEST_LIB    := $(wildcard tests/guest/lib/*.c tests/guest/lib/*.S)
GUEST_LIB_O  := $(GUEST_LIB:%=$(B)/%.o)
GUEST_SRC    := $(wildcard tests/guest/*.c tests/bench/exits.c tests/bench/sched*.c)
GUEST_ELF    := $(patsubst tests/%.c,$(B)/tests/%.elf,$(GUEST_SRC))
$(B)/tests/%.c.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -c $< -o $@
$(B)/tests/guest/lib/%.S.o: tests/guest/lib/%.S
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -D__ASSEMBLY__ -c $< -o $@
$(B)/tests/%.elf: $(B)/tests/%.c.o $(GUEST_LIB_O) tests/guest/lib/guest.ld
	$(CC) -nostdlib -static -no-pie -Wl,-T,tests/guest/lib/guest.ld -Wl,--build-id=none -Wl,-z,max-page-size=0x1000 \
	  -Wl,--no-warn-rwx-segments -o $@.64 $(filter %.o,$^)
	objcopy -I elf64-x86-64 -O elf32-i386 $@.64 $@
.PRECIOUS: $(B)/tests/%.c.o
-include $(GUEST_LIB_O:.o=.d) $(GUEST_SRC:%.c=$(B)/%.c.d)
.PHONY: guests
guests: $(GUEST_ELF) ## build the test guests (tests/guest, tests/bench)

# What boots in the guest and end-to-end tests.
CHECK_IMAGES := $(B)/mullion.elf $(B)/mullion.efi $(PACKAGE_PROGRAMS) $(B)/ring3/ktest
export B CACHE

.PHONY: package-programs check check-model check-unit check-fuzz check-guest check-e2e fuzz bench
package-programs: $(PACKAGE_PROGRAMS)

check: ## source, model, unit, fuzz corpora, guests, end to end, both vendors
	@tests/check source model unit fuzz guest e2e

check-model: ## the protocol between CPUs, in every state, by spin
	@tests/check model

check-unit: $(UNIT_BIN) tools ## unit tests, under ASan and UBSan
	@tests/check --built unit

check-fuzz: $(FUZZ_BIN) ## fuzz targets over their corpora
	@tests/check --built fuzz

check-guest: $(GUEST_ELF) $(CHECK_IMAGES) ## test guests, bare and under Mullion, compared
	@tests/check --built guest

check-e2e: $(GUEST_ELF) $(CHECK_IMAGES) $(B)/demo/stamp tools ## end-to-end tests, in QEMU and Bochs
	@tests/check --built e2e

TIME ?= 60
fuzz: $(FUZZ_BIN) ## fuzz each target for TIME=60 seconds, keep new inputs in build/fuzz
	@tests/fuzz/run --time $(TIME) $(FUZZ_SRC:tests/fuzz/%.c=%)

bench: $(GUEST_ELF) $(CHECK_IMAGES) $(B)/demo/stamp tools ## what exits, Linux, memory cost: bare, Mullion, KVM (BENCH="amd|scheduler|intel|storage|network --fresh")
	@tests/bench/run $(BENCH)
