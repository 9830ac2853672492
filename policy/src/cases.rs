//! Test tables: questions with the answer they must get.
//!
//! A rule set carries its own table (`cases.json`) and the register it is asked against (`registry.json`). A draft
//! whose table fails is not activated.

use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::engine::Engine;
use crate::ids::RuleId;
use crate::minute::Minute;
use crate::obligations::Obligations;
use crate::question::Question;
use crate::registry::Registry;

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, in a few words.
    #[serde(rename = "n")]
    pub name: String,
    /// The question: subject, dataset, action, purpose, agreement, legal basis, network, time; `-` for none.
    #[serde(rename = "q", deserialize_with = "question")]
    pub question: Question,
    /// The wanted effect.
    pub want: Want,
    /// The rule that must decide.
    pub rule: Option<RuleId>,
    /// The reason code that must be given.
    pub ground: Option<String>,
    /// The obligations that must come with the permit, exactly.
    pub obligations: Option<Obligations>,
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
        let decision = engine.decide(&case.question, &registry.facts(&case.question));
        let differs = case.differs(&decision);
        (!differs.is_empty()).then(|| Failure { name: case.name.clone(), differs, decision })
    });
    Report { total: cases.len(), failed: failed.collect() }
}

impl Case {
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

fn question<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Question, D::Error> {
    let fields = <[String; 8]>::deserialize(d)?;
    read_question(&fields).map_err(serde::de::Error::custom)
}

fn read_question(
    [subject, dataset, action, purpose, agreement, basis, network, now]: &[String; 8],
) -> Result<Question, String> {
    let text = |error: crate::IdError| error.to_string();
    Ok(Question {
        subject: subject.parse().map_err(text)?,
        dataset: dataset.parse().map_err(text)?,
        action: crate::Action::read(action)
            .ok_or_else(|| format!("`{}` is no action", crate::ids::shown(action)))?,
        purpose: or_none(purpose)?,
        agreement: or_none(agreement)?,
        basis: or_none(basis)?,
        network: network.parse().map_err(text)?,
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
