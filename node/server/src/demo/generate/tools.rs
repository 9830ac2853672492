//! What every file of the demonstration is made with: repeatable dice, and a CSV file that counts itself.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// Most rows that one call writes: about 15 GB of air readings, and far from the last year that `time` can hold.
pub const ROWS_MAX: usize = 100_000_000;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Data rows, the header not counted.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Repeatable chance. Each dataset has its own stream, so that one file does not depend on another having been written.
pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64, dataset: &str) -> Self {
        let mut hash = Sha256::new_with_prefix(b"tram demo data v1\n");
        hash.update(seed.to_be_bytes());
        hash.update(dataset.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number under `n`; 0 for `n` = 0.
    pub fn below(&mut self, n: u32) -> u32 {
        let high = (u128::from(self.next()) * u128::from(n)) >> 64;
        u32::try_from(high).unwrap_or(0)
    }

    /// A number from 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.below(u32::MAX)) / f64::from(u32::MAX)
    }

    /// About normal, mean 0, deviation 1, never beyond ±3.5: four dice added (their variance is 4/12).
    pub fn bell(&mut self) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 1.732_050_807_568_877_2
    }

    /// An index, as likely as its weight; 0 if there is no weight at all.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        0
    }
}

/// A CSV file being written; counts rows and bytes.
pub struct Csv {
    out: BufWriter<File>,
    rows_wanted: u64,
    written: Written,
}

impl Csv {
    pub fn create(path: &Path, header: &str, rows: usize) -> io::Result<Self> {
        if rows > ROWS_MAX {
            let text = format!("`{rows}` rows are too many, ask for at most {ROWS_MAX}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut out = BufWriter::with_capacity(1 << 18, File::create(path)?);
        writeln!(out, "{header}")?;
        let written = Written { rows: 0, bytes: header.len() as u64 + 1 };
        Ok(Self { out, rows_wanted: rows as u64, written })
    }

    pub fn full(&self) -> bool {
        self.written.rows >= self.rows_wanted
    }

    pub fn row(&mut self, row: std::fmt::Arguments<'_>) -> io::Result<()> {
        let line = row.to_string();
        writeln!(self.out, "{line}")?;
        self.written.rows += 1;
        self.written.bytes += line.len() as u64 + 1;
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<Written> {
        self.out.flush()?;
        Ok(self.written)
    }
}
