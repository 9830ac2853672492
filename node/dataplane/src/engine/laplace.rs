//! Discrete Laplace noise, drawn once for each figure of an answer.
//!
//! The engine may compute an expression twice (a figure that is shown and divided by); two draws would tell more than
//! was paid for. So a draw is kept under its cell for as long as the answer is made.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::Result;

/// The draws of one figure of one answer, by the number of the cell.
#[derive(Clone)]
pub(crate) struct Draws {
    scale: f64,
    kept: Arc<Mutex<HashMap<i128, i64>>>,
}

impl Draws {
    pub(crate) fn new(scale: f64) -> Self {
        Self { scale, kept: Arc::default() }
    }

    /// The noise of a cell.
    pub(crate) fn of(&self, cell: i128) -> Result<i64> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(drawn) = kept.get(&cell) {
            return Ok(*drawn);
        }
        let drawn = draw(self.scale)?;
        kept.insert(cell, drawn);
        Ok(drawn)
    }
}

/// Two are the same when they keep the same draws.
impl PartialEq for Draws {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.kept, &other.kept)
    }
}

impl Eq for Draws {}

impl Hash for Draws {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.kept).hash(state);
    }
}

/// Noise of this scale. The mechanism adds it to a whole number; here to 0, and what it gives is added to figures that
/// may be larger than it takes.
#[cfg(feature = "dp")]
fn draw(scale: f64) -> Result<i64> {
    use datafusion::common::DataFusionError;
    use opendp::domains::AtomDomain;
    use opendp::measurements::make_laplace;
    use opendp::measures::MaxDivergence;
    use opendp::metrics::AbsoluteDistance;

    let failed = |_| DataFusionError::Execution("no noise could be drawn".to_owned());
    let (domain, metric) = (AtomDomain::<i64>::default(), AbsoluteDistance::<i64>::default());
    let mechanism = make_laplace::<_, _, MaxDivergence>(domain, metric, scale, None).map_err(failed)?;
    mechanism.invoke(&0).map_err(failed)
}

#[cfg(not(feature = "dp"))]
fn draw(_: f64) -> Result<i64> {
    datafusion::common::internal_err!("this build draws no Laplace noise")
}

#[cfg(all(test, feature = "dp"))]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_drawn_once_and_cells_apart() {
        let draws = Draws::new(1_000_000.0);
        let all: Vec<i64> = (0..50).map(|cell| draws.of(cell).unwrap()).collect();
        let again: Vec<i64> = (0..50).map(|cell| draws.of(cell).unwrap()).collect();
        assert_eq!(all, again);
        let different: std::collections::BTreeSet<i64> = all.iter().copied().collect();
        assert!(different.len() > 40);
        assert_ne!(all[0], Draws::new(1_000_000.0).of(0).unwrap(), "another answer, another draw");
    }

    /// The mean size of Laplace noise is its scale.
    #[test]
    fn noise_is_as_large_as_its_scale() {
        let draws = Draws::new(50.0);
        let sizes: f64 = (0..4_000).map(|cell| draws.of(cell).unwrap().abs() as f64).sum();
        let mean = sizes / 4_000.0;
        // The standard deviation of this mean is 0.8; eight of them never happen.
        assert!((mean - 50.0).abs() < 6.4, "{mean}");
    }
}
