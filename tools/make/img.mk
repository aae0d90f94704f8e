# Tools of the host for volume pools: the same engine that the pool process runs.
IMG_ENGINE := $(filter-out $(addprefix drivers/pool/,$(POOL_PROCESS)),$(wildcard drivers/pool/*.c)) drivers/gpt/gpt.c
IMG_SHARED := $(filter-out tools/img/main.c tools/img/fsck.c,$(wildcard tools/img/*.c)) $(IMG_ENGINE)
IMG_CFLAGS := $(COMMON) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
IMG_OBJ    := $(IMG_SHARED:%=$(B)/img/%.o)

$(B)/img/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	$(CC) $(IMG_CFLAGS) -c $< -o $@

$(B)/mullion-img: $(B)/img/tools/img/main.c.o $(IMG_OBJ)
	$(CC) -o $@ $^ -lz

$(B)/mullion-fsck: $(B)/img/tools/img/fsck.c.o $(IMG_OBJ)
	$(CC) -o $@ $^ -lz

.PHONY: tools
tools: $(B)/mullion-img $(B)/mullion-fsck ## host tools for volume pools: build/mullion-img, build/mullion-fsck

-include $(IMG_OBJ:.o=.d) $(B)/img/tools/img/main.c.d $(B)/img/tools/img/fsck.c.d
