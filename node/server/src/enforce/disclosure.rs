//! Disclosure control of aggregates: from the rules' words to the engine's.

use dataplane::{Added, Disclosure, Dominance, HashKey, Laplace, Noise, RoundTo};
use policy::{Aggregate, DifferentialPrivacy, RoundBase};

use crate::error::{Error, Result};

/// What protects the figures of a dataset beyond the number of subjects.
///
/// The key of the noise is the dataset's and the same for all recipients, agreements and rules: two who got the same cell
/// under two keys could take the mean.
pub(super) fn disclosure(
    rule: &Aggregate,
    private: Option<&DifferentialPrivacy>,
    dataset: &str,
    secret: &[u8; 32],
) -> Result<Disclosure> {
    let mut dominance = Dominance::default();
    for (n, share) in &rule.dominance {
        dominance = dominance.and_largest(n.get(), share.get()).map_err(Error::conflict)?;
    }
    if let Some(p) = rule.p_percent {
        dominance = dominance.and_p_percent(p.get()).map_err(Error::conflict)?;
    }
    let noise = match (rule.noise, private) {
        (None, None) => None,
        (Some(level), None) => {
            let key = HashKey::new(super::derived(secret, &["tram/noise@v1", dataset])?);
            let noise = Noise::new(key, level.counts(), level.sums_percent()).map_err(Error::conflict)?;
            Some(Added::Cell(noise))
        }
        (None, Some(private)) => {
            let bounds = private.bounds.iter().map(|(c, b)| (c.as_str().to_owned(), (b.least, b.greatest)));
            let laplace = Laplace::new(private.epsilon.thousandths(), bounds.collect());
            Some(Added::Laplace(laplace.map_err(Error::conflict)?))
        }
        (Some(_), Some(_)) => {
            return Err(Error::conflict(
                "the rules ask for noise of cells and for differential privacy at once; keep one of them",
            ));
        }
    };
    let round_to = rule.round.map(|base| match base {
        RoundBase::Three => RoundTo::Three,
        RoundBase::Five => RoundTo::Five,
        RoundBase::Ten => RoundTo::Ten,
    });
    Ok(Disclosure { dominance, noise, round_to })
}
