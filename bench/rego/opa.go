// SPDX-License-Identifier: Apache-2.0

// OPA's side of the policy engine benchmark (run.sh); see husk.c for what is measured.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/types"
)

const rounds = 5

type benchCase struct {
	Modules   []string       `json:"modules"`
	Path      string         `json:"path"`
	V0        bool           `json:"v0"`
	Reference map[string]any `json:"reference"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Processor time of one call of f in microseconds: the best of several rounds.
func measure(round time.Duration, f func()) float64 {
	best, batch := math.Inf(1), 1
	for r := 0; r < rounds; r++ {
		start, count := cpu(), 0
		var took time.Duration
		for took < round {
			for i := 0; i < batch; i++ {
				f()
			}
			count += batch
			took = cpu() - start
			if took < round/64 {
				batch *= 2
			}
		}
		best = math.Min(best, float64(took.Nanoseconds())/float64(count)/1000)
	}
	return best
}

func peak() int {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

func prepare(c *benchCase, sources map[string]string, data map[string]any,
	version ast.RegoVersion) (rego.PreparedEvalQuery, error) {
	options := []func(*rego.Rego){
		rego.Query("x = " + c.Path),
		rego.SetRegoVersion(version),
		rego.Store(inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false),
			inmem.OptReturnASTValuesOnRead(true))),
		rego.Function1(&rego.Function{
			Name: "query_reference_value",
			Decl: types.NewFunction(types.Args(types.S), types.A),
		}, func(_ rego.BuiltinContext, id *ast.Term) (*ast.Term, error) {
			name := string(id.Value.(ast.String))
			v, err := ast.InterfaceToValue(c.Reference[name])
			if err != nil {
				return nil, err
			}
			return ast.NewTerm(v), nil
		}),
	}
	for name, text := range sources {
		options = append(options, rego.Module(name, text))
	}
	return rego.New(options...).PrepareForEval(context.Background())
}

func main() {
	runtime.GOMAXPROCS(1)
	folder, ms := os.Args[1], 100
	if len(os.Args) > 2 {
		ms, _ = strconv.Atoi(os.Args[2])
	}
	round := time.Duration(ms) * time.Millisecond
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(folder, name))
		check(err)
		return text
	}
	var c benchCase
	check(json.Unmarshal(read("case.json"), &c))
	sources := map[string]string{}
	for _, name := range c.Modules {
		sources[name] = string(read(name))
	}
	data := map[string]any{}
	check(json.Unmarshal(read("data.json"), &data))
	inputText := read("input.json")
	input, err := ast.ValueFromReader(bytes.NewReader(inputText))
	check(err)
	version := ast.RegoV1
	if c.V0 {
		version = ast.RegoV0
	} else if _, err := prepare(&c, sources, data, version); err != nil {
		version = ast.RegoV0
	}
	query, err := prepare(&c, sources, data, version)
	check(err)
	ctx := context.Background()
	evaluate := func(v ast.Value) any {
		results, err := query.Eval(ctx, rego.EvalParsedInput(v))
		check(err)
		if len(results) == 0 {
			return nil
		}
		return results[0].Bindings["x"]
	}
	value := evaluate(input)
	compileUs := measure(round, func() {
		if _, err := prepare(&c, sources, data, version); err != nil {
			check(err)
		}
	})
	evalUs := measure(round, func() { evaluate(input) })
	jsonUs := measure(round, func() {
		v, err := ast.ValueFromReader(bytes.NewReader(inputText))
		check(err)
		evaluate(v)
	})
	out, err := json.Marshal(map[string]any{"engine": "opa", "compile_us": compileUs,
		"eval_us": evalUs, "json_us": jsonUs, "peak_kib": peak(), "value": value})
	check(err)
	fmt.Println(string(out))
}
