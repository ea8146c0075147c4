/* SPDX-License-Identifier: Apache-2.0 */
/* From argv to struct cli, driven by the command tables. */
#include <assert.h>

#include "base/str.h"
#include "cli/cli.h"

const struct cli_command *cli_find(const char *group, const char *name)
{
	for (size_t t = 0; cli_tables[t]; t++)
		for (const struct cli_command *c = cli_tables[t]; c->name; c++)
			if (streq_null(c->group, group) && streq(c->name, name))
				return c;
	return NULL;
}

const char *cli_command_path(const struct cli_command *c, char *dst, size_t size)
{
	snprintf(dst, size, "%s%s%s", c->group ? c->group : "", c->group ? " " : "", c->name);
	return dst;
}

static const struct cli_group *find_group(const char *name)
{
	for (const struct cli_group *g = cli_groups; g->name; g++)
		if (streq(g->name, name))
			return g;
	return NULL;
}

#define SUGGEST_LEN 31u

/* Edit distance with transpositions; both words are cut to SUGGEST_LEN. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][SUGGEST_LEN + 2] = {{0}};
	size_t n = MIN(strlen(a), (size_t)SUGGEST_LEN), m = MIN(strlen(b), (size_t)SUGGEST_LEN);
	unsigned *before = row[0], *last = row[1], *now = row[2];
	for (size_t j = 0; j <= m; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
			best = MIN(best, last[j] + 1);
			best = MIN(best, now[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, before[j - 2] + 1);
			now[j] = best;
		}
		unsigned *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

const char *cli_suggest(const char *word, const char *const *candidates)
{
	const char *found = NULL;
	unsigned limit = strlen(word) < 4 ? 1 : strlen(word) < 8 ? 2 : 3, best = limit + 1;
	for (size_t i = 0; candidates[i]; i++) {
		unsigned d = distance(word, candidates[i]);
		if (d < best) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}

#define CANDIDATES_MAX 128u

static void add_candidate(const char **list, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (streq(list[i], name))
			return;
	if (*count + 1 < CANDIDATES_MAX)
		list[(*count)++] = name;
}

/* The words that can stand where an unknown one stood. */
static int unknown_command(const char *group, const char *word, struct err *e)
{
	const char *list[CANDIDATES_MAX] = {0};
	size_t count = 0;
	for (size_t t = 0; cli_tables[t]; t++)
		for (const struct cli_command *c = cli_tables[t]; c->name; c++) {
			if (c->hidden)
				continue;
			if (group && streq_null(c->group, group))
				add_candidate(list, &count, c->name);
			else if (!group)
				add_candidate(list, &count, c->group ? c->group : c->name);
		}
	const char *near = cli_suggest(word, list);
	return err_at(e, -EINVAL, ERR_NO_OFFSET, word,
		"there is no command '%s%s%.60s'%s%s%s; 'husk%s%s --help' lists them",
		group ? group : "", group ? " " : "", word, near ? ", did you mean '" : "",
		near ? near : "", near ? "'?" : "", group ? " " : "", group ? group : "");
}

static const struct cli_option *find_option(
	const struct cli_command *c, struct slice name, char letter)
{
	const struct cli_option *tables[] = {c ? c->options : NULL, cli_globals};
	for (size_t t = 0; t < ARRAY_COUNT(tables); t++)
		for (const struct cli_option *o = tables[t]; o && o->name; o++)
			if (letter ? o->letter == letter : slice_eq_str(name, o->name))
				return o;
	return NULL;
}

static int unknown_option(const struct cli_command *c, const char *word, struct err *e)
{
	const char *list[CANDIDATES_MAX] = {0};
	size_t count = 0;
	char name[64];
	snprintf(name, sizeof(name), "%.*s", (int)MIN(strcspn(word + 2, "="), sizeof(name) - 1),
		word + 2);
	const struct cli_option *tables[] = {c ? c->options : NULL, cli_globals};
	for (size_t t = 0; t < ARRAY_COUNT(tables); t++)
		for (const struct cli_option *o = tables[t]; o && o->name; o++)
			add_candidate(list, &count, o->name);
	const char *near = word[1] == '-' ? cli_suggest(name, list) : NULL;
	return err_at(e, -EINVAL, ERR_NO_OFFSET, word, "unknown option '%.60s'%s%s%s", word,
		near ? ", did you mean '--" : "", near ? near : "", near ? "'?" : "");
}

