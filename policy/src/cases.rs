//! Test tables: questions with the answer they must get.
//!
//! A rule set carries its own table (`cases.json`) and the register it is asked against (`registry.json`). A draft
//! whose table fails is not activated.

use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::engine::Engine;
use crate::ids::{PlaceId, RoleId, RouteId, RuleId, UnitId};
use crate::minute::Minute;
use crate::obligations::Obligations;
use crate::question::{Facts, Question};
use crate::quota::Usage;
use crate::registry::Registry;
use crate::rule::Class;

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Wire")]
pub struct Case {
    /// What it shows, in a few words.
    pub name: String,
    /// The question.
    pub question: Question,
    /// What the party has had so far.
    pub usage: Usage,
    /// The wanted effect.
    pub want: Want,
    /// The rule that must decide.
    pub rule: Option<RuleId>,
    /// The reason code that must be given.
    pub ground: Option<String>,
    /// The obligations that must come with the permit, exactly.
    pub obligations: Option<Obligations>,
}

/// A row as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    n: String,
    /// Subject, dataset, action, purpose, agreement, legal basis, network, time; `-` for none.
    q: [String; 8],
    unit: Option<UnitId>,
    role: Option<RoleId>,
    #[serde(default)]
    clearance: Class,
    place: Option<PlaceId>,
    #[serde(default)]
    route: RouteId,
    #[serde(default)]
    usage: Usage,
    want: Want,
    rule: Option<RuleId>,
    ground: Option<String>,
    obligations: Option<Obligations>,
}

impl TryFrom<Wire> for Case {
    type Error = String;
    fn try_from(wire: Wire) -> Result<Self, String> {
        let asked = read_question(&wire.q)?;
        let Wire { unit, role, clearance, place, route, .. } = wire;
        Ok(Self {
            name: wire.n,
            question: Question { unit, role, clearance, place, route, ..asked },
            usage: wire.usage,
            want: wire.want,
            rule: wire.rule,
            ground: wire.ground,
            obligations: wire.obligations,
        })
    }
}

/// The wanted effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// A permit.
    Allow,
    /// A refusal.
    Deny,
}

/// How a table went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Rows asked.
    pub total: usize,
    /// Rows with another answer than wanted.
    pub failed: Vec<Failure>,
}

/// A row with another answer than wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// The row's name.
    pub name: String,
    /// What was wanted and is not so.
    pub differs: Vec<String>,
    /// What was decided.
    pub decision: Decision,
}

impl Report {
    /// True when every row got its answer.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed.is_empty()
    }
}

/// Asks every row of a table.
#[must_use]
pub fn run(engine: &Engine, cases: &[Case], registry: &Registry) -> Report {
    let failed = cases.iter().filter_map(|case| {
        let decision = engine.decide(&case.question, &case.facts(registry));
        let differs = case.differs(&decision);
        (!differs.is_empty()).then(|| Failure { name: case.name.clone(), differs, decision })
    });
    Report { total: cases.len(), failed: failed.collect() }
}

impl Case {
    /// What the question is decided on.
    #[must_use]
    pub fn facts(&self, registry: &Registry) -> Facts {
        Facts { usage: self.usage.clone(), ..registry.facts(&self.question) }
    }

    /// What of this row the decision does not meet, in words.
    #[must_use]
    pub fn differs(&self, decision: &Decision) -> Vec<String> {
        let mut out = Vec::new();
        let got = if decision.is_permit() { Want::Allow } else { Want::Deny };
        if got != self.want {
            out.push(format!("effect: wanted {:?}, got {got:?}", self.want));
        }
        if self.rule.is_some() && self.rule != decision.rule {
            out.push(format!("rule: wanted {:?}, got {:?}", self.rule, decision.rule));
        }
        let code = decision.refusal().map(|refusal| refusal.code().as_str());
        if self.ground.is_some() && self.ground.as_deref() != code {
            out.push(format!("ground: wanted {:?}, got {code:?}", self.ground));
        }
        if self.obligations.is_some() && self.obligations.as_ref() != decision.obligations() {
            out.push("obligations: not those wanted".to_owned());
        }
        out
    }
}

fn read_question(
    [subject, dataset, action, purpose, agreement, basis, network, now]: &[String; 8],
) -> Result<Question, String> {
    let text = |error: crate::IdError| error.to_string();
    Ok(Question {
        subject: subject.parse().map_err(text)?,
        unit: None,
        role: None,
        clearance: Class::OPEN,
        dataset: dataset.parse().map_err(text)?,
        action: crate::Action::read(action)
            .ok_or_else(|| format!("`{}` is no action", crate::ids::shown(action)))?,
        purpose: or_none(purpose)?,
        agreement: or_none(agreement)?,
        basis: or_none(basis)?,
        network: network.parse().map_err(text)?,
        place: None,
        route: RouteId::default(),
        now: Minute::parse(now).map_err(|error| error.to_string())?.unix(),
    })
}

fn or_none<T: std::str::FromStr<Err = crate::IdError>>(text: &str) -> Result<Option<T>, String> {
    if text == "-" {
        Ok(None)
    } else {
        text.parse().map(Some).map_err(|error: crate::IdError| error.to_string())
    }
}
