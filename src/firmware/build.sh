#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the flash image: build.sh SOURCE_DIR OUTPUT VERSION CC
# Always the same bytes for the same sources, version and compiler: no paths, dates or build ids.
set -eu
src=$1 out=$2 version=$3 cc=$4
objcopy=${OBJCOPY:-objcopy}
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT

cflags="-std=gnu17 -ffreestanding -O2 -g0 -m64 -march=x86-64 -mno-red-zone -fno-pic -fno-pie
	-mcmodel=small -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-strict-aliasing
	-fno-common -fcf-protection=none -fno-stack-protector -ffunction-sections -fdata-sections
	-fno-builtin -fno-jump-tables
	-Wall -Wextra -Wshadow -Wcast-qual -Wvla -Wundef -Wmissing-prototypes -Wstrict-prototypes
	-Wimplicit-fallthrough -Wconversion -Wno-sign-conversion -Werror
	-ffile-prefix-map=$src=."
general="-mgeneral-regs-only"

for file in acpi_loader bank chipset console evlog fwcfg main memmap setup sha256 sha256_ni string \
	tpm_cmd tpm_mmio; do
	# SHA-NI needs vector registers; nothing else may use them.
	[ "$file" = sha256_ni ] && regs= || regs=$general
	# shellcheck disable=SC2086
	"$cc" $cflags $regs -c "$src/$file.c" -o "$work/$file.o"
done
"$cc" -m64 -c -DFW_VERSION="\"$version\"" -I"$src" "$src/reset.S" -o "$work/reset.o"
"$cc" -nostdlib -static -no-pie -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,--build-id=none \
	-Wl,--gc-sections -Wl,-T,"$src/husk-fw.lds" -o "$work/fw.elf" "$work"/*.o
"$objcopy" -O binary --gap-fill 0xff -j .body -j .reset -j .guidtable -j .vector "$work/fw.elf" \
	"$work/fw.bin"
size=$(wc -c <"$work/fw.bin")
[ "$size" -eq 65536 ] || { echo "husk-fw: the image has $size bytes, not 65536" >&2; exit 1; }
mv "$work/fw.bin" "$out"
