# Ring-3 programs: one folder each, linked with the runtime in user/. A folder without sources is skipped.
#   build/ring3/NAME        stripped, goes into the boot package
#   build/ring3/NAME.debug  the same with symbols
RING3_NAMES := manager console vmm ahci pool switch nic ip ktest

# Folders beside NAME/ that belong to a program, its libraries, its entry point.
RING3_DIRS_console  := drivers/uart
RING3_DIRS_manager  := drivers/pci drivers/gpt $(patsubst %/,%,$(wildcard manager/*/))
RING3_DIRS_ahci     := drivers/ahci
RING3_DIRS_pool     := drivers/pool
POOL_PROCESS        := main.c client.c lane.c report.c
RING3_DIRS_nic      := drivers/nic $(patsubst %/,%,$(wildcard drivers/nic/*/))
RING3_DIRS_switch   := net/switch
RING3_DIRS_ip       := net/ip
RING3_DIRS_ktest    := tests/ring3
RING3_DIRS_vmm      := $(patsubst %/,%,$(wildcard vmm/*/))
RING3_LIBS_vmm      := $(B)/ring3/libzydis.a
RING3_LIBS_manager  := $(B)/ring3/libexpat.a
RING3_LIBS_ip       := $(B)/ring3/liblwip.a
RING3_FLAGS_vmm     := $(WHOLE) $(ZYDIS_FLAGS) $(ZYDIS_INC)
RING3_FLAGS_manager := $(EXPAT_FLAGS) $(EXPAT_INC)
RING3_FLAGS_ip      := $(LWIP_INC)
RING3_ENTRY_manager := root_start
RING3_ENTRY_ktest   := root_start

RING3_CFLAGS = $(USER_CFLAGS) $(USER_INC) -DMULLION_VERSION='"$(GIT_VERSION)"'
RING3_LDFLAGS := -flto-partition=one -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--gc-sections -Wl,-z,max-page-size=0x1000 \
                 -Wl,-z,noexecstack -Wl,--orphan-handling=error -Wl,-T,user/program.ld

# The runtime and lib/ are archives: a program gets the members it calls.
USER_OBJ := $(patsubst %,$(B)/ring3/obj/%.o,$(wildcard user/*.c))
# Not lib/string.c: those names are picolibc's and user/mem.c's here.
LIB_OBJ  := $(patsubst %,$(B)/ring3/obj/%.o,$(filter-out lib/string.c,$(wildcard lib/*.c)))
$(B)/ring3/libuser.a: $(USER_OBJ) $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

# GCC would otherwise compile memcpy() and memset() into calls of themselves.
$(B)/ring3/obj/user/mem.c.o: RING3_EXTRA := -fno-tree-loop-distribute-patterns

$(B)/ring3/obj/%.c.o: %.c $(GEN)/stamp | $(TP)/picolibc.stamp
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(CC) $(RING3_CFLAGS) $(RING3_EXTRA) -c $< -o $@

# $(call ring3_program,NAME)
define ring3_program
RING3_OBJ_$(1) := $$(patsubst %,$$(B)/ring3/obj/%.o,$$(wildcard $(1)/*.c $$(RING3_DIRS_$(1):%=%/*.c)))
ifneq ($$(RING3_OBJ_$(1)),)
RING3_PROGRAMS += $$(B)/ring3/$(1)
$$(RING3_OBJ_$(1)): RING3_EXTRA := $$(RING3_FLAGS_$(1))
$$(RING3_OBJ_$(1)): | $$(RING3_LIBS_$(1))
$$(B)/ring3/$(1).debug: $$(RING3_OBJ_$(1)) $$(B)/ring3/libuser.a $$(B)/ring3/libc.a $$(RING3_LIBS_$(1)) user/program.ld
	@echo "  LD      $$@"
	$$(CC) $$(RING3_LDFLAGS) -Wl,-e,$$(or $$(RING3_ENTRY_$(1)),_start) -o $$@ $$(RING3_OBJ_$(1)) \
	  -Wl,--start-group $$(B)/ring3/libuser.a $$(RING3_LIBS_$(1)) $$(B)/ring3/libc.a -Wl,--end-group -lgcc
-include $$(RING3_OBJ_$(1):.o=.d)
endif
endef

RING3_PROGRAMS :=
$(foreach name,$(RING3_NAMES),$(eval $(call ring3_program,$(name))))

$(RING3_PROGRAMS): %: %.debug
	objcopy --strip-all $< $@

-include $(USER_OBJ:.o=.d) $(LIB_OBJ:.o=.d)
