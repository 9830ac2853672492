//! A bad line between two network namespaces of the test's own: real IP packets, real TCP in the kernel at both ends, and
//! between them delay, loss, a rate, and cuts whenever the test says so.
//!
//! Where the kernel has `sch_netem` the line is a veth pair with that discipline at both ends ([`netem`]); elsewhere it is a
//! TUN device in each namespace and a thread for each direction that carries packets between them ([`carrier`]). Either way
//! `root` and `ip` are needed; a test without them gets the reason from [`Line::lay`] and calls [`crate::skip`].
//!
//! What this is not: a model of radio or of queues in the middle of a network. Loss is independent from packet to packet, the
//! queue before the line drops what would wait too long, and packets never overtake each other.

mod carrier;
mod netem;
mod space;

use std::time::Duration;

use self::carrier::Carrier;
use self::netem::Netem;
pub use self::space::Space;

/// What a line is like, in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Time that a packet takes, one way.
    pub delay: Duration,
    /// Packets lost of a thousand.
    pub loss_per_mille: u32,
    /// Bits a second.
    pub bits_per_second: u64,
}

impl Quality {
    /// The line that everything must survive: 400 ms there and back, 10 % loss, 64 kbit/s.
    pub const WORST: Self =
        Self { delay: Duration::from_millis(200), loss_per_mille: 100, bits_per_second: 64_000 };
}

/// What became of the packets, both directions together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets that came to the line.
    pub offered: u64,
    /// Taken by chance.
    pub lost: u64,
    /// Taken by a cut.
    pub cut: u64,
    /// Dropped before the line because too many waited.
    pub full: u64,
    /// Carried to the other end.
    pub carried: u64,
}

#[derive(Debug)]
enum Means {
    Carrier(Carrier),
    Netem(Netem),
}

/// A line with its two ends. Dropped, it takes both namespaces away with whatever runs in them.
#[derive(Debug)]
pub struct Line {
    means: Means,
    ends: [Space; 2],
}

impl Line {
    /// Lays a line. `seed` draws the losses of the carrier (netem draws its own).
    ///
    /// # Errors
    /// Why this machine can't have one, as a text for [`crate::skip`].
    pub fn lay(quality: Quality, seed: u64) -> Result<Self, String> {
        space::sweep()?;
        let ends = Space::pair()?;
        let means = if netem::is_known(&ends[0]) {
            Means::Netem(Netem::lay(&ends, quality)?)
        } else {
            Means::Carrier(Carrier::lay(&ends, quality, seed)?)
        };
        Ok(Self { means, ends })
    }

    /// One end, 0 or 1.
    ///
    /// # Panics
    /// For any other number.
    #[track_caller]
    pub fn end(&self, which: usize) -> &Space {
        match self.ends.get(which) {
            Some(end) => end,
            None => panic!("a line has the ends 0 and 1, not {which}"),
        }
    }

    /// Makes it another line, at once. What is under way is carried as it was.
    pub fn set(&self, quality: Quality) {
        match &self.means {
            Means::Carrier(carrier) => carrier.set(quality),
            Means::Netem(netem) => netem.set(&self.ends, quality),
        }
    }

    /// Cuts it: nothing passes, nobody is told.
    pub fn cut(&self) {
        match &self.means {
            Means::Carrier(carrier) => carrier.cut(true),
            Means::Netem(netem) => netem.cut(&self.ends),
        }
    }

    /// Ends a cut.
    pub fn mend(&self) {
        match &self.means {
            Means::Carrier(carrier) => carrier.cut(false),
            Means::Netem(netem) => netem.mend(&self.ends),
        }
    }

    /// What became of the packets so far; `None` where the kernel carries them.
    pub fn count(&self) -> Option<Count> {
        match &self.means {
            Means::Carrier(carrier) => Some(carrier.count()),
            Means::Netem(_) => None,
        }
    }
}
