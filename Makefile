# Mullion: see README.md for what the targets do, `make help` for a list.
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
# Progress is one line a step; V=1 shows the commands.
ifneq ($(V),1)
MAKEFLAGS += --silent
endif
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

B       ?= build
CACHE   ?= $(B)/cache
CC      := gcc
CLANG   := clang
PYTHON  := python3
GIT_VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

# What a newcomer types installs what is missing, before anything else; SETUP=no leaves the machine alone.
SETUP ?= yes
ifeq ($(SETUP)$(if $(filter run image unified demo bench fuzz check check-%,$(MAKECMDGOALS)),-,),yes-)
ifneq ($(shell tools/setup >&2 && echo ready),ready)
$(error tools/setup could not install what is missing)
endif
endif

include tools/make/flags.mk
include tools/make/kernel.mk
include tools/make/third-party.mk
include tools/make/ring3.mk
include tools/make/image.mk
include tools/make/img.mk
include tools/make/tests.mk
include tools/make/source.mk

.PHONY: all help clean
all: $(B)/mullion.elf $(RING3_PROGRAMS)

help: ## this list
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

clean: ## remove build/
	rm -rf $(B)
