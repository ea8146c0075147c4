/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One pod VM: QEMU with husk-fw, a kernel, an initrd and a vTPM, driven by one event loop.
 *
 * Theory of operation. vmm_start() makes the TPM (a swtpm child), then QEMU, all over socket pairs,
 * so nothing of a VM has a name that another user could open. The guest opens with HELLO over the
 * guest link; the VMM answers with INITDATA and RUN and then only relays. The VM ends when QEMU is
 * gone; struct vmm_result says why. Nothing here is trusted by the guest or its owner: the VMM can
 * refuse service, no more.
 *
 * The VMM kills only its own children, through pidfds; they die with it (PR_SET_PDEATHSIG).
 *
 * Spec: docs/protocol/guest-link.md. Attacker: the guest (everything it says is limited and
 * checked).
 */
#include "base/err.h"
#include "base/slice.h"
#include "fmt/hostlink.h"

struct event_base;
struct vmm;

enum vmm_accel { VMM_ACCEL_AUTO, VMM_ACCEL_KVM, VMM_ACCEL_TCG };
enum vmm_network { VMM_NET_USER, VMM_NET_NONE, VMM_NET_TAP };

/* The kernel command line of a pod VM; what `husk measure` and `husk run` take by default. */
#define VMM_CMDLINE                                                                           \
	"quiet panic=-1 console=ttyS0 cryptomgr.notests tsc=reliable no_timer_check audit=0 " \
	"8250.nr_uarts=1"

/*
 * The processor without KVM. It must not promise a fast "rep stosb": the kernel then clears each page
 * byte by byte in the emulator, which takes a tenth of the whole start.
 */
#define VMM_CPU_TCG "max,-erms"

#define VMM_MEMORY_MIN ((uint64_t)128 << 20)
#define VMM_MEMORY_MAX ((uint64_t)1 << 40)
#define VMM_CPUS_MAX 64u

/**
 * struct vmm_config - what to boot; strings and slices are borrowed until vmm_free()
 * @qemu, @swtpm: programs, looked up in PATH when they hold no slash
 * @firmware, @kernel, @initrd: files; @append: kernel command line
 * @tpm_state: folder of a persistent TPM, NULL for one that ends with the VM
 * @memory: bytes; @cpus: virtual CPUs
 * @tap: interface name with VMM_NET_TAP
 * @initdata: raw TOML, may be empty
 * @run: what the guest shall run; its network members are filled in by the VMM
 * @boot_timeout_ms: from the start of QEMU to HELLO
 * @start_timeout_ms: from HELLO to the start of the container
 * @timeout_ms: for the whole VM, 0 for none
 */
struct vmm_config {
	const char *name;
	const char *qemu, *swtpm;
	const char *firmware, *kernel, *initrd, *append;
	const char *tpm_state;
	uint64_t memory;
	unsigned cpus;
	enum vmm_accel accel;
	enum vmm_network network;
	const char *tap;
	struct slice initdata;
	struct hostlink_run *run;
	uint64_t boot_timeout_ms, start_timeout_ms, timeout_ms;
};

enum vmm_end {
	VMM_END_ERROR = 0, /* QEMU or swtpm could not start or broke */
	VMM_END_EXITED,	   /* the container ended; code is its exit code */
	VMM_END_FATAL,	   /* the guest gave up: stage, reason, id; code as in FATAL */
	VMM_END_LOST,	   /* the guest ended without a word: a crash */
	VMM_END_TIMEOUT,   /* stage says waiting for what */
	VMM_END_STOPPED,   /* vmm_stop() */
};

struct vmm_result {
	enum vmm_end end;
	int code;
	char stage[24];
	char reason[640];
	char id[64];
};

/**
 * struct vmm_events - what the VMM tells; all are called from the event loop, none may free the VMM
 * @phase: a phase ended. @guest_ms is the guest's clock since its kernel started, 0 for phases of
 * the host ("accel", "tpm", "qemu"); @host_ms counts from vmm_start().
 * @output: bytes of the container, @fd 1 or 2
 * @log: lines of the guest for the operator; untrusted text
 * @writable: there is room for more input again
 * @done: the VM is gone; the last call
 */
struct vmm_events {
	void (*phase)(void *user, const char *phase, uint64_t guest_ms, uint64_t host_ms);
	void (*output)(void *user, int fd, struct slice bytes);
	void (*log)(void *user, struct slice text);
	void (*writable)(void *user);
	void (*done)(void *user, const struct vmm_result *result);
	void *user;
};

/**
 * vmm_start() - start a VM
 * @base: event loop, borrowed until vmm_free()
 *
 * Blocks only for the TPM (about 0.1 s; a new key about 0.5 s) and, once after each boot of the
 * host, for the KVM probe. Return: 0, -EINVAL (config), -ENOENT (a file or program is missing),
 * -EBUSY (the TPM state is in use), other negative errno; @reterr names what. After a failure
 * nothing runs and done() is not called.
 */
must_check int vmm_start(struct event_base *base, const struct vmm_config *config,
	const struct vmm_events *events, struct vmm **ret, struct err *reterr);

/** vmm_stop() - end the VM soon (SIGTERM to QEMU, then SIGKILL after 3 s); done() follows */
void vmm_stop(struct vmm *v, const char *reason);

/** vmm_free() - kill what still runs and release everything; accepts NULL */
void vmm_free(struct vmm *v);
DEFINE_CLEANUP(struct vmm *, vmm_free);

/** vmm_running() - has the container started? */
bool vmm_running(const struct vmm *v);
/** vmm_using_kvm() - which accelerator was chosen */
bool vmm_using_kvm(const struct vmm *v);

#define VMM_INPUT_HIGH ((size_t)256 << 10)
/** vmm_input_room() - how many bytes of stdin to give now; 0 means wait for writable() */
size_t vmm_input_room(const struct vmm *v);
/** vmm_input() - bytes for the container's stdin (at most HOSTLINK_PAYLOAD_MAX) */
void vmm_input(struct vmm *v, struct slice bytes);
void vmm_input_eof(struct vmm *v);
void vmm_winsize(struct vmm *v, uint16_t rows, uint16_t cols);
void vmm_signal(struct vmm *v, uint32_t signo);

/** vmm_console() - the last part of console and QEMU messages, untrusted; valid until vmm_free() */
struct slice vmm_console(const struct vmm *v);
