/* SPDX-License-Identifier: Apache-2.0 */
#include "console.h"

#include "chipset.h"
#include "x86.h"

#define SERIAL 0x3f8
#define SERIAL_LINE_STATUS (SERIAL + 5)
#define SERIAL_EMPTY 0x20
#define DEBUG_PORT 0x402
#define DEBUG_PORT_PRESENT 0xe9
#define PVPANIC_PORT 0x505
#define PVPANIC_PANICKED 1

/* A port without a device reads as all ones, so the wait ends at once; a stuck one costs ms. */
static void serial_byte(char c)
{
	for (int i = 0; i < 10000 && !(inb(SERIAL_LINE_STATUS) & SERIAL_EMPTY); i++)
		cpu_relax();
	outb(SERIAL, (uint8_t)c);
}

void trace(const char *text)
{
	if (inb(DEBUG_PORT) != DEBUG_PORT_PRESENT)
		return;
	while (*text)
		outb(DEBUG_PORT, (uint8_t)*text++);
}

void console_text(const char *text)
{
	trace(text);
	for (; *text; text++) {
		if (*text == '\n')
			serial_byte('\r');
		serial_byte(*text);
	}
}

static void console_hex(uint32_t v)
{
	char text[11] = "0x";
	for (int i = 0; i < 8; i++)
		text[2 + i] = "0123456789abcdef"[v >> (28 - 4 * i) & 15];
	text[10] = 0;
	console_text(text);
}

static noreturn_fn void stop(void)
{
	console_text("\n");
	uint8_t panic = inb(PVPANIC_PORT);
	if (panic != 0xff && panic & PVPANIC_PANICKED)
		outb(PVPANIC_PORT, PVPANIC_PANICKED);
	chipset_power_off();
}

static void say_why(const char *stage, const char *why)
{
	console_text("husk-fw: refused to boot: [");
	console_text(stage);
	console_text("] ");
	console_text(why);
}

noreturn_fn void refuse(const char *stage, const char *why)
{
	say_why(stage, why);
	stop();
}

noreturn_fn void refuse_code(const char *stage, const char *why, uint32_t code)
{
	say_why(stage, why);
	console_text(" (");
	console_hex(code);
	console_text(")");
	stop();
}
