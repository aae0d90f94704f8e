# Checks. A unit test is one file in tests/unit/ that includes the .c files it tests, and runs under
# ASan and UBSan; a fuzz target is one file in tests/fuzz/, run over its corpus by make check.
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
$(B)/unit/%: tests/unit/%.c $(GEN)/stamp
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $< -o $@
-include $(UNIT_BIN:%=%.d)

FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
$(B)/fuzz/%: tests/fuzz/%.c $(GEN)/stamp
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -g -O1 -I. -I$(GEN) -MMD -MP -MF $@.d -DHOST_TEST=1 -fno-strict-aliasing \
	  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $< -o $@
-include $(FUZZ_BIN:%=%.d)

# Test guests: multiboot 1 and PVH in one ELF32 each, 64-bit code inside.
GUEST_CFLAGS := $(COMMON) -ffreestanding -fno-pic -no-pie -mno-red-zone -mgeneral-regs-only -fno-builtin \
                -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none
GUEST_LIB    := $(wildcard tests/guest/lib/*.c tests/guest/lib/*.S)
GUEST_LIB_O  := $(GUEST_LIB:%=$(B)/%.o)
GUEST_SRC    := $(wildcard tests/guest/*.c) tests/bench/exits.c
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
