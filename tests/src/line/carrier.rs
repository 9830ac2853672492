//! A line of our own where the kernel has no `netem`: a TUN device in each namespace, and a thread for each direction that
//! carries packets from one to the other, late, one after the other at the line's rate, and not all of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tappers::{Interface, Tun};

use super::space::Space;
use super::{Count, Quality};

/// Largest packet, bytes: more than the devices' own limit.
const PACKET_BYTES_MAX: usize = 2_048;
/// A packet that would wait longer than this before the line is dropped.
const QUEUE_TIME: Duration = Duration::from_secs(3);
/// How often a thread looks for packets and for what is due.
const LOOK: Duration = Duration::from_micros(500);

#[derive(Debug, Default)]
struct Counters {
    offered: AtomicU64,
    lost: AtomicU64,
    cut: AtomicU64,
    full: AtomicU64,
    carried: AtomicU64,
}

/// What the threads and the test share.
#[derive(Debug)]
struct Shared {
    quality: Mutex<Quality>,
    cut: AtomicBool,
    stop: AtomicBool,
    count: Counters,
}

/// The line.
#[derive(Debug)]
pub(super) struct Carrier {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Carrier {
    pub(super) fn lay(ends: &[Space; 2], quality: Quality, seed: u64) -> Result<Self, String> {
        let [a, b] = ends;
        let (a, b) = (Arc::new(open(a)?), Arc::new(open(b)?));
        let shared = Arc::new(Shared {
            quality: Mutex::new(quality),
            cut: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            count: Counters::default(),
        });
        let directions = [(a.clone(), b.clone(), seed), (b, a, seed.wrapping_add(1))];
        let threads = directions.map(|(from, to, seed)| {
            let shared = shared.clone();
            thread::spawn(move || Direction::new(shared, seed).run(&from, &to))
        });
        Ok(Self { shared, threads: threads.into() })
    }

    pub(super) fn set(&self, quality: Quality) {
        *self.shared.quality.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = quality;
    }

    pub(super) fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::SeqCst);
    }

    pub(super) fn count(&self) -> Count {
        let count = &self.shared.count;
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Count {
            offered: read(&count.offered),
            lost: read(&count.lost),
            cut: read(&count.cut),
            full: read(&count.full),
            carried: read(&count.carried),
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _said_why_itself = thread.join();
        }
    }
}

/// A TUN device moves to another namespace and stays with the process that opened it.
fn open(space: &Space) -> Result<Tun, String> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| format!("{what} `{}`: {error}", space.device());
    let name = Interface::new(space.device()).map_err(|e| wrong("no interface can be named", &e))?;
    let mut tun = Tun::new_named(name).map_err(|e| wrong("no TUN device", &e))?;
    tun.set_nonblocking(true).map_err(|e| wrong("the TUN device", &e))?;
    space.take()?;
    Ok(tun)
}

/// One direction of the line.
struct Direction {
    shared: Arc<Shared>,
    dice: u64,
    /// When the line has sent all that was given to it.
    free: Instant,
    /// Packets under way, with the moment at which they arrive.
    under_way: VecDeque<(Instant, Vec<u8>)>,
}

impl Direction {
    fn new(shared: Arc<Shared>, seed: u64) -> Self {
        Self { shared, dice: seed, free: Instant::now(), under_way: VecDeque::new() }
    }

    fn run(mut self, from: &Tun, to: &Tun) {
        let mut packet = [0; PACKET_BYTES_MAX];
        while !self.shared.stop.load(Ordering::SeqCst) {
            // What can't be read now (nothing there, the device on its way to its namespace) is read later.
            while let Ok(len) = from.recv(&mut packet) {
                self.take(packet.get(..len).unwrap_or_default());
            }
            self.hand_over(to);
            thread::sleep(LOOK);
        }
    }

    fn take(&mut self, packet: &[u8]) {
        let count = &self.shared.count;
        let quality = *self.shared.quality.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        count.offered.fetch_add(1, Ordering::SeqCst);
        if self.shared.cut.load(Ordering::SeqCst) {
            count.cut.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let now = Instant::now();
        let begins = self.free.max(now);
        if begins - now > QUEUE_TIME {
            count.full.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let bits = packet.len() as u64 * 8;
        self.free = begins + Duration::from_nanos(bits * 1_000_000_000 / quality.bits_per_second.max(1));
        // A lost packet took its time on the line like any other.
        if self.draw() % 1_000 < u64::from(quality.loss_per_mille) {
            self.shared.count.lost.fetch_add(1, Ordering::SeqCst);
            return;
        }
        self.under_way.push_back((self.free + quality.delay, packet.to_vec()));
    }

    fn hand_over(&mut self, to: &Tun) {
        let now = Instant::now();
        while self.under_way.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, packet)) = self.under_way.pop_front() else { return };
            let count = &self.shared.count;
            if self.shared.cut.load(Ordering::SeqCst) {
                count.cut.fetch_add(1, Ordering::SeqCst);
            } else if to.send(&packet).is_ok() {
                count.carried.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn draw(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
