# Checks. A unit test is one file in tests/unit/ that includes the .c files it tests, and runs under
# ASan and UBSan; a fuzz target is one file in tests/fuzz/, run over its corpus by make check.
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
# A test that needs a third-party library names it: UNIT_LIBS_decode := $(B)/host/libzydis.a
.SECONDEXPANSION:
$(B)/unit/%: tests/unit/%.c $(GEN)/stamp $$(UNIT_LIBS_$$*)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(HOST_TP) $< $(UNIT_LIBS_$*) -o $@
UNIT_LIBS_domain_xml := $(B)/host/libexpat.a
-include $(UNIT_BIN:%=%.d)
