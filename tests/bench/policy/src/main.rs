//! `tests/bench/run policy`: how fast rules are judged at 100, 1,000, 10,000 and 100,000 rules, beside plain casbin,
//! Cedar and regorus, by the same rules, in one run and one thread. Keys: docs/performance.md.
//!
//! Every engine must give the same answer to the same question; the first difference ends the run. What is slow is asked
//! as many questions as fit [`LIMIT`]; how many these were is said.

mod clock;
mod engines;
mod keyed;
mod world;

use std::time::{Duration, Instant};

use engines::cedar::Cedar;
use engines::rego::Rego;
use engines::stock::Stock;
use engines::tram::{Tram, activate, files};
use engines::{Answer, Fallible, Given, Judge, Named};
use keyed::Keyed;
use serde_json::{Map, Value};
use world::World;

/// Sizes of the rule sets.
const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
/// Processor time for which one engine is asked at one size.
const LIMIT: Duration = Duration::from_secs(3);
/// Rounds over all questions whose decisions are timed one by one.
const ROUNDS: usize = 20;

fn main() -> Fallible<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, size] = words.as_slice()
        && word == "--resident"
    {
        return resident(size.parse()?);
    }
    let sizes: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    let mut figures = Map::new();
    for size in sizes {
        measure(size, &mut figures)?;
    }
    if words.iter().any(|word| word == "--json") {
        println!("{}", Value::Object(figures));
        return Ok(());
    }
    figures.iter().for_each(|(name, value)| println!("{name:<32} {value}"));
    Ok(())
}

/// Adds a figure, rounded to three decimals.
fn add(figures: &mut Map<String, Value>, name: &str, size: usize, value: f64) {
    figures.insert(format!("{name}_{size}"), ((value * 1000.0).round() / 1000.0).into());
}

fn measure(size: usize, figures: &mut Map<String, Value>) -> Fallible<()> {
    let world = World::of(size);
    let texts = files(&world);
    let started = clock::busy();
    let engine = activate(&texts)?;
    add(figures, "activate_ms", size, (clock::busy() - started).as_secs_f64() * 1e3);
    add(figures, "rss_mb", size, resident_of(size)?);
    drop(texts);

    let mut tram = Tram::new(&world, engine)?;
    let right = answers(&mut tram, &world)?;
    let permits = right.iter().filter(|answer| answer.permitted).count();
    eprintln!("  {size} rules: {permits} of {} questions are permitted", right.len());
    let (middle, high) = latencies(&mut tram, right.len())?;
    add(figures, "tram_p50_us", size, middle);
    add(figures, "tram_p99_us", size, high);
    add(figures, "tram_per_s", size, rate("tram", &mut tram, &right)?);
    add(figures, "casbin_per_s", size, rate("casbin", &mut Stock::new(&world)?, &right)?);
    add(figures, "cedar_per_s", size, rate("Cedar", &mut Cedar::new(&world)?, &right)?);
    add(figures, "regorus_per_s", size, rate("regorus", &mut Rego::new(&world)?, &right)?);
    let keyed = Keyed::of(&world);
    let givens = [("indexed", Given::Keyed(&keyed, &world)), ("same_rows", Given::Same(&tram))];
    for (how, given) in givens {
        let mut cedar = Cedar::indexed(&world, given)?;
        let rate_of = rate(&format!("Cedar, {how}"), &mut cedar, &right)?;
        add(figures, &format!("cedar_{how}_per_s"), size, rate_of);
        let mut rego = Rego::indexed(&world, given)?;
        let rate_of = rate(&format!("regorus, {how}"), &mut rego, &right)?;
        add(figures, &format!("regorus_{how}_per_s"), size, rate_of);
    }
    remembered(&mut tram, &world, size, figures)
}

/// Decisions that are asked for again while nothing but time has passed.
fn remembered(tram: &mut Tram, world: &World, size: usize, figures: &mut Map<String, Value>) -> Fallible<()> {
    tram.at_one_time(world::MIDDLE);
    let right = answers(tram, world)?;
    let mut cached = tram.cached();
    let (middle, high) = latencies(&mut cached, right.len())?;
    add(figures, "tram_cached_p50_us", size, middle);
    add(figures, "tram_cached_p99_us", size, high);
    rate("tram, cached", &mut cached, &right)?;
    Ok(())
}

fn answers(judge: &mut dyn Judge, world: &World) -> Fallible<Vec<Answer>> {
    let all = (0..world.asked.len()).map(|question| {
        judge.judge(question)?;
        judge.said()
    });
    all.collect()
}

/// Microseconds of single decisions, by the wall's clock: the middle one, and the one that one in a hundred passes.
fn latencies(judge: &mut dyn Judge, questions: usize) -> Fallible<(f64, f64)> {
    let mut took = Vec::with_capacity(questions * ROUNDS);
    for round in 0..=ROUNDS {
        for question in 0..questions {
            let started = Instant::now();
            judge.judge(question)?;
            let passed = started.elapsed();
            // The first round warms up.
            if round > 0 {
                took.push(passed.as_secs_f64() * 1e6);
            }
        }
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Ok((at(0.5), at(0.99)))
}

/// Decisions in a second of processor time; each question's first answer is held against the right one.
fn rate(name: &str, judge: &mut dyn Judge, right: &[Answer]) -> Fallible<f64> {
    let (mut busy, mut asked) = (Duration::ZERO, 0_usize);
    while busy < LIMIT && asked < right.len() * ROUNDS {
        // The clock of the processor's time is a call into the system: quick engines are asked several questions at once.
        let batch = if asked >= right.len() { right.len() } else { 1 };
        let started = clock::busy();
        for step in 0..batch {
            judge.judge((asked + step) % right.len())?;
        }
        busy += clock::busy() - started;
        if let (1, Some(right)) = (batch, right.get(asked)) {
            agree(name, asked, right, &judge.said()?)?;
        }
        asked += batch;
    }
    let per_second = asked as f64 / busy.as_secs_f64();
    eprintln!(
        "  {name}: {asked} decisions, {:.1} µs each, {} compared",
        1e6 / per_second,
        asked.min(right.len())
    );
    Ok(per_second)
}

/// The same yes or no, by the same rules.
fn agree(name: &str, question: usize, right: &Answer, said: &Answer) -> Fallible<()> {
    let named = match (&right.named, &said.named) {
        (Some(Named::All(right)), Some(Named::All(said))) => right == said,
        (Some(Named::All(right)), Some(Named::Deciding(said))) => said.iter().all(|id| right.contains(id)),
        _ => true,
    };
    if right.permitted == said.permitted && named {
        return Ok(());
    }
    Err(format!("{name} answers question {question} otherwise: {said:?}, not {right:?}").into())
}

/// Megabytes that a process of its own keeps resident with so many rules in force.
fn resident_of(size: usize) -> Fallible<f64> {
    let program = std::env::current_exe()?;
    let told = std::process::Command::new(program).arg("--resident").arg(size.to_string()).output()?;
    Ok(String::from_utf8(told.stdout)?.trim().parse()?)
}

fn resident(size: usize) -> Fallible<()> {
    let world = World::of(size);
    let engine = activate(&files(&world))?;
    let mut tram = Tram::new(&world, engine)?;
    answers(&mut tram, &world)?;
    drop(world);
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    println!("{}", kilobytes * 1024.0 / 1e6);
    Ok(())
}
