# Third-party source: Debian source packages, pinned in third_party/manifest, built unmodified with their
# own warning settings. Ring 3 gets libc.a (picolibc), libzydis.a, libexpat.a, liblwip.a; the
# host tests get the last three with sanitizers.
TP := $(B)/third_party

$(TP)/%.stamp: tools/fetch-source third_party/manifest
	tools/fetch-source $(CACHE) $(TP) $*

.PHONY: fetch
fetch: $(patsubst %,$(TP)/%.stamp,picolibc zycore-c zydis expat lwip) ## download third-party source

# What user/ and every program compile against: picolibc's headers, then the compiler's own.
PICOLIBC := $(TP)/picolibc/newlib/libc
USER_INC := -nostdinc -isystem third_party/picolibc -isystem $(PICOLIBC)/tinystdio -isystem $(PICOLIBC)/include \
            -isystem $(shell $(CC) -print-file-name=include)
ZYDIS_FLAGS := -DZYAN_NO_LIBC -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD -DZYDIS_DISABLE_FORMATTER \
               -DZYDIS_DISABLE_ENCODER -DZYDIS_DISABLE_AVX512 -DZYDIS_DISABLE_KNC
ZYDIS_INC   := -isystem $(TP)/zydis/include -isystem $(TP)/zycore-c/include
EXPAT_INC   := -isystem $(TP)/expat/expat/lib
EXPAT_FLAGS := -DXML_STATIC

# No dependency files: the source changes only together with its stamp.
TP_CFLAGS := -std=gnu11 -g -O2 -ffile-prefix-map=$(CURDIR)=.
TP_RING3  := $(TP_CFLAGS) -ffreestanding -fno-pic -no-pie -fno-asynchronous-unwind-tables -fno-stack-protector \
             -fno-omit-frame-pointer -ffunction-sections -fdata-sections -fcf-protection=none
TP_HOST   := $(TP_CFLAGS) -fsanitize=address,undefined -fno-sanitize-recover=all

# --- picolibc: only what is listed; memcpy and friends are user/mem.c's.
LIBC_NAMES := \
  $(addprefix string/,bcmp bzero explicit_bzero memccpy memchr memmem mempcpy memrchr rawmemchr stpcpy stpncpy strcasecmp \
    strcasestr strcat strchr strchrnul strcmp strcpy strcspn strdup strlcat strlcpy strlen strncasecmp strncat strncmp \
    strncpy strndup strnlen strpbrk strrchr strsep strspn strstr strtok strtok_r) \
  $(addprefix tinystdio/,asprintf fflush filestrget filestrput filestrputalloc fprintf fputc fputs fwrite printf putchar \
    puts snprintf sprintf strtoimax strtol strtoll strtoul strtoull strtoumax vasprintf vflprintf vprintf \
    vsnprintf vsprintf) \
  $(addprefix stdlib/,abs aligned_alloc atoi atol atoll imaxabs labs llabs nano-calloc nano-free nano-malloc \
    nano-malloc-usable-size nano-memalign nano-posix-memalign nano-realloc reallocarray) \
  $(addprefix search/,bsearch qsort) \
  $(addprefix ctype/,ctype_ isalnum isalpha isascii isblank iscntrl isdigit isgraph islower isprint ispunct isspace \
    isupper isxdigit tolower toupper) \
  errno/errno
LIBC_OBJ := $(LIBC_NAMES:%=$(B)/ring3/libc/%.o)

$(B)/ring3/libc/%.o: $(TP)/picolibc.stamp third_party/picolibc/picolibc.h
	@mkdir -p $(@D)
	$(CC) $(TP_RING3) $(LIBC_FPU) -D_LIBC $(USER_INC) -I$(PICOLIBC)/locale -c $(PICOLIBC)/$*.c -o $@

# vfprintf must step over a double that a caller passed, and only then touches SSE.
LIBC_FPU = -mgeneral-regs-only
$(B)/ring3/libc/tinystdio/vflprintf.o: LIBC_FPU := -fno-tree-vectorize -mno-avx

$(B)/ring3/libc.a: $(LIBC_OBJ)
	@rm -f $@
	ar rcs $@ $^

# --- zydis: the full decoder (minimal mode has no operands), no formatter, no encoder, no AVX-512.
ZYDIS_NAMES := Decoder DecoderData MetaInfo Mnemonic Register Segment SharedData Utils Zydis
ZYDIS_SRC    = $(TP)/zydis/src/$*.c

