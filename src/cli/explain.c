/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain.h"

#include "base/str.h"
#include "cli/cli.h"

static void line(FILE *out, const char *indent, const char *name, const json_t *v)
{
	char *text = NULL;

	if (!v || json_is_null(v))
		return;
	fprintf(out, "%s%-10s ", indent, name);
	if (json_is_string(v)) {
		cli_put_text(out, json_string_value(v));
	} else {
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		cli_put_text(out, text ? text : "?");
	}
	free(text);
	fputc('\n', out);
}

static void print_checks(FILE *out, const json_t *checks)
{
	for (size_t i = 0; i < json_array_size(checks); i++) {
		const json_t *c = json_array_get(checks, i);
		bool ok = json_is_true(json_object_get(c, "ok"));
		fprintf(out, "  %s ", ok ? "ok    " : "FAILED");
		cli_put_text(out, json_string_value(json_object_get(c, "name")) ?: "?");
		fputc('\n', out);
		if (ok)
			continue;
		line(out, "           ", "because", json_object_get(c, "detail"));
		line(out, "           ", "expected", json_object_get(c, "expected"));
		line(out, "           ", "actual", json_object_get(c, "actual"));
		line(out, "           ", "to do", json_object_get(c, "fix"));
	}
}

static void print_findings(FILE *out, const json_t *findings)
{
	static const struct {
		const char *member, *label;
	} rows[] = {{"expression", "expression"}, {"reason", "because"}, {"actual", "actual"},
		{"reference_value", "reference"}, {"reference_state", "state"},
		{"expected", "expected"}, {"nearest", "nearest"}, {"distance", "distance"},
		{"fix", "to do"}};

	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		const json_t *at = json_object_get(f, "line");
		fputs("  rule ", out);
		cli_put_text(out, json_string_value(json_object_get(f, "rule")) ?: "?");
		if (json_is_integer(at))
			fprintf(out, " (line %lld)", (long long)json_integer_value(at));
		fputc('\n', out);
		for (size_t r = 0; r < ARRAY_COUNT(rows); r++)
			line(out, "       ", rows[r].label, json_object_get(f, rows[r].member));
	}
}

static void print_details(FILE *out, const json_t *record)
{
	if (json_array_size(json_object_get(record, "checks")) > 0)
		fputs("checks\n", out);
	print_checks(out, json_object_get(record, "checks"));
	if (json_array_size(json_object_get(record, "findings")) > 0)
		fputs("findings\n", out);
	print_findings(out, json_object_get(record, "findings"));
}

void explain_print(FILE *out, const json_t *record)
{
	static const char *const head[] = {"id", "time", "kind", "tee", "resource", "peer",
		"status", "stage", "reason", "ear.status", "vector", "cut"};
	const json_t *appraisal = json_object_get(record, "appraisal");

	for (size_t i = 0; i < ARRAY_COUNT(head); i++)
		line(out, "", head[i], json_object_get(record, head[i]));
	print_details(out, record);
	if (!appraisal)
		return;
	line(out, "", "appraisal", json_object_get(appraisal, "id"));
	print_details(out, appraisal);
}
