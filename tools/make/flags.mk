# Compiler flags by world: ring 0, ring 3, host.
WARN := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla \
        -Wpointer-arith -Wwrite-strings -Werror
GEN  := $(B)/gen
COMMON := -std=gnu11 -g -O2 $(WARN) -I. -I$(GEN) -MMD -MP -fno-common -fno-strict-aliasing \
          -ffile-prefix-map=$(CURDIR)=.

# Compiled as one: calls from file to file are inlined, too. Machine code goes into the objects all the
# same, for what is linked by hand.
WHOLE := -flto -flto-partition=one -ffat-lto-objects
# The panic screen follows frame pointers.
KERNEL_CFLAGS := $(COMMON) -ffreestanding -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -no-pie \
                 -fno-asynchronous-unwind-tables -fno-stack-protector -ffunction-sections -fdata-sections \
                 -fcf-protection=none -fno-omit-frame-pointer $(WHOLE)
# General registers only: a VMM that touches no FPU state costs no FPU switch at an exit. Nobody follows frame
# pointers here.
USER_CFLAGS := $(COMMON) -ffreestanding -fno-pic -no-pie -mgeneral-regs-only -fno-asynchronous-unwind-tables \
               -fno-stack-protector -ffunction-sections -fdata-sections -fcf-protection=none
HOST_CFLAGS := $(COMMON) -fno-omit-frame-pointer -DHOST_TEST=1 -fsanitize=address,undefined -fno-sanitize-recover=all

$(GEN)/stamp: abi/syscalls.tbl tools/gen-syscalls
	@mkdir -p $(@D)
	tools/gen-syscalls abi/syscalls.tbl $(GEN)
	@touch $@
