# The kernel and the boot program in front of it: one ELF for GRUB, the UEFI loader and PVH.
KERNEL_DIRS := arch/x86_64 kernel sched virt svm vmx
KERNEL_LIB  := lib/format.c lib/string.c
KERNEL_SRC  := $(wildcard $(KERNEL_DIRS:%=%/*.c) $(KERNEL_DIRS:%=%/*.S)) $(KERNEL_LIB)
KERNEL_OBJ  := $(KERNEL_SRC:%=$(B)/kernel/%.o)

$(B)/kernel/%.c.o: %.c $(GEN)/stamp
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(CC) $(KERNEL_CFLAGS) -DMULLION_VERSION='"$(GIT_VERSION)"' -c $< -o $@

$(B)/kernel/%.S.o: %.S $(GEN)/stamp $(GEN)/arch/offsets.h
	@mkdir -p $(@D)
	@echo "  AS      $<"
	$(CC) $(KERNEL_CFLAGS) -D__ASSEMBLY__ -c $< -o $@

# Structure offsets for assembly, taken from the compiler.
$(GEN)/arch/offsets.h: arch/x86_64/offsets.c.in $(GEN)/stamp
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP $(WHOLE),$(KERNEL_CFLAGS)) -x c -S $< -o - | \
	  sed -n 's/^.*->\([A-Z0-9_]*\) \$$\{0,1\}\(-\{0,1\}[0-9]*\).*$$/#define \1 \2/p' > $@

# The boot program is linked apart, with helpers of its own, and known to the kernel by its entry points
# only; what it may know of the kernel is BOOT_NEEDS. Its sections are prefixed, so that linker.ld can
# put them where the memory is given away after the boot.
BOOT_SRC   := $(wildcard boot/*.c boot/*.S) $(KERNEL_LIB) lib/package.c lib/sha256.c \
              arch/x86_64/cmdline.c arch/x86_64/pci_config.c arch/x86_64/tsc.c
BOOT_OBJ   := $(BOOT_SRC:%=$(B)/kernel/%.o)
BOOT_ENTRY := boot_entry_uefi
BOOT_NEEDS := __boot_end __boot_start __kernel_end __kernel_large_pages __kernel_start kernel_main \
              smp_cpu_entry
$(B)/kernel/boot.o: $(BOOT_OBJ)
	@echo "  LD      $@"
	ld -r -o $@.1 $^
	objcopy -R '.gnu.lto_*' $@.1
	objcopy --prefix-alloc-sections=.boot $(BOOT_ENTRY:%=--keep-global-symbol=%) $@.1 $@
	missing=$$(nm -u $@ | awk '{print $$2}' | grep -vxF $(BOOT_NEEDS:%=-e %)); \
	  test -z "$$missing" || { echo "the boot program may not use $$missing" >&2; exit 1; }

KERNEL_LDFLAGS := $(KERNEL_CFLAGS:-M%=) -nostdlib -static -no-pie -Wl,-T,linker.ld -Wl,--build-id=none \
                  -Wl,--gc-sections -Wl,-z,max-page-size=0x1000 -Wl,-z,noexecstack -Wl,--orphan-handling=error

# Linked twice: the second link carries the symbol table that the panic screen reads. It stands last
# in the image (linker.ld), so nothing else moves.
$(B)/mullion.elf: $(KERNEL_OBJ) $(B)/kernel/boot.o linker.ld $(wildcard tools/gen-symbols)
	@echo "  LD      $@"
	$(CC) $(KERNEL_LDFLAGS) -o $@.1 $(KERNEL_OBJ) $(B)/kernel/boot.o
	if [ -x tools/gen-symbols ]; then tools/gen-symbols $@.1 $(B)/kernel/symbols.S; \
	  else : > $(B)/kernel/symbols.S; fi
	$(CC) -c $(B)/kernel/symbols.S -o $(B)/kernel/symbols.o
	$(CC) $(KERNEL_LDFLAGS) -o $@ $(KERNEL_OBJ) $(B)/kernel/boot.o $(B)/kernel/symbols.o

-include $(KERNEL_OBJ:.o=.d) $(BOOT_OBJ:.o=.d)
