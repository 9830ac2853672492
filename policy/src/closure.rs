//! The frozen closure: for every name, all names it stands under.
//!
//! Worked out once when a rule set is loaded; a question then only looks up. casbin's own role manager walks links at
//! each question and silently stops at depth 10; this one has no depth and refuses cycles.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::limits::{ANCESTORS_MAX, CLOSURE_STEPS_MAX, PROBLEMS_MAX};
use crate::rule::Link;

/// All names above each name.
#[derive(Debug, Clone, Default)]
pub struct Closure {
    above: HashMap<Arc<str>, Vec<Arc<str>>>,
}

/// Why links have no closure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosureError {
    /// A name stands under itself.
    #[error("`{0}` stands under itself through its links: remove one link of the circle")]
    Cycle(String),
    /// A name stands under too many others.
    #[error("`{0}` stands under more than 1000 names: flatten the links")]
    TooMany(String),
    /// All names together stand under too many others.
    #[error("the links together put more than 5000000 names above others: flatten them")]
    TooManyInAll,
}

impl Closure {
    /// Works out the closure.
    ///
    /// # Errors
    /// The names that are part of a circle or stand under too many names, at most 500 of them.
    pub fn of(links: &[Link]) -> Result<Self, Vec<ClosureError>> {
        let mut names: HashSet<Arc<str>> = HashSet::new();
        let mut direct: HashMap<Arc<str>, Vec<Arc<str>>> = HashMap::new();
        for link in links {
            let from = interned(&mut names, &link.from);
            let to = interned(&mut names, &link.to);
            direct.entry(from).or_default().push(to);
        }
        let (mut above, mut errors, mut steps) = (HashMap::new(), Vec::new(), 0);
        let mut names: Vec<&Arc<str>> = direct.keys().collect();
        names.sort_unstable();
        for name in names {
            match ancestors(name, &direct, &mut steps) {
                Ok(all) => {
                    above.insert(name.clone(), all);
                }
                Err(error) => errors.push(error),
            }
            // Enough is known; to go on would only take long.
            if steps > CLOSURE_STEPS_MAX || errors.len() >= PROBLEMS_MAX {
                break;
            }
        }
        if steps > CLOSURE_STEPS_MAX {
            errors.push(ClosureError::TooManyInAll);
        }
        if errors.is_empty() { Ok(Self { above }) } else { Err(errors) }
    }

    /// Names above this one, without itself.
    pub fn above(&self, name: &str) -> impl Iterator<Item = &str> {
        self.all_above(name).iter().map(|up| &**up)
    }

    /// Names above this one, without itself, in order and none twice.
    pub fn all_above(&self, name: &str) -> &[Arc<str>] {
        self.above.get(name).map_or(&[], Vec::as_slice)
    }

    /// True when `name` is `broader` or stands under it.
    #[must_use]
    pub fn is_under(&self, name: &str, broader: &str) -> bool {
        name == broader || self.above(name).any(|up| up == broader)
    }
}

fn interned(names: &mut HashSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return known.clone();
    }
    let new: Arc<str> = name.into();
    names.insert(new.clone());
    new
}

fn ancestors(
    name: &Arc<str>,
    direct: &HashMap<Arc<str>, Vec<Arc<str>>>,
    steps: &mut usize,
) -> Result<Vec<Arc<str>>, ClosureError> {
    let (mut seen, mut todo) = (BTreeSet::new(), vec![name]);
    while let Some(next) = todo.pop() {
        for up in direct.get(next).into_iter().flatten() {
            *steps += 1;
            if up == name {
                return Err(ClosureError::Cycle(name.to_string()));
            }
            if seen.insert(up.clone()) {
                todo.push(up);
            }
            if seen.len() > ANCESTORS_MAX {
                return Err(ClosureError::TooMany(name.to_string()));
            }
        }
    }
    Ok(seen.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::LinkKind;

    fn link(from: &str, to: &str) -> Link {
        Link { kind: LinkKind::Purpose, from: from.into(), to: to.into() }
    }

    #[test]
    fn a_long_chain_is_followed_to_its_end() {
        let links: Vec<Link> = (0..40).map(|i| link(&format!("pu:{i}"), &format!("pu:{}", i + 1))).collect();
        let closure = Closure::of(&links).unwrap();
        assert!(closure.is_under("pu:0", "pu:40"), "casbin's own manager stops after ten");
        assert!(!closure.is_under("pu:40", "pu:0"));
        assert!(closure.is_under("pu:unknown", "pu:unknown"));
    }

    #[test]
    fn circles_and_floods_are_refused() {
        let circle = [link("pu:a", "pu:b"), link("pu:b", "pu:c"), link("pu:c", "pu:a"), link("pu:x", "pu:a")];
        let errors = Closure::of(&circle).unwrap_err();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert_eq!(Closure::of(&[link("pu:a", "pu:a")]).unwrap_err(), [ClosureError::Cycle("pu:a".into())]);
        let flood: Vec<Link> = (0..=ANCESTORS_MAX).map(|i| link("pu:a", &format!("pu:{i}"))).collect();
        assert_eq!(Closure::of(&flood).unwrap_err(), [ClosureError::TooMany("pu:a".into())]);
        assert!(Closure::of(&flood[1..]).is_ok());
    }
}
