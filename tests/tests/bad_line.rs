//! Two nodes with a bad line between them ([`tests::line`]): delay, loss, few bits a second, cuts, and `kill -9` of both.
//!
//! What must hold: every exchange that was begun completes, with the rows that a good line brings; each stands once in each
//! ledger; no chunk that the consumer held durably is asked for again; both ledgers verify and agree.
//!
//! The worst line (64 kbit/s, 400 ms, 10 % loss) carries some 4 KB/s by one connection, so small sets go over it. Transfers of
//! many chunks go over a faster one with as many cuts. Moments are drawn from a seed, which is printed: `TRAM_LINE_SEED=N`
//! draws the same ones again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

#[path = "bad_line/scene.rs"]
mod scene;

mod chaos;

use std::thread;
use std::time::{Duration, Instant};

use chaos::Dice;
use scene::Scene;
use tests::line::Quality;

/// Longest wait for one step.
const STEP: Duration = Duration::from_secs(120);
/// Cuts of one test.
const CUTS: u64 = 60;

#[test]
fn small_sets_arrive_over_the_worst_line_through_sixty_cuts_and_kills_of_both_nodes() {
    let mut dice = Dice::from_env("TRAM_LINE_SEED");
    let Some(mut scene) = Scene::set(&[("nho", 60), ("vua", 900)]) else { return };
    scene.line.set(Quality::WORST);
    for number in 0..CUTS {
        match number {
            0 | 20 | 40 => scene.begin("nho"),
            10 => scene.begin("vua"),
            15 | 35 => scene.kill_provider(),
            25 | 45 => scene.kill_consumer(),
            _ => {}
        }
        thread::sleep(Duration::from_millis(200 + dice.below(1_200)));
        scene.cut(Duration::from_millis(100 + dice.below(800)));
    }
    scene.all_is_well();
}

#[test]
fn a_transfer_of_many_chunks_goes_on_through_sixty_cuts_and_kills_where_it_was() {
    let mut dice = Dice::from_env("TRAM_LINE_SEED");
    let Some(mut scene) = Scene::set(&[("lon", 60_000)]) else { return };
    scene.provider.ok(&["line", "set", "--low-data", "on"]);
    let quality =
        Quality { delay: Duration::from_millis(60), loss_per_mille: 10, bits_per_second: 2_000_000 };
    scene.line.set(quality);
    scene.begin("lon");
    for number in 0..CUTS {
        match number {
            18 | 42 => scene.kill_provider(),
            10 | 30 => scene.kill_consumer(),
            35 => scene.begin("lon"),
            _ => {}
        }
        thread::sleep(Duration::from_millis(200 + dice.below(900)));
        scene.cut(Duration::from_millis(100 + dice.below(700)));
    }
    scene.all_is_well();
    assert!(scene.chunks_seen() > 8, "only {} chunks were seen on their way", scene.chunks_seen());
}

#[test]
fn a_chunk_that_broke_off_goes_on_from_its_last_byte() {
    let Some(mut scene) = Scene::set(&[("lon", 12_000)]) else { return };
    scene.provider.ok(&["line", "set", "--low-data", "on"]);
    // By the cap a chunk of 256 KiB takes eight seconds, and what did not go yet is in the node and not in its kernel.
    scene.provider.ok(&["line", "set", "--serve", "32k"]);
    let before = scene.provider.log().len();
    scene.begin("lon");
    let deadline = Instant::now() + STEP;
    while !scene.provider.log()[before..].contains("chunk served") {
        assert!(Instant::now() < deadline, "no chunk was asked for");
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_secs(4));
    scene.kill_provider();
    scene.all_is_well();
    let log = scene.provider.log();
    assert!(log.contains("range=\"bytes="), "the chunk was sent again from its beginning");
}

#[test]
fn what_waits_for_the_network_is_told_with_its_reason_and_goes_on_when_the_line_is_back() {
    let Some(mut scene) = Scene::set(&[("nho", 60)]) else { return };
    scene.line.cut();
    scene.begin("nho");
    let deadline = Instant::now() + STEP;
    let told = loop {
        let listed = scene.consumer.json(&["exchange", "list"]);
        let waiting = listed["exchanges"][0].clone();
        if waiting["wait"]["for"] == "network" {
            break waiting;
        }
        assert!(Instant::now() < deadline, "nothing waits: {listed}");
        thread::sleep(Duration::from_millis(200));
    };
    assert!(told["wait"]["tries"].as_u64().unwrap() >= 1, "{told}");
    for key in ["since", "next_try", "reason"] {
        assert!(told["wait"][key].as_str().is_some_and(|text| text.len() > 10), "`{key}` in {told}");
    }
    let text = scene.consumer.ok(&["exchange", "list"]).stdout;
    assert!(text.contains("chờ mạng từ") && text.contains("waiting for the network since"), "{text}");
    scene.line.mend();
    scene.all_is_well();
}
