//! Disclosure control of aggregates: from the rules' words to the engine's.

use dataplane::{Disclosure, Dominance, HashKey, Noise, RoundTo};
use policy::{Aggregate, RoundBase};

use crate::error::{Error, Result};

/// What protects the figures of a dataset beyond the number of subjects.
///
/// The key of the noise is the dataset's and the same for all recipients, agreements and rules: two who got the same cell
/// under two keys could take the mean.
pub(super) fn disclosure(rule: &Aggregate, dataset: &str, secret: &[u8; 32]) -> Result<Disclosure> {
    let mut dominance = Dominance::default();
    for (n, share) in &rule.dominance {
        dominance = dominance.and_largest(n.get(), share.get()).map_err(Error::conflict)?;
    }
    if let Some(p) = rule.p_percent {
        dominance = dominance.and_p_percent(p.get()).map_err(Error::conflict)?;
    }
    let noise = rule.noise.map(|level| {
        let key = HashKey::new(super::derived(secret, &["tram/noise@v1", dataset])?);
        Noise::new(key, level.counts(), level.sums_percent()).map_err(Error::conflict)
    });
    let round_to = rule.round.map(|base| match base {
        RoundBase::Three => RoundTo::Three,
        RoundBase::Five => RoundTo::Five,
        RoundBase::Ten => RoundTo::Ten,
    });
    Ok(Disclosure { dominance, noise: noise.transpose()?, round_to })
}