static bool in_choices(const char *choices, const char *value)
{
	size_t size = strlen(value);
	for (const char *p = choices; size > 0 && *p;) {
		size_t n = strcspn(p, "|");
		if (n == size && strncmp(p, value, n) == 0)
			return true;
		p += n + (p[n] == '|');
	}
	return false;
}

static int add_value(struct cli *cli, const struct cli_option *o, const char *value, struct err *e)
{
	if (o->refused)
		return err_at(e, -EINVAL, ERR_NO_OFFSET, o->name, "--%s is refused: %s", o->name,
			o->refused);
	if (value && o->choices && !in_choices(o->choices, value))
		return err_at(e, -EINVAL, ERR_NO_OFFSET, o->name,
			"--%s must be one of %s, not '%.60s'", o->name, o->choices, value);
	for (size_t i = 0; i < cli->value_count && !o->many && value; i++)
		if (cli->values[i].option == o)
			return err_at(e, -EINVAL, ERR_NO_OFFSET, o->name,
				"--%s was given more than once", o->name);
	cli->values[cli->value_count++] = (struct cli_value){o, value};
	return 0;
}

struct cursor {
	int argc, i;
	char **argv;
	const struct cli_command *command;
	struct cli *cli;
};

static int take_value(
	struct cursor *c, const struct cli_option *o, const char *attached, struct err *e)
{
	if (!o->arg && attached)
		return err_at(e, -EINVAL, ERR_NO_OFFSET, o->name, "--%s takes no value", o->name);
	if (!o->arg)
		return add_value(c->cli, o, NULL, e);
	if (!attached && o->refused)
		return add_value(c->cli, o, "", e);
	if (!attached) {
		if (c->i + 1 >= c->argc)
			return err_at(e, -EINVAL, ERR_NO_OFFSET, o->name, "--%s needs a value (%s)",
				o->name, o->arg);
		attached = c->argv[++c->i];
	}
	return add_value(c->cli, o, attached, e);
}

