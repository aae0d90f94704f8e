# The kernel: one ELF for GRUB, the UEFI loader and PVH.
KERNEL_DIRS := boot arch/x86_64 kernel sched virt svm vmx lib
KERNEL_SRC  := $(wildcard $(KERNEL_DIRS:%=%/*.c) $(KERNEL_DIRS:%=%/*.S))
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
	$(CC) $(filter-out -MMD -MP,$(KERNEL_CFLAGS)) -x c -S $< -o - | \
	  sed -n 's/^.*->\([A-Z0-9_]*\) \$$\{0,1\}\(-\{0,1\}[0-9]*\).*$$/#define \1 \2/p' > $@

KERNEL_LDFLAGS := -nostdlib -static -no-pie -Wl,-T,linker.ld -Wl,--build-id=none -Wl,--gc-sections \
                  -Wl,-z,max-page-size=0x1000 -Wl,-z,noexecstack -Wl,--orphan-handling=error

# Linked twice: the second link carries the symbol table that the panic screen reads. It stands last
# in the image (linker.ld), so nothing else moves.
$(B)/mullion.elf: $(KERNEL_OBJ) linker.ld $(wildcard tools/gen-symbols)
	@echo "  LD      $@"
	$(CC) $(KERNEL_LDFLAGS) -o $@.1 $(KERNEL_OBJ)
	if [ -x tools/gen-symbols ]; then tools/gen-symbols $@.1 $(B)/kernel/symbols.S; \
	  else : > $(B)/kernel/symbols.S; fi
	$(CC) -c $(B)/kernel/symbols.S -o $(B)/kernel/symbols.o
	$(CC) $(KERNEL_LDFLAGS) -o $@ $(KERNEL_OBJ) $(B)/kernel/symbols.o

-include $(KERNEL_OBJ:.o=.d)
