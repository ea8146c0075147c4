// SPDX-License-Identifier: Apache-2.0

// regorus' side of the policy engine benchmark (run.sh); see husk.c for what is measured. The third
// argument "rvm" takes its bytecode machine instead of its interpreter.
use anyhow::{bail, Result};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::Program;
use regorus::rvm::vm::{ExecutionMode, ExecutionState, RegoVM, SuspendReason};
use regorus::{Engine, PolicyLengthConfig, Rc, Value};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

const ROUNDS: usize = 5;

struct Case {
    folder: String,
    meta: Value,
    sources: Vec<(String, String)>,
    path: String,
    v0: bool,
    data: Value,
}

fn read(folder: &str, name: &str) -> Result<String> {
    Ok(std::fs::read_to_string(format!("{folder}/{name}"))?)
}

fn load(folder: &str) -> Result<Case> {
    let meta = Value::from_json_str(&read(folder, "case.json")?)?;
    let mut sources = Vec::new();
    for name in meta["modules"].as_array()?.iter() {
        let name = name.as_string()?.to_string();
        let text = read(folder, &name)?;
        sources.push((name, text));
    }
    Ok(Case {
        folder: folder.to_string(),
        path: meta["path"].as_string()?.to_string(),
        v0: *meta["v0"].as_bool()?,
        data: Value::from_json_str(&read(folder, "data.json")?)?,
        meta,
        sources,
    })
}

fn reference(meta: &Value, name: &Value) -> Value {
    match &meta["reference"][name] {
        Value::Undefined => Value::Null,
        v => v.clone(),
    }
}

fn engine(c: &Case) -> Result<Engine> {
    let mut e = Engine::new();
    e.set_rego_v0(c.v0);
    e.set_strict_builtin_errors(false);
    e.set_gather_prints(true); // instead of writing them to stderr
    e.set_policy_length_config(PolicyLengthConfig {
        max_col: NonZeroU32::MAX,
        max_file_bytes: NonZeroUsize::MAX,
        max_lines: NonZeroUsize::MAX,
    });
    if c.meta["reference"] != Value::Undefined {
        let meta = c.meta.clone();
        e.add_extension(
            "query_reference_value".to_string(),
            1,
            Box::new(move |args: Vec<Value>| Ok(reference(&meta, &args[0]))),
        )?;
    }
    for (name, text) in &c.sources {
        e.add_policy(name.clone(), text.clone())?;
    }
    e.add_data(c.data.clone())?;
    Ok(e)
}

// Without reference values there is no host function; with them the machine stops at each call.
fn program(c: &Case) -> Result<Arc<Program>> {
    let mut e = engine(c)?;
    let entry: Rc<str> = c.path.as_str().into();
    let compiled = e.compile_with_entrypoint(&entry)?;
    if c.meta["reference"] == Value::Undefined {
        return Ok(Compiler::compile_from_policy(&compiled, &[c.path.as_str()])?);
    }
    Ok(Compiler::compile_from_policy_with_host_await(
        &compiled,
        &[c.path.as_str()],
        &[("query_reference_value", 1)],
    )?)
}

fn run_vm(c: &Case, vm: &mut RegoVM, input: Value) -> Result<Value> {
    vm.set_input(input);
    let mut v = vm.execute()?;
    loop {
        let argument = match vm.execution_state() {
            ExecutionState::Suspended {
                reason: SuspendReason::HostAwait { argument, .. },
                ..
            } => argument[0].clone(),
            ExecutionState::Suspended { .. } => bail!("suspended"),
            _ => return Ok(v),
        };
        v = vm.resume(Some(reference(&c.meta, &argument)))?;
    }
}

fn cpu_us() -> f64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 * 1e6 + t.tv_nsec as f64 / 1e3
}

fn measure(round_us: f64, mut f: impl FnMut() -> Result<()>) -> Result<f64> {
    let (mut best, mut batch) = (f64::INFINITY, 1);
    for _ in 0..ROUNDS {
        let (start, mut count, mut took) = (cpu_us(), 0, 0.0);
        while took < round_us {
            for _ in 0..batch {
                f()?;
            }
            count += batch;
            took = cpu_us() - start;
            if took < round_us / 64.0 {
                batch *= 2;
            }
        }
        best = f64::min(best, took / count as f64);
    }
    Ok(best)
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    let word = line.and_then(|l| l.split_whitespace().nth(1));
    word.and_then(|w| w.parse().ok()).unwrap_or(0)
}

fn report(name: &str, times: [f64; 3], v: Value) -> Result<()> {
    let value = match v {
        Value::Undefined => "null".to_string(),
        v => v.to_json_str()?,
    };
    println!(
        "{{\"engine\":\"{name}\",\"compile_us\":{:.2},\"eval_us\":{:.3},\"json_us\":{:.3},\"peak_kib\":{},\"value\":{value}}}",
        times[0], times[1], times[2], peak_kib()
    );
    Ok(())
}

fn interpreter(c: &Case, round: f64) -> Result<()> {
    let text = read(&c.folder, "input.json")?;
    let input = Value::from_json_str(&text)?;
    let compile = measure(round, || {
        let mut e = engine(c)?;
        let entry: Rc<str> = c.path.as_str().into();
        std::hint::black_box(e.compile_with_entrypoint(&entry)?);
        Ok(())
    })?;
    let mut e = engine(c)?;
    let mut last = Value::Undefined;
    let eval = measure(round, || {
        e.set_input(input.clone());
        last = e.eval_rule(c.path.clone())?;
        e.take_prints()?;
        Ok(())
    })?;
    let json = measure(round, || {
        e.set_input(Value::from_json_str(&text)?);
        last = e.eval_rule(c.path.clone())?;
        e.take_prints()?;
        Ok(())
    })?;
    report("regorus", [compile, eval, json], last)
}

fn machine(c: &Case, round: f64) -> Result<()> {
    let text = read(&c.folder, "input.json")?;
    let input = Value::from_json_str(&text)?;
    let compile = measure(round, || {
        std::hint::black_box(program(c)?);
        Ok(())
    })?;
    let mut vm = RegoVM::new();
    vm.set_max_instructions(usize::MAX);
    vm.load_program(program(c)?);
    if c.meta["reference"] != Value::Undefined {
        vm.set_execution_mode(ExecutionMode::Suspendable);
    }
    vm.set_data(c.data.clone())?;
    let mut last = Value::Undefined;
    let eval = measure(round, || {
        last = run_vm(c, &mut vm, input.clone())?;
        Ok(())
    })?;
    let json = measure(round, || {
        last = run_vm(c, &mut vm, Value::from_json_str(&text)?)?;
        Ok(())
    })?;
    report("regorus-rvm", [compile, eval, json], last)
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let c = load(&args[1])?;
    let round = args.get(2).map_or(100.0, |s| s.parse().unwrap_or(100.0)) * 1000.0;
    match args.get(3).map(String::as_str) {
        Some("rvm") => machine(&c, round),
        _ => interpreter(&c, round),
    }
}