$(B)/ring3/zydis/%.o: $(TP)/zydis.stamp $(TP)/zycore-c.stamp
	@mkdir -p $(@D)
	$(CC) $(TP_RING3) -mgeneral-regs-only $(USER_INC) $(ZYDIS_FLAGS) $(ZYDIS_INC) -I$(TP)/zydis/src -c $(ZYDIS_SRC) -o $@
$(B)/ring3/zydis/%.o: | $(TP)/picolibc.stamp

$(B)/ring3/libzydis.a: $(ZYDIS_NAMES:%=$(B)/ring3/zydis/%.o)
	@rm -f $@
	ar rcs $@ $^

$(B)/host/zydis/%.o: $(TP)/zydis.stamp $(TP)/zycore-c.stamp
	@mkdir -p $(@D)
	$(CC) $(TP_HOST) $(ZYDIS_FLAGS) $(ZYDIS_INC) -I$(TP)/zydis/src -c $(ZYDIS_SRC) -o $@

$(B)/host/libzydis.a: $(ZYDIS_NAMES:%=$(B)/host/zydis/%.o)
	@rm -f $@
	ar rcs $@ $^

# --- expat: its accounting of entity expansion computes in float, so it alone may use SSE.
EXPAT_NAMES := xmlparse xmlrole xmltok

$(B)/ring3/expat/%.o: $(TP)/expat.stamp third_party/expat/expat_config.h | $(TP)/picolibc.stamp
	@mkdir -p $(@D)
	$(CC) $(TP_RING3) $(USER_INC) $(EXPAT_FLAGS) -Ithird_party/expat -c $(TP)/expat/expat/lib/$*.c -o $@

$(B)/ring3/libexpat.a: $(EXPAT_NAMES:%=$(B)/ring3/expat/%.o)
	@rm -f $@
	ar rcs $@ $^

$(B)/host/expat/%.o: $(TP)/expat.stamp third_party/expat/expat_config.h
	@mkdir -p $(@D)
	$(CC) $(TP_HOST) $(EXPAT_FLAGS) -Ithird_party/expat -c $(TP)/expat/expat/lib/$*.c -o $@

$(B)/host/libexpat.a: $(EXPAT_NAMES:%=$(B)/host/expat/%.o)
	@rm -f $@
	ar rcs $@ $^

# --- lwIP: IPv4, IPv6, UDP, TCP, DHCP, DNS; its timers are net/ip/timers.c. Packed structures are its way to read
# headers, so the host's sanitizer does not look at alignment there.
LWIP_NAMES := $(addprefix core/,def dns inet_chksum init ip mem memp netif pbuf raw stats tcp tcp_in tcp_out udp) \
  $(addprefix core/ipv4/,dhcp etharp icmp ip4 ip4_addr ip4_frag) \
  $(addprefix core/ipv6/,dhcp6 ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag mld6 nd6) netif/ethernet
LWIP_INC   := -isystem third_party/lwip -isystem $(TP)/lwip/src/include

$(B)/ring3/lwip/%.o: $(TP)/lwip.stamp $(wildcard third_party/lwip/*.h third_party/lwip/arch/*.h) | $(TP)/picolibc.stamp
	@mkdir -p $(@D)
	$(CC) $(TP_RING3) -mgeneral-regs-only -fno-strict-aliasing $(USER_INC) $(LWIP_INC) -c $(TP)/lwip/src/$*.c -o $@

$(B)/ring3/liblwip.a: $(LWIP_NAMES:%=$(B)/ring3/lwip/%.o)
	@rm -f $@
	ar rcs $@ $^

$(B)/host/lwip/%.o: $(TP)/lwip.stamp $(wildcard third_party/lwip/*.h third_party/lwip/arch/*.h)
	@mkdir -p $(@D)
	$(CC) $(TP_HOST) -fno-sanitize=alignment -fno-strict-aliasing $(LWIP_INC) -c $(TP)/lwip/src/$*.c -o $@

$(B)/host/liblwip.a: $(LWIP_NAMES:%=$(B)/host/lwip/%.o)
	@rm -f $@
	ar rcs $@ $^

# Unit tests see these headers; a test that needs a library names it: UNIT_LIBS_decode := $(B)/host/libzydis.a
HOST_TP := $(ZYDIS_FLAGS) $(ZYDIS_INC) $(EXPAT_FLAGS) $(EXPAT_INC) $(LWIP_INC)
UNIT_LIBS_third_party := $(B)/host/libzydis.a $(B)/host/libexpat.a
