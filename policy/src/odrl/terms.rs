//! Actions of rules in the words of ODRL and of our profile.

use crate::rule::Action;

/// Any action.
pub(crate) const ANY: &str = "odrl:use";
/// What an obligation of a policy says: whoever is permitted fulfils these duties.
pub(crate) const FULFIL: &str = "gov:fulfil";

/// The word for an action; `None` is any.
#[must_use]
pub fn action_of(action: Option<Action>) -> &'static str {
    match action {
        None => ANY,
        Some(Action::Discover) => "gov:discover",
        Some(Action::Metadata) => "gov:metadata",
        Some(Action::Query) => "odrl:read",
        Some(Action::Download) => "odrl:reproduce",
        Some(Action::Subscribe) => "gov:subscribe",
        Some(Action::Call) => "gov:call",
    }
}

/// The action of a normalised word (`use`, `read`, `gov:discover`).
pub(crate) fn read_action(word: &str) -> Option<Option<Action>> {
    let same = |action: Option<Action>| {
        let written = action_of(action);
        written.strip_prefix("odrl:").unwrap_or(written) == word
    };
    let all = Action::ALL.into_iter().map(Some);
    std::iter::once(None).chain(all).find(|action| same(*action))
}
