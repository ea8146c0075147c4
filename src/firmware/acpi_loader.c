/* SPDX-License-Identifier: Apache-2.0 */
#include "acpi_loader.h"

enum command {
	COMMAND_NONE, /* padding, as other loaders treat it */
	COMMAND_ALLOCATE,
	COMMAND_ADD_POINTER,
	COMMAND_ADD_CHECKSUM,
	COMMAND_WRITE_POINTER,
};

#define ZONE_HIGH 1
#define ZONE_FSEG 2
#define ALIGN_MAX 65536u

static bool name_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The name field at @p, or NULL when it is empty or has no end. */
static const char *read_name(const uint8_t *p)
{
	if (p[0] == 0 || p[ACPI_NAME_SIZE - 1] != 0)
		return NULL;
	return (const char *)p;
}

struct acpi_file *acpi_find(struct acpi_loader *l, const char *name)
{
	for (uint32_t i = 0; name && i < l->count; i++)
		if (name_equal(l->files[i].name, name))
			return &l->files[i];
	return NULL;
}

static bool in_file(const struct acpi_file *f, uint32_t offset, uint32_t size)
{
	return offset <= f->size && size <= f->size - offset;
}

static int run_allocate(
	struct acpi_loader *l, const uint8_t *p, const struct acpi_ops *ops, const char **ret_why)
{
	const char *name = read_name(p);
	uint32_t align = get_u32le(p + 56), size = 0;
	uint8_t zone = p[60];
	if (!name || acpi_find(l, name))
		return fw_why(ret_why, -EBADMSG, "ACPI loader: a file is allocated twice");
	if (align == 0 || (align & (align - 1)) || align > ALIGN_MAX)
		return fw_why(ret_why, -EBADMSG, "ACPI loader: bad alignment");
	/* Linux gets the RSDP by boot_params, so nothing needs to lie in the F segment. */
	if (zone != ZONE_HIGH && zone != ZONE_FSEG)
		return fw_why(ret_why, -EBADMSG, "ACPI loader: unknown zone");
	if (l->count == ACPI_FILE_MAX)
		return fw_why(ret_why, -E2BIG, "ACPI loader: too many files");
	if (ops->size(ops->context, name, &size))
		return fw_why(ret_why, -ENOENT, "ACPI loader: no such fw_cfg file");
	if (size == 0 || size > ACPI_FILE_SIZE_MAX || size > ACPI_TOTAL_MAX - l->total)
		return fw_why(ret_why, -E2BIG, "ACPI loader: a file is empty or too large");
	struct acpi_file *f = &l->files[l->count];
	memcpy(f->name, p, ACPI_NAME_SIZE);
	f->size = size;
	int r = ops->load(ops->context, f->name, size, align, &f->data, &f->address);
	if (r < 0)
		return fw_why(ret_why, r, "ACPI loader: a file cannot be read into memory");
	l->count++;
	l->total += size;
	return 0;
}

static bool pointer_size_ok(uint8_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static bool fits(uint64_t v, uint8_t size)
{
	return size == 8 || v >> (8 * size) == 0;
}

static int run_add_pointer(struct acpi_loader *l, const uint8_t *p, const char **ret_why)
{
	struct acpi_file *at = acpi_find(l, read_name(p));
	struct acpi_file *to = acpi_find(l, read_name(p + 56));
	uint32_t offset = get_u32le(p + 112);
	uint8_t size = p[116];
	if (!at || !to || !pointer_size_ok(size) || !in_file(at, offset, size))
		return fw_why(ret_why, -EBADMSG, "ACPI loader: a pointer lies outside its file");
	uint64_t v = 0;
	for (uint8_t i = 0; i < size; i++)
		v |= (uint64_t)at->data[offset + i] << (8 * i);
	/* The old value is an offset in the target: it must not lead out of it. */
	if (v >= to->size || !fits(v + to->address, size))
		return fw_why(ret_why, -EBADMSG, "ACPI loader: a pointer leads out of its target");
	v += to->address;
	for (uint8_t i = 0; i < size; i++)
		at->data[offset + i] = (uint8_t)(v >> (8 * i));
	return 0;
}

static int run_add_checksum(struct acpi_loader *l, const uint8_t *p, const char **ret_why)
{
	struct acpi_file *f = acpi_find(l, read_name(p));
	uint32_t offset = get_u32le(p + 56), start = get_u32le(p + 60), size = get_u32le(p + 64);
	if (!f || !in_file(f, offset, 1) || !in_file(f, start, size))
		return fw_why(ret_why, -EBADMSG, "ACPI loader: a checksum reaches out of its file");
	uint8_t sum = 0;
	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + f->data[start + i]);
	f->data[offset] = (uint8_t)(f->data[offset] - sum);
	return 0;
}

static int run_write_pointer(
	struct acpi_loader *l, const uint8_t *p, const struct acpi_ops *ops, const char **ret_why)
{
	const char *name = read_name(p);
	struct acpi_file *to = acpi_find(l, read_name(p + 56));
	uint32_t offset = get_u32le(p + 112), source = get_u32le(p + 116), file_size = 0;
	uint8_t size = p[120], bytes[8];
	if (!name || !to || !pointer_size_ok(size) || source >= to->size ||
		!fits(to->address + source, size))
		return fw_why(ret_why, -EBADMSG, "ACPI loader: bad pointer to write back");
	if (ops->size(ops->context, name, &file_size))
		return fw_why(ret_why, -ENOENT, "ACPI loader: no such fw_cfg file");
	if (offset > file_size || size > file_size - offset)
		return fw_why(ret_why, -EBADMSG, "ACPI loader: a pointer lies outside its file");
	put_u64le(bytes, to->address + source);
	int r = ops->write_back(ops->context, name, offset, bytes, size);
	return r < 0 ? fw_why(ret_why, r, "ACPI loader: a pointer cannot be written back") : 0;
}

int acpi_load(struct acpi_loader *l, const uint8_t *script, uint32_t size,
	const struct acpi_ops *ops, void (*loaded)(void *context, const struct acpi_file *file),
	const char **ret_why)
{
	memset(l, 0, sizeof(*l));
	if (size == 0 || size % ACPI_COMMAND_SIZE)
		return fw_why(ret_why, -EBADMSG, "ACPI loader: the script has a bad size");
	if (size / ACPI_COMMAND_SIZE > ACPI_COMMAND_MAX)
		return fw_why(ret_why, -E2BIG, "ACPI loader: the script is too long");
	for (uint32_t at = 0; at < size; at += ACPI_COMMAND_SIZE) {
		const uint8_t *p = script + at + 4;
		int r = 0;
		switch (get_u32le(script + at)) {
		case COMMAND_NONE:
			break;
		case COMMAND_ALLOCATE:
			r = run_allocate(l, p, ops, ret_why);
			if (r == 0 && loaded)
				loaded(ops->context, &l->files[l->count - 1]);
			break;
		case COMMAND_ADD_POINTER:
			r = run_add_pointer(l, p, ret_why);
			break;
		case COMMAND_ADD_CHECKSUM:
			r = run_add_checksum(l, p, ret_why);
			break;
		case COMMAND_WRITE_POINTER:
			r = run_write_pointer(l, p, ops, ret_why);
			break;
		default:
			return fw_why(ret_why, -EOPNOTSUPP, "ACPI loader: unknown command");
		}
		if (r < 0)
			return r;
	}
	return 0;
}
