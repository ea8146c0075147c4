/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe guest: reset vector, 16-bit code, 64-bit code. It is data of the VMM; kvm.c copies it to
 * the end of a 64 KiB ROM. All addresses are offsets into the last 4 KiB of that ROM, which lies at
 * 0xff000 (and below 4 GiB). Page tables go to 0x1000..0x3fff.
 */
	.section .rodata
	.globl husk_kvm_probe, husk_kvm_probe_end
	.hidden husk_kvm_probe, husk_kvm_probe_end
	.balign 16
husk_kvm_probe:
#define AT(label) (0xff000 + (label - husk_kvm_probe))
	.code16
start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	/* One 2 MiB page at 0: PML4 -> PDPT -> page directory. */
	movw $0x1000, %di
	movw $0x1800, %cx
	cld
	rep stosw
	movl $0x2003, 0x1000
	movl $0x3003, 0x2000
	movl $0x0083, 0x3000
	movw $0xff00, %ax
	movw %ax, %ds
	lgdtl (gdt_pointer - husk_kvm_probe)
	movl $0x20, %eax
	movl %eax, %cr4
	movl $0x1000, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl $0x80000001, %eax
	movl %eax, %cr0
	ljmpl $8, $AT(in64)
	.code64
in64:
	/* Only 64-bit mode gets this right: a sum past 32 bits, through memory. */
	movabsq $0x200000001, %rax
	movq %rax, 0x8000
	addq 0x8000, %rax
	shrq $32, %rax
	cmpl $4, %eax
	jne stop
	movl $0, %eax
	cpuid
	movl $0x2a, %eax
	movw $0xf4, %dx
	outl %eax, %dx
stop:
	hlt
	jmp stop
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9a000000ffff
gdt_pointer:
	.word 15
	.long AT(gdt)
	.balign 16
	.org husk_kvm_probe + 0xff0
	.code16
	/* 0xfffffff0, the first instruction: a jump back to the start of these 4 KiB. */
	ljmpw $0xff00, $0
	.org husk_kvm_probe + 0x1000
husk_kvm_probe_end:
	.section .note.GNU-stack, "", @progbits
