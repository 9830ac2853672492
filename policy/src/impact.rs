//! Impact: questions of the past put to the rules in force and to a draft, and what turns out otherwise.
//!
//! Shows a draft's side effects before it is activated: which requests would be refused that are permitted, which
//! permitted that are refused, and where obligations change. It knows only the questions it is given: what nobody
//! asked yet is not shown here (`diff` and `access` look at that).
//!
//! Begin with [`replay`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Serialize;

use crate::decision::{Decision, Effect};
use crate::digest::Digest;
use crate::engine::Engine;
use crate::ids::{DatasetId, RuleId, SubjectId};
use crate::limits::{IMPACT_EXAMPLES, IMPACT_GROUPS_MAX};
use crate::question::{Facts, Question};
use crate::reason::ReasonCode;
use crate::strictness::{PartChange, Strictness, parts};
use crate::text::Text;

/// How questions are replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// At which time each question is asked again.
    pub at: AskedAt,
    /// Most examples in a group.
    pub examples: usize,
    /// Most groups of one turn; what finds no group is still counted.
    pub groups: usize,
}

/// The time of a replayed question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedAt {
    /// As it was asked. Rules that begin later than the questions then show no effect.
    Recorded,
    /// As if all were asked at this Unix second, under agreements that still stand if they stood when it was asked.
    Second(i64),
}

impl Replay {
    /// Replays at `at`, within the usual limits.
    #[must_use]
    pub fn at(at: AskedAt) -> Self {
        Self { at, examples: IMPACT_EXAMPLES, groups: IMPACT_GROUPS_MAX }
    }
}

/// What a draft would have changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Impact {
    /// The rules it was held against.
    pub in_force: Compared,
    /// The draft.
    pub draft: Compared,
    /// Questions replayed.
    pub replayed: u64,
    /// Questions with the very same answer.
    pub unchanged: u64,
    /// Questions by how their answer turned; a turn that did not happen is not there.
    pub turned: BTreeMap<Turn, u64>,
    /// The turned questions, those that open access first, the most frequent first.
    pub groups: Vec<Group>,
    /// Turned questions that are in no group because there are too many groups, by turn.
    pub ungrouped: BTreeMap<Turn, u64>,
}

/// A rule set by version and digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Its version.
    pub version: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// How an answer turned. Those that open access stand first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Refused now, permitted by the draft.
    Opened,
    /// Permitted by both, under weaker obligations.
    Loosened,
    /// Permitted by both, under obligations that are weaker in one part and stricter in another.
    LoosenedInPart,
    /// Permitted now, refused by the draft.
    Closed,
    /// Permitted by both, under stricter obligations.
    Tightened,
    /// The same answer by another rule, or a refusal for another reason or in other words.
    Regrounded,
}

impl Turn {
    /// All turns.
    pub const ALL: [Self; 6] =
        [Self::Opened, Self::Loosened, Self::LoosenedInPart, Self::Closed, Self::Tightened, Self::Regrounded];

    /// True when the draft gives something that the rules in force do not.
    #[must_use]
    pub fn opens(self) -> bool {
        matches!(self, Self::Opened | Self::Loosened | Self::LoosenedInPart)
    }

    /// For people.
    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::Opened => Text::fixed("từ chối → cho phép", "refusal → permit"),
            Self::Loosened => Text::fixed("nghĩa vụ nới lỏng", "obligations loosened"),
            Self::LoosenedInPart => Text::fixed("nghĩa vụ nới lỏng một phần", "obligations loosened in part"),
            Self::Closed => Text::fixed("cho phép → từ chối", "permit → refusal"),
            Self::Tightened => Text::fixed("nghĩa vụ chặt hơn", "obligations tightened"),
            Self::Regrounded => Text::fixed("cùng kết quả, căn cứ khác", "same answer on another ground"),
        }
    }
}

/// On what an answer stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Ground {
    /// Permit or refusal.
    pub permit: bool,
    /// The rule that decided, if one did.
    pub rule: Option<RuleId>,
    /// The reason of a refusal.
    pub reason: Option<ReasonCode>,
}

impl Ground {
    fn of(decision: &Decision) -> Self {
        Self {
            permit: decision.is_permit(),
            rule: decision.rule.clone(),
            reason: decision.refusal().map(crate::Refusal::code),
        }
    }
}

impl std::fmt::Display for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.permit { "permit" } else { "refusal" })?;
        if let Some(reason) = self.reason {
            write!(f, " {reason}")?;
        }
        self.rule.as_ref().map_or(Ok(()), |rule| write!(f, " by {rule}"))
    }
}

/// Questions of one agency about one dataset whose answer turned in one way, from one ground to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// How.
    pub turn: Turn,
    /// Who asked.
    pub subject: SubjectId,
    /// About what.
    pub dataset: DatasetId,
    /// On what the answer stands now.
    pub from: Ground,
    /// On what it would stand.
    pub to: Ground,
    /// How many questions.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// One question whose answer turned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// Its place among the replayed questions, from 0.
    pub position: u64,
    /// The question as it was replayed.
    pub question: Question,
    /// The obligations that differ.
    pub obligations: Vec<PartChange>,
}

