/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the reset vector to fw_main() in long mode.
 *
 * Plain machines (and SEV guests) start in 16-bit real mode, TDX guests in flat 32-bit protected
 * mode. The reset vector tells the two apart by CR0.PE with code that decodes alike in both modes.
 */
#include "layout.h"

#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_EM 0x4
#define CR0_NE 0x20
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

/* Offset from the CS base at reset, 0xffff0000. */
#define RESET_OFFSET(label) (label - reset_start + 0xf000)

	.section .vector, "ax"
	.globl reset_vector
reset_vector:
	.code16
	movl %cr0, %eax		/* 0f 20 c0 in both modes */
	testb $1, %al		/* a8 01 in both modes */
	jz 1f			/* 74 05 in both modes */
	.code32
	jmp entry32_tdx		/* e9 rel32 */
1:	.code16
	.byte 0xe9		/* jmp rel16; the linker has no 16-bit relocation across sections */
	.word 0xf000 - 0xffff
	.byte 0

	.section .reset, "ax"
	.code16
reset_start:
	cli
	cld
	lgdtl %cs:RESET_OFFSET(gdt_pointer)
	movl %cr0, %eax
	andl $~CR0_EM, %eax
	orl $(CR0_PE | CR0_MP | CR0_NE), %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE32, $entry32

	.code32
entry32:
	movw $SELECTOR_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw %ax, %fs
	movw %ax, %gs
	movl $STACK_TOP, %esp

	/* No long mode, no boot: the CPUID leaf must exist and have the bit. */
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	jnc no_long_mode

	/* Page tables: 4 GiB one to one with 2 MiB pages. */
	xorl %eax, %eax
	movl $PAGE_TABLES, %edi
	movl $(PAGE_TABLES_SIZE / 4), %ecx
	rep stosl
	movl $(PAGE_TABLES + 0x1000 + 3), PAGE_TABLES
	movl $(PAGE_TABLES + 0x2000 + 3), PAGE_TABLES + 0x1000
	movl $(PAGE_TABLES + 0x3000 + 3), PAGE_TABLES + 0x1008
	movl $(PAGE_TABLES + 0x4000 + 3), PAGE_TABLES + 0x1010
	movl $(PAGE_TABLES + 0x5000 + 3), PAGE_TABLES + 0x1018
	movl $(PAGE_TABLES + 0x2000), %edi
	movl $0x83, %eax	/* present, writable, 2 MiB */
	movl $2048, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b

	/* The body goes to low memory; its bss starts out zero. */
	movl $__body_load, %esi
	movl $__body_start, %edi
	movl $__body_end, %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	rep movsl
	xorl %eax, %eax
	movl $__bss_start, %edi
	movl $__bss_end, %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	rep stosl

	movl $PAGE_TABLES, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	ljmp $SELECTOR_CODE, $entry64

/*
 * TDX starts here, with the memory map in a HOB and every port access trapping. This image cannot
 * measure into RTMRs, so it stops; nothing has been accepted, loaded or released.
 */
entry32_tdx:
	cli
1:	hlt
	jmp 1b

/* There is no stack of C yet: one line on the serial and debug ports, then S5 through ICH9. */
no_long_mode:
	movl $no_long_mode_text, %esi
1:	movb (%esi), %al
	testb %al, %al
	jz 2f
	movw $0x3f8, %dx
	outb %al, %dx
	movw $0x402, %dx
	outb %al, %dx
	incl %esi
	jmp 1b
2:	movw $0xcf8, %dx
	movl $0x8000f840, %eax	/* 00:1f.0, PMBASE */
	outl %eax, %dx
	movw $0xcfc, %dx
	movl $0x601, %eax
	outl %eax, %dx
	movw $0xcf8, %dx
	movl $0x8000f844, %eax	/* ACPI_CNTL */
	outl %eax, %dx
	movw $0xcfc, %dx
	movb $0x80, %al
	outb %al, %dx
	movw $0x604, %dx
	movw $0x2000, %ax	/* SLP_EN with type 0: S5 */
	outw %ax, %dx
3:	hlt
	jmp 3b
no_long_mode_text:
	.asciz "husk-fw: refused to boot: [cpu] the CPU has no long mode\r\n"

	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 0x08 32-bit code */
	.quad 0x00af9b000000ffff	/* 0x10 64-bit code, __BOOT_CS of the boot protocol */
	.quad 0x00cf93000000ffff	/* 0x18 data, __BOOT_DS */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt

/*
 * The GUIDed table grows downwards from its footer, which ends 0x20 bytes below 4 GiB. TDX and SEV
 * metadata entries go in front of the version entry once the image serves those TEEs.
 */
	.section .guidtable, "a"
table_start:
	/* b5c63a1e-3f0c-4c2d-9a53-6875736b6677: the bytes that are measured as firmware version */
version_entry:
	.ascii "husk-fw ", FW_VERSION, "\0"
version_end:
	.word version_entry_end - version_entry
	.byte 0x1e, 0x3a, 0xc6, 0xb5, 0x0c, 0x3f, 0x2d, 0x4c
	.byte 0x9a, 0x53, 0x68, 0x75, 0x73, 0x6b, 0x66, 0x77
version_entry_end:
	/* 96b582de-1fb2-45f7-baea-a366c55a082d: footer */
	.word table_end - table_start
	.byte 0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45
	.byte 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d
table_end:

	/* C is linked for low memory and cannot name addresses just below 4 GiB by itself. */
	.section .rodata.version, "a"
	.balign 8
	.globl fw_version
fw_version:
	.quad version_entry
	.globl fw_version_size
fw_version_size:
	.long version_end - version_entry

	.section .text.start, "ax"
	.code64
entry64:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movl $STACK_TOP, %esp
	xorl %ebp, %ebp
	call fw_main
1:	hlt
	jmp 1b

/* noreturn void fw_enter_kernel(uint64_t entry, const void *boot_params) */
	.globl fw_enter_kernel
fw_enter_kernel:
	cli
	movq %rdi, %rax
	/* RSI holds boot_params already; the boot protocol wants nothing else. */
	xorl %ebx, %ebx
	xorl %ebp, %ebp
	xorl %edi, %edi
	jmpq *%rax

/* One stub per exception that a CPU can raise; each leads to fw_exception(vector, rip). */
	.globl fw_exception_stubs
	.balign 16
fw_exception_stubs:
	.set vector, 0
	.rept 32
	.balign 16
	/* Vectors 8, 10-14, 17, 21, 29, 30 push an error code themselves. */
	.if (0x60227d00 >> vector) & 1
	.else
	pushq $0
	.endif
	pushq $vector
	jmp exception_common
	.set vector, vector + 1
	.endr
exception_common:
	popq %rdi
	movq 8(%rsp), %rsi
	movl $STACK_TOP, %esp
	call fw_exception
1:	hlt
	jmp 1b

	.section .note.GNU-stack, "", @progbits
