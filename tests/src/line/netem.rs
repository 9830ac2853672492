//! A line by the kernel's own `sch_netem` on both ends of a veth pair.

use std::process::Command;
use std::sync::Mutex;

use super::Quality;
use super::space::{Space, ip, run};

/// Packets that may wait before the line.
const LIMIT: &str = "1000";

/// Whether this kernel has it, tried on the loopback of a namespace of ours.
pub(super) fn is_known(space: &Space) -> bool {
    let words = ["-n", space.name(), "qdisc", "add", "dev", "lo", "root", "netem", "delay", "0ms"];
    let known = run(Command::new("tc").args(words)).is_ok();
    if known {
        let words = ["-n", space.name(), "qdisc", "del", "dev", "lo", "root"];
        let _goes_with_the_namespace = run(Command::new("tc").args(words));
    }
    known
}

/// The line.
#[derive(Debug)]
pub(super) struct Netem {
    quality: Mutex<Quality>,
}

impl Netem {
    pub(super) fn lay(ends: &[Space; 2], quality: Quality) -> Result<Self, String> {
        let [a, b] = ends;
        ip(&["link", "add", a.device(), "type", "veth", "peer", "name", b.device()])?;
        for end in ends {
            end.take()?;
            tc(end, "add", quality)?;
        }
        Ok(Self { quality: Mutex::new(quality) })
    }

    pub(super) fn set(&self, ends: &[Space; 2], quality: Quality) {
        *self.quality.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = quality;
        change(ends, quality);
    }

    pub(super) fn cut(&self, ends: &[Space; 2]) {
        let quality = *self.quality.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        change(ends, Quality { loss_per_mille: 1_000, ..quality });
    }

    pub(super) fn mend(&self, ends: &[Space; 2]) {
        change(ends, *self.quality.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    }
}

fn change(ends: &[Space; 2], quality: Quality) {
    for end in ends {
        if let Err(error) = tc(end, "change", quality) {
            panic!("the line can't be changed: {error}");
        }
    }
}

fn tc(end: &Space, verb: &str, quality: Quality) -> Result<(), String> {
    let delay = format!("{}ms", quality.delay.as_millis());
    let loss = format!("{}.{}%", quality.loss_per_mille / 10, quality.loss_per_mille % 10);
    let rate = format!("{}bit", quality.bits_per_second);
    let words = ["-n", end.name(), "qdisc", verb, "dev", end.device(), "root", "netem"];
    let netem = ["delay", &delay, "loss", &loss, "rate", &rate, "limit", LIMIT];
    run(Command::new("tc").args(words).args(netem)).map(|_| ())
}