/// What questions are grouped by, in the order in which groups are shown.
type Key = (Turn, SubjectId, DatasetId, Ground, Ground);

/// The questions of one group.
#[derive(Default)]
struct Members {
    count: u64,
    examples: Vec<Example>,
}

/// Puts recorded questions to both rule sets.
///
/// Each question is decided anew by both, so the impact is that of the draft alone and not of facts that have changed
/// since. About two decisions' time a question; memory is bounded by the limits, not by the number of questions.
pub fn replay(
    recorded: impl Iterator<Item = (Question, Facts)>,
    in_force: &Engine,
    draft: &Engine,
    how: &Replay,
) -> Impact {
    let (mut tally, mut replayed, mut unchanged) = (Tally::default(), 0, 0);
    for (question, facts) in recorded {
        let (question, facts) = timed(question, facts, how.at);
        let (before, after) = (in_force.decide(&question, &facts), draft.decide(&question, &facts));
        match turn(&before, &after) {
            Some(turn) => tally.add(turn, replayed, question, &before, &after, how),
            None => unchanged += 1,
        }
        replayed += 1;
    }
    Impact {
        in_force: compared(in_force),
        draft: compared(draft),
        replayed,
        unchanged,
        turned: tally.turned,
        groups: sorted(tally.groups),
        ungrouped: tally.ungrouped,
    }
}

/// The turned questions so far.
#[derive(Default)]
struct Tally {
    turned: BTreeMap<Turn, u64>,
    groups: BTreeMap<Key, Members>,
    /// Groups of each turn: the many of one must not crowd out the few of another.
    sizes: BTreeMap<Turn, usize>,
    ungrouped: BTreeMap<Turn, u64>,
}

impl Tally {
    fn add(
        &mut self,
        turn: Turn,
        position: u64,
        question: Question,
        before: &Decision,
        after: &Decision,
        how: &Replay,
    ) {
        *self.turned.entry(turn).or_default() += 1;
        let (subject, dataset) = (question.subject.clone(), question.dataset.clone());
        let key = (turn, subject, dataset, Ground::of(before), Ground::of(after));
        let size = self.sizes.entry(turn).or_default();
        let members = match self.groups.entry(key) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(_) if *size >= how.groups => {
                *self.ungrouped.entry(turn).or_default() += 1;
                return;
            }
            Entry::Vacant(free) => {
                *size += 1;
                free.insert(Members::default())
            }
        };
        members.count += 1;
        if members.examples.len() < how.examples {
            let obligations = changed_obligations(before, after);
            members.examples.push(Example { position, question, obligations });
        }
    }
}

fn sorted(groups: BTreeMap<Key, Members>) -> Vec<Group> {
    let mut all: Vec<Group> = groups
        .into_iter()
        .map(|((turn, subject, dataset, from, to), Members { count, examples })| Group {
            turn,
            subject,
            dataset,
            from,
            to,
            count,
            examples,
        })
        .collect();
    // Stable: equal counts stay in the order of their names.
    all.sort_by_key(|group| (group.turn, std::cmp::Reverse(group.count)));
    all
}

fn compared(engine: &Engine) -> Compared {
    Compared { version: engine.rule_set().version(), sha256: engine.rule_set().digest() }
}

/// The question and its facts at the time of the replay. An agreement that stood when the question was asked is taken
/// to stand then too; one that did not stays as it was.
fn timed(question: Question, mut facts: Facts, at: AskedAt) -> (Question, Facts) {
    let AskedAt::Second(now) = at else { return (question, facts) };
    if let Some(agreement) = &mut facts.agreement
        && (agreement.not_before..agreement.expires).contains(&question.now)
    {
        agreement.not_before = agreement.not_before.min(now);
        agreement.expires = agreement.expires.max(now.saturating_add(1));
    }
    (Question { now, ..question }, facts)
}

fn turn(before: &Decision, after: &Decision) -> Option<Turn> {
    let strictness = match (&before.effect, &after.effect) {
        (Effect::Refuse(_), Effect::Permit(_)) => return Some(Turn::Opened),
        (Effect::Permit(_), Effect::Refuse(_)) => return Some(Turn::Closed),
        (Effect::Permit(before), Effect::Permit(after)) => {
            Strictness::of(&before.obligations, &after.obligations)
        }
        (Effect::Refuse(before), Effect::Refuse(after)) if before != after => return Some(Turn::Regrounded),
        (Effect::Refuse(_), Effect::Refuse(_)) => Strictness::Same,
    };
    match strictness {
        Strictness::Same if before.rule == after.rule => None,
        Strictness::Same => Some(Turn::Regrounded),
        Strictness::Tighter => Some(Turn::Tightened),
        Strictness::Looser => Some(Turn::Loosened),
        Strictness::Mixed => Some(Turn::LoosenedInPart),
    }
}

fn changed_obligations(before: &Decision, after: &Decision) -> Vec<PartChange> {
    match (before.obligations(), after.obligations()) {
        (Some(before), Some(after)) => parts(before, after),
        _ => Vec::new(),
    }
}
