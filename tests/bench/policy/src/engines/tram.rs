//! The node's own engine: decisions with their whole record.

use std::sync::Arc;

use policy::{Decision, Engine, Facts, Files, Question, RuleSet};
use serde_json::json;

use super::{Answer, Fallible, Judge, Named};
use crate::world::{Asked, World, written};

/// The engine with all questions, and what it decided last.
pub struct Tram {
    engine: Engine,
    asked: Vec<(Question, Facts)>,
    last: Option<Decision>,
}

/// The same, through the cache of decisions.
pub struct Cached<'a> {
    tram: &'a Tram,
    last: Option<Arc<Decision>>,
}

/// The files of the rule set: the rules of the world, and two duties that add obligations to most permits.
pub fn files(world: &World) -> Files {
    const ALWAYS: &str = "2020-01-01T00:00Z, 9999-12-31T00:00Z";
    let mut policy = String::new();
    for (section, from, to) in &world.links {
        policy.push_str(&format!("{section}, {from}, {to}\n"));
    }
    for row in &world.rows {
        let (obligations, effect) = if row.denies { ("-", "deny") } else { ("OB-ROWS", "allow") };
        policy.push_str(&format!(
            "p, {}, 30, {}, {}, {}, {}, *, *, *, 0, {}, {}, {}, {obligations}, {effect}\n",
            row.id,
            row.subject,
            row.object,
            row.action,
            row.purpose,
            row.class_to,
            written(row.from),
            written(row.until)
        ));
    }
    let duties = format!(
        "p, DUT-1, 10, *, *, query, *, 0, 9, {ALWAYS}, OB-KEEP, allow\n\
         p, DUT-2, 10, *, *, *, *, 2, 9, {ALWAYS}, OB-MASK, allow\n"
    );
    let sets = r#"{"OB-ROWS": {"max_rows": 1000, "retention_days": 365}, "OB-KEEP": {"no_onward": true, "retention_days": 180},
                   "OB-MASK": {"mask": {"person_code": "hash"}, "audit": 1}}"#;
    Files::new().with("policy.csv", policy).with("duties.csv", duties).with("obligations.json", sets)
}

/// From files to an engine in force, as an activation does it.
///
/// # Errors
/// What the loader says of the files.
pub fn activate(files: &Files) -> Fallible<Engine> {
    let rules = RuleSet::from_files(files, 1).map_err(|error| format!("{error:#?}"))?;
    Ok(Engine::new(rules)?)
}

impl Tram {
    /// Puts the rules in force and makes the questions.
    ///
    /// # Errors
    /// What the loader says of the rules.
    pub fn new(world: &World, engine: Engine) -> Fallible<Self> {
        let asked = world.asked.iter().map(question).collect::<Fallible<_>>()?;
        Ok(Self { engine, asked, last: None })
    }

    /// The same engine through its cache.
    pub fn cached(&self) -> Cached<'_> {
        Cached { tram: self, last: None }
    }

    /// Positions of the rules that the node gives to casbin.
    ///
    /// # Errors
    /// When the question is refused before the rules.
    pub fn candidates(&self, question: usize) -> Fallible<Vec<usize>> {
        let (question, facts) = self.asked.get(question).ok_or("no such question")?;
        let rules = self.engine.candidates(question, facts).map_err(|code| code.as_str())?;
        // Ids are positions: `R000123`.
        rules.iter().map(|rule| Ok(rule.id.as_str().trim_start_matches('R').parse()?)).collect()
    }

    /// Asks everything at one time, as a node does: only what is asked again soon can be remembered.
    pub fn at_one_time(&mut self, unix: i64) {
        self.asked.iter_mut().for_each(|(question, _)| question.now = unix);
    }
}

fn question(asked: &Asked) -> Fallible<(Question, Facts)> {
    let question = json!({
        "subject": asked.subject, "action": asked.action, "dataset": asked.dataset, "purpose": asked.purpose,
        "agreement": null, "basis": "bas:law", "network": "net:gov", "now": asked.now * 60,
    });
    let facts = json!({
        "party": { "country": "VN", "active": true, "groups": [] },
        "dataset": {
            "owner": "ag:urn:agency:vn:owner", "class": asked.class, "personal": "none", "kind": "default",
        },
        "agreement": null,
    });
    Ok((serde_json::from_value(question)?, serde_json::from_value(facts)?))
}

fn answer(decision: Option<&Decision>) -> Fallible<Answer> {
    let decision = decision.ok_or("nothing was decided")?;
    let ids = decision.matched.iter().chain(&decision.overridden);
    let mut ids: Vec<String> = ids.map(ToString::to_string).collect();
    ids.sort();
    Ok(Answer { permitted: decision.is_permit(), named: Some(Named::All(ids)) })
}

impl Judge for Tram {
    fn judge(&mut self, question: usize) -> Fallible<()> {
        let (question, facts) = self.asked.get(question).ok_or("no such question")?;
        self.last = Some(self.engine.decide(question, facts));
        Ok(())
    }

    fn said(&self) -> Fallible<Answer> {
        answer(self.last.as_ref())
    }
}

impl Judge for Cached<'_> {
    fn judge(&mut self, question: usize) -> Fallible<()> {
        let (question, facts) = self.tram.asked.get(question).ok_or("no such question")?;
        self.last = Some(self.tram.engine.decide_cached(question, facts));
        Ok(())
    }

    fn said(&self) -> Fallible<Answer> {
        answer(self.last.as_deref())
    }
}
