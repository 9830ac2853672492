//! The tests' own bad line is as bad as it says: what is lost, how late the rest comes, that a cut takes everything and is
//! over when it is mended, and that nothing of it stays behind.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::line::{Line, Quality, Space};
use tests::skip;

const GOOD: Quality = Quality { delay: Duration::ZERO, loss_per_mille: 0, bits_per_second: 1_000_000_000 };

fn lay(quality: Quality) -> Option<Line> {
    Line::lay(quality, 7).map_err(|why| skip(&format!("no line can be laid here: {why}"))).ok()
}

fn end(space: &Space, words: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space.name(), env!("CARGO_BIN_EXE_line-end")]).args(words);
    command
}

/// Sends back what comes to the far end.
struct Echo(Child);

impl Echo {
    fn at(line: &Line) -> Self {
        let address = format!("{}:9000", line.end(1).address());
        let mut child = end(line.end(1), &["echo", &address]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n");
        Self(child)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// What came back of so many datagrams: how many, out of order, microseconds of the quickest.
fn ask(line: &Line, count: u32, bytes: u32) -> (u64, u64, u64) {
    let address = format!("{}:9000", line.end(1).address());
    let output =
        end(line.end(0), &["ask", &address, &count.to_string(), &bytes.to_string()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    (numbers[0], numbers[1], numbers[2])
}

#[test]
fn a_good_line_carries_everything_and_a_cut_one_nothing_until_it_is_mended() {
    let Some(line) = lay(GOOD) else { return };
    let _echo = Echo::at(&line);
    assert_eq!(ask(&line, 50, 200).0, 50);
    line.cut();
    assert_eq!(ask(&line, 50, 200).0, 0);
    line.mend();
    assert_eq!(ask(&line, 50, 200).0, 50);
}

#[test]
fn a_bad_line_loses_its_part_delays_the_rest_and_keeps_its_order() {
    let quality = Quality { delay: Duration::from_millis(200), loss_per_mille: 100, ..GOOD };
    let Some(line) = lay(quality) else { return };
    let _echo = Echo::at(&line);
    let (came, out_of_order, shortest_us) = ask(&line, 1_000, 100);
    // 81 of 100 come through both ways; six sigma are 75 of 1000.
    assert!((735..=885).contains(&came), "{came} of 1000 came back");
    assert_eq!(out_of_order, 0);
    assert!(shortest_us >= 400_000, "there and back in {shortest_us} us over a line of 200 ms");
    if let Some(count) = line.count() {
        assert!(count.lost > 0 && count.cut == 0, "{count:?}");
        assert_eq!(
            count.offered,
            count.lost + count.full + count.carried,
            "every packet has one fate: {count:?}"
        );
    }
}

#[test]
fn a_slow_line_takes_its_time_for_every_bit() {
    let Some(line) = lay(Quality { bits_per_second: 64_000, ..GOOD }) else { return };
    let _echo = Echo::at(&line);
    // 1,028 bytes with their headers at 8,000 bytes a second, twice.
    let (came, _, shortest_us) = ask(&line, 1, 1_000);
    assert_eq!(came, 1);
    assert!(shortest_us >= 2 * 128_500, "{shortest_us} us");
}

#[test]
fn a_line_takes_its_namespaces_away_even_after_a_panic_or_a_kill() {
    let Some(line) = lay(GOOD) else { return };
    let names = [line.end(0).name().to_owned(), line.end(1).name().to_owned()];
    let listed = || {
        let output = Command::new("ip").args(["netns", "list"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(names.iter().all(|name| listed().contains(name)));
    let panicked = std::thread::spawn(move || {
        let _line = line;
        panic!("a test that fails");
    });
    assert!(panicked.join().is_err());
    assert!(!names.iter().any(|name| listed().contains(name)), "{}", listed());
    // As a killed test leaves it: a namespace of a process that is gone. No process has the number 4,194,304.
    let orphan = "tram-line-4194304-0a";
    let made = Command::new("ip").args(["netns", "add", orphan]).status().unwrap();
    assert!(made.success());
    let _next = lay(GOOD).unwrap();
    assert!(!listed().contains(orphan), "{}", listed());
}