static int parse_option(struct cursor *c, struct err *e)
{
	const char *word = c->argv[c->i];
	if (word[1] == '-') {
		size_t n = strcspn(word + 2, "=");
		const struct cli_option *o = find_option(c->command, slice_of(word + 2, n), 0);
		if (!o)
			return unknown_option(c->command, word, e);
		return take_value(c, o, word[2 + n] == '=' ? word + 3 + n : NULL, e);
	}
	for (const char *p = word + 1; *p; p++) {
		const struct cli_option *o = find_option(c->command, SLICE_EMPTY, *p);
		if (!o)
			return unknown_option(c->command, word, e);
		if (o->arg)
			return take_value(c, o, p[1] ? p + 1 : NULL, e);
		int r = add_value(c->cli, o, NULL, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A word that is no option: part of the command's name, else an argument. */
static int parse_word(struct cursor *c, const struct cli_group **group, struct err *e)
{
	const char *word = c->argv[c->i];
	if (c->command) {
		/* `husk measure` is a command, and the first word of `husk measure snp`. */
		const struct cli_command *more =
			c->command->group || c->cli->value_count > 0 || c->command->args_max > 0
				? NULL
				: cli_find(c->command->name, word);
		if (more)
			c->command = more;
		else
			c->cli->args[c->cli->arg_count++] = word;
		return 0;
	}
	if (!*group && (*group = find_group(word)))
		return 0;
	c->command = cli_find(*group ? (*group)->name : NULL, word);
	return c->command ? 0 : unknown_command(*group ? (*group)->name : NULL, word, e);
}

static int check_counts(const struct cursor *c, struct err *e)
{
	const struct cli_command *command = c->command;
	char path[64];
	cli_command_path(command, path, sizeof(path));
	for (const struct cli_option *o = command->options; o && o->name; o++)
		if (o->required && !cli_opt(c->cli, o->name))
			return err_at(e, -EINVAL, ERR_NO_OFFSET, o->name,
				"--%s %s is missing; see 'husk %s --help'", o->name,
				o->arg ? o->arg : "", path);
	if (c->cli->arg_count < command->args_min)
		return err_set(e, -EINVAL, "%s is missing; usage: husk %s [OPTION...] %s",
			c->cli->arg_count ? "an argument" : command->args, path, command->args);
	if (c->cli->arg_count > command->args_max)
		return err_set(e, -EINVAL, "'%.60s' is one argument too many%s",
			c->cli->args[command->args_max],
			command->rest ? "; put -- before the words of the command" : "");
	if (c->cli->rest_count && !command->rest)
		return err_set(e, -EINVAL, "'husk %s' takes nothing after --", path);
	return 0;
}

static int parse_words(struct cursor *c, const struct cli_group **group, struct err *e)
{
	for (c->i = 1; c->i < c->argc; c->i++) {
		const char *word = c->argv[c->i];
		int r;
		if (streq(word, "--") && c->command) {
			for (c->i++; c->i < c->argc; c->i++)
				c->cli->rest[c->cli->rest_count++] = c->argv[c->i];
			return 0;
		}
		if (word[0] == '-' && word[1])
			r = parse_option(c, e);
		else
			r = parse_word(c, group, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int cli_parse(int argc, char **argv, struct cli *ret, const char **ret_help, struct err *reterr)
{
	size_t room = (size_t)argc + 1;
	for (int i = 0; i < argc; i++)
		room += strlen(argv[i]); /* clustered flags */
	struct cli cli = {.values = calloc(room, sizeof(*cli.values)),
		.args = calloc(room, sizeof(*cli.args)),
		.rest = calloc(room, sizeof(*cli.rest))};
	struct cursor c = {.argc = argc, .argv = argv, .cli = &cli};
	const struct cli_group *group = NULL;
	static char path[64];
	int r = -ENOMEM;
	if (cli.values && cli.args && cli.rest)
		r = parse_words(&c, &group, reterr);
	cli.command = c.command;
	bool help = cli.values && cli_flag(&cli, "help");
	if (help || (r == 0 && !c.command)) {
		*ret_help = c.command ? cli_command_path(c.command, path, sizeof(path))
			    : group   ? group->name
				      : "";
		r = help ? -ECANCELED
			 : err_set(reterr, -EINVAL, "no command given; see 'husk%s%s --help'",
				   group ? " " : "", group ? group->name : "");
	} else if (r == 0) {
		r = check_counts(&c, reterr);
	}
	if (r < 0) {
		cli_done(&cli);
		return r;
	}
	cli.json = cli_flag(&cli, "json");
	cli.quiet = cli_flag(&cli, "quiet");
	cli.verbose = cli_flag(&cli, "verbose");
	*ret = cli;
	return 0;
}

void cli_done(struct cli *cli)
{
	free(cli->values);
	free(cli->args);
	free(cli->rest);
	*cli = (struct cli){0};
}

static const struct cli_value *value_at(const struct cli *cli, const char *name, size_t index)
{
	/* A name outside the tables is a slip of the programmer. */
	assert(find_option(cli->command, slice_str(name), 0));
	for (size_t i = 0; i < cli->value_count; i++)
		if (streq(cli->values[i].option->name, name) && index-- == 0)
			return &cli->values[i];
	return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
	return value_at(cli, name, 0) != NULL;
}

const char *cli_opt_at(const struct cli *cli, const char *name, size_t i)
{
	const struct cli_value *v = value_at(cli, name, i);
	return v ? v->value : NULL;
}

const char *cli_opt(const struct cli *cli, const char *name)
{
	const char *found = NULL, *next;
	for (size_t i = 0; (next = cli_opt_at(cli, name, i)); i++)
		found = next;
	return found;
}

const char *cli_opt_or(const struct cli *cli, const char *name, const char *fallback)
{
	const char *value = cli_opt(cli, name);
	return value ? value : fallback;
}

const char *cli_arg(const struct cli *cli, size_t i)
{
	return i < cli->arg_count ? cli->args[i] : NULL;
}
