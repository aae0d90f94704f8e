# Boot package, UEFI loader, images, the demo VM set, make run.
SET     ?= $(B)/demo
CMDLINE ?=
OUT     ?= $(B)/mullion.iso
CPU     ?= amd
SMP     ?= $(if $(filter intel,$(CPU)),1,4)
MEM     ?= $(if $(filter intel,$(CPU)),2048,4096)
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
	objcopy --strip-all -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j .rel.* -j .rela.* \
	  -j .reloc -j .rodata --target=efi-app-x86_64 --subsystem=10 $@.so $@

# --- boot package and images ---
PACKAGE_COMPONENTS := manager console vmm ahci pool switch nic ip
PACKAGE_PROGRAMS   := $(PACKAGE_COMPONENTS:%=$(B)/ring3/%)

# What a VM set holds is known to tools/mkpkg alone, so the package is made at each call.
.PHONY: package image unified esp run demo force
$(B)/mullion.pkg: force $(PACKAGE_PROGRAMS) $(if $(filter $(B)/demo,$(SET)),$(B)/demo/stamp)
	@mkdir -p $(@D)
	tools/mkpkg --out $@ $(foreach p,$(PACKAGE_COMPONENTS),--component $(p)=$(B)/ring3/$(p)) --set "$(SET)"

$(OUT): $(B)/mullion.elf $(B)/mullion.pkg $(B)/mullion.efi tools/mkimage force
	@mkdir -p $(dir $@)
	tools/mkimage --kernel $(B)/mullion.elf --package $(B)/mullion.pkg --efi $(B)/mullion.efi \
	  --cmdline "$(CMDLINE)" --out $@

$(B)/mullion-unified.efi: $(B)/mullion.elf $(B)/mullion.pkg $(B)/mullion.efi tools/mkuefi force
	tools/mkuefi --loader $(B)/mullion.efi --kernel $(B)/mullion.elf --package $(B)/mullion.pkg \
	  --cmdline "$(CMDLINE)" --out $@ --esp $(B)/mullion-esp.img

image: $(OUT) ## hybrid BIOS+UEFI image: SET=DIR [CMDLINE="..."] [OUT=FILE]

unified: $(B)/mullion-unified.efi ## one UEFI file to sign for Secure Boot, and a FAT disk with it

package: $(B)/mullion.pkg

# --- demo VM set ---
$(B)/demo/stamp: tools/mkdemo tools/mkinitrd $(wildcard demo/*)
	tools/mkdemo --cache $(CACHE) --out $(B)/demo
	@touch $@

demo: $(B)/demo/stamp ## the demo VM set in build/demo/

# --- make run: CPU=amd|intel, BOOT=bios|uefi|loader|pvh ---
RUN_DISK       := -drive file=$(OUT),format=raw,if=none,id=boot,readonly=on -device ide-cd,drive=boot
RUN_OVMF       := -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
                  -drive if=pflash,format=raw,unit=1,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd
RUN_BOOT_bios  := $(RUN_DISK)
RUN_BOOT_uefi  := $(RUN_OVMF) $(RUN_DISK)
RUN_BOOT_loader = $(RUN_OVMF) -drive file=$(B)/mullion-esp.img,format=raw,snapshot=on
RUN_BOOT_pvh    = -kernel $(B)/mullion.elf -initrd $(B)/mullion.pkg -append "$(CMDLINE)"
RUN_NEEDS_bios   := $(OUT)
RUN_NEEDS_uefi   := $(OUT)
RUN_NEEDS_loader := $(B)/mullion-unified.efi
RUN_NEEDS_pvh    := $(B)/mullion.elf $(B)/mullion.pkg
# One thread: with one for each CPU this QEMU can lose what VMRUN does (docs/caveats.md).
RUN_amd = qemu-system-x86_64 -machine q35 -cpu max -accel tcg,thread=single -smp $(SMP) \
          -m $(MEM) -display none -vga std -serial mon:stdio $(RUN_BOOT_$(BOOT))
# QEMU has no VMX to offer: Intel is Bochs, which boots as a PC of 1998 does.
RUN_intel = tools/run-bochs --image $(OUT) --smp $(SMP) --memory $(MEM) --log $(B)/bochs.log
RUN_NAME_amd   := QEMU
RUN_NAME_intel := Bochs

run: $(RUN_NEEDS_$(BOOT)) ## boot it: CPU=amd (QEMU) or intel (Bochs), SET=DIR [SMP=] [MEM=] [BOOT=bios|uefi|loader|pvh]
	$(if $(RUN_NAME_$(CPU)),,$(error CPU=$(CPU): amd or intel))
	$(if $(RUN_NEEDS_$(BOOT)),,$(error BOOT=$(BOOT): bios, uefi, loader or pvh))
	$(if $(filter intel-uefi intel-loader intel-pvh,$(CPU)-$(BOOT)),$(error CPU=intel boots by BOOT=bios only))
	@echo "Starting $(RUN_NAME_$(CPU)); leave it with Ctrl-A X."
	$(RUN_$(CPU))
