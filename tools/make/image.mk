# Boot package, UEFI loader, images, the demo VM set, make run.
SET     ?= $(B)/demo
CMDLINE ?=
OUT     ?= $(B)/mullion.iso
SMP     ?= 4
MEM     ?= 4096
CPU     ?= amd
BOOT    ?= bios

# --- UEFI loader: a PE image made by gnu-efi's start code and linker script ---
UEFI_SRC    := $(wildcard boot/uefi/*.c)
UEFI_OBJ    := $(UEFI_SRC:%=$(B)/%.o)
UEFI_CFLAGS := $(COMMON) -ffreestanding -fpic -fshort-wchar -mno-red-zone -maccumulate-outgoing-args \
               -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -DGNU_EFI_USE_MS_ABI \
               -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
GNU_EFI_LIB ?= /usr/lib

$(B)/boot/uefi/%.c.o: boot/uefi/%.c
	@mkdir -p $(@D)
	$(CC) $(UEFI_CFLAGS) -c $< -o $@
-include $(UEFI_OBJ:.o=.d)

$(B)/mullion.efi: $(UEFI_OBJ)
	ld -nostdlib -znocombreloc -znoexecstack -zdefs -shared -Bsymbolic -T $(GNU_EFI_LIB)/elf_x86_64_efi.lds \
	  $(GNU_EFI_LIB)/crt0-efi-x86_64.o $(UEFI_OBJ) -o $@.so -L$(GNU_EFI_LIB) -lefi -lgnuefi
	objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j .rel.* -j .rela.* \
	  -j .reloc -j .rodata --target=efi-app-x86_64 --subsystem=10 $@.so $@
