# SPDX-License-Identifier: Apache-2.0
# Thin names over meson, ninja and scripts/. BUILD is the build folder, PREFIX where it installs.
BUILD ?= build
PREFIX ?= /usr/local
MESON_ARGS ?=
NINJA ?= ninja
export HUSK_BUILD := $(BUILD)

all: build

deps:
	scripts/deps.sh

$(BUILD)/build.ninja:
	meson setup $(BUILD) --prefix $(PREFIX) $(MESON_ARGS)

build: $(BUILD)/build.ninja
	$(NINJA) -C $(BUILD)

guest: deps build
	guest-image/build.sh

# The whole path, step by step. IMAGE= takes an OCI layout, an OCI archive or a root file system.
demo: guest
	scripts/demo.sh $(if $(IMAGE),--image "$(IMAGE)")

# SUITE= runs one suite: unit, fuzz, conformance, integration, attack, e2e.
test: guest newer-kernel
	scripts/run-tests.sh $(BUILD) $(if $(SUITE),--suite $(SUITE))

# The firmware boots Debian's backported kernel, too; without it that test is skipped.
newer-kernel: deps
	-HUSK_KERNEL_SUITE=bookworm-backports scripts/fetch-kernel.sh out/kernel-backports

# Golden cases of a folder: DIR/.../CASE/expected.json. Ends with "N passed, N failed".
vectors: build
	@$(BUILD)/tests/vectors/vectors "$(or $(DIR),../shared/vectors)" tests/vectors/contested.txt

# Every byte of accepted evidence flipped; STEP=37 takes each 37th, as the tests do. Minutes.
mutate: build
	@$(BUILD)/tests/vectors/vectors --mutate=$(or $(STEP),1) "$(or $(DIR),../shared/vectors)" tests/vectors/contested.txt

unit: build
	scripts/run-tests.sh $(BUILD) --suite unit --suite fuzz

# DIR= runs a folder of Rego cases. Both end with "N passed, N failed, N skipped".
conformance: build
ifdef DIR
	@$(BUILD)/tests/conformance/rego-conformance -s tests/conformance/rego/skip.txt "$(DIR)"
else
	scripts/run-tests.sh $(BUILD) --suite conformance
endif

# Programs of others against ours: KBS_CLIENT= names Trustee's kbs-client, KBS_PEER= its kbs.
interop: build
	tests/interop/kbs-client.sh $(BUILD)/src/trustee/kbs/husk-kbs $(BUILD)/src/cli/husk || [ $$? = 77 ]
	tests/interop/kbs-peer.py $(BUILD)/src/trustee/kbs/husk-kbs || [ $$? = 77 ]

bench: guest
	bench/run.sh

# Policy engines side by side; the peers only where cargo and go are present.
bench-rego: build
	bench/rego/run.sh $(BUILD)

# SECONDS_EACH= is the time given to each fuzz target.
fuzz:
	scripts/fuzz.sh $(or $(SECONDS_EACH),300)

# Everything with AddressSanitizer, LeakSanitizer and UBSan, in the guest as well. Half an hour.
sanitized: deps
	scripts/sanitized.sh

lint: build
	scripts/lint.sh

# The guest goes along once 'make guest' has built it: husk run finds it without --guest.
GUEST_FILES = $(BUILD)/src/firmware/husk-fw.bin out/kernel/vmlinuz out/guest/initrd.cpio
install: build
	meson install -C $(BUILD)
	[ ! -e out/guest/initrd.cpio ] || install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/husk/guest" $(GUEST_FILES)

clean:
	rm -rf $(BUILD) build-clang build-san build-fuzz out out-san

.PHONY: all deps build guest demo newer-kernel test vectors mutate unit conformance interop bench bench-rego fuzz sanitized lint install clean
