#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Called by 'meson install': write the man pages of all commands. usage: install-man.sh HUSK MANDIR
set -eu
exec "$1" man --write "$MESON_INSTALL_DESTDIR_PREFIX/$2/man1"
