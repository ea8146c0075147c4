/* SPDX-License-Identifier: Apache-2.0 */
#include "host/vmm/qemu_args.h"

#include <assert.h>
#include <stdarg.h>

static void put(struct qemu_args *a, const char *word)
{
	/* The caller's list is fixed; it cannot outgrow the array at run time. */
	assert(a->count < QEMU_ARGS_MAX);
	a->argv[a->count++] = word;
	a->argv[a->count] = NULL;
}

static void put2(struct qemu_args *a, const char *option, const char *value)
{
	put(a, option);
	put(a, value);
}

format_printf(3, 4) static void put_text(
	struct qemu_args *a, const char *option, const char *fmt, ...)
{
	va_list ap;
	assert(a->text_count < ARRAY_COUNT(a->text));
	char *text = a->text[a->text_count++];
	va_start(ap, fmt);
	vsnprintf(text, sizeof(a->text[0]), fmt, ap);
	va_end(ap);
	put2(a, option, text);
}

static void put_network(struct qemu_args *a, const struct vmm_config *c)
{
	switch (c->network) {
	case VMM_NET_NONE:
		return;
	case VMM_NET_USER:
		put2(a, "-netdev", "user,id=net0,ipv6=off");
		break;
	case VMM_NET_TAP:
		put_text(a, "-netdev", "tap,id=net0,ifname=%s,script=no,downscript=no", c->tap);
		break;
	}
	put2(a, "-device", "virtio-net-pci,netdev=net0,romfile=");
}

void qemu_args_make(
	const struct vmm_config *c, bool kvm, int link_fd, int tpm_fd, struct qemu_args *a)
{
	*a = (struct qemu_args){0};
	put(a, c->qemu);
	put(a, "-nodefaults");
	put(a, "-no-user-config");
	put(a, "-no-reboot");
	put2(a, "-display", "none");
	/* A guest that breaks out of QEMU finds no exec and no new privileges. */
	put2(a, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny");
	put2(a, "-machine", kvm ? "q35,accel=kvm" : "q35,accel=tcg");
	put2(a, "-cpu", kvm ? "host" : VMM_CPU_TCG);
	put_text(a, "-m", "%lluM", (unsigned long long)((c->memory + (1 << 20) - 1) >> 20));
	put_text(a, "-smp", "%u", c->cpus);
	put2(a, "-bios", c->firmware);
	put2(a, "-kernel", c->kernel);
	put2(a, "-initrd", c->initrd);
	put2(a, "-append", c->append);
	put2(a, "-chardev", "stdio,id=console,signal=off");
	put2(a, "-serial", "chardev:console");
	put_text(a, "-chardev", "socket,id=link,fd=%d", link_fd);
	put2(a, "-device", "virtio-serial-pci");
	put2(a, "-device", "virtserialport,chardev=link,name=" HOSTLINK_PORT);
	put_text(a, "-chardev", "socket,id=tpm,fd=%d", tpm_fd);
	put2(a, "-tpmdev", "emulator,id=tpm0,chardev=tpm");
	put2(a, "-device", "tpm-crb,tpmdev=tpm0");
	put_network(a, c);
}
