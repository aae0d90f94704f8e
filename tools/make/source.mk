# Checks of the source itself, and its size.
.PHONY: check-source check-abi check-layers check-format check-tidy format size
check-source: check-layers check-format check-abi check-tidy ## layers, format, reference, clang-tidy

# All that a ring-3 source may see; a program's own libraries included.
TIDY_NAME  := -DMULLION_VERSION=\"check\"
TIDY_RING0 := $(filter-out $(WHOLE),$(KERNEL_CFLAGS)) $(TIDY_NAME)
TIDY_RING3  = $(filter-out -DMULLION_VERSION%,$(RING3_CFLAGS)) $(TIDY_NAME) $(ZYDIS_FLAGS) $(ZYDIS_INC) $(EXPAT_FLAGS) $(EXPAT_INC) $(LWIP_INC)
CHECK_NEEDS := $(GEN)/stamp $(patsubst %,$(TP)/%.stamp,picolibc zycore-c zydis expat lwip)

check-layers: $(CHECK_NEEDS)
	tools/check-layers '$(TIDY_RING0)' '$(TIDY_RING3)'

check-format:
	tools/check-format

# The reference in the repository is the generated one.
check-abi: $(GEN)/stamp
	@cmp docs/abi/syscalls.md $(GEN)/syscalls.md || { echo 'run: make reference'; exit 1; }
	@echo 'check-abi: docs/abi/syscalls.md is current'

.PHONY: reference
reference: $(GEN)/stamp ## write docs/abi/syscalls.md
	cp $(GEN)/syscalls.md docs/abi/syscalls.md

check-tidy: $(CHECK_NEEDS) $(if $(wildcard arch/x86_64/offsets.c.in),$(GEN)/arch/offsets.h)
	tools/check-tidy '$(TIDY_RING0)' '$(TIDY_RING3)' $(TIDY_FILES)

format: ## let clang-format rewrite the source
	tools/check-format --fix

size: ## lines by folder, image bytes
	tools/size-report $(B)

.PHONY: setup
setup: ## install missing Debian packages
	@tools/setup
