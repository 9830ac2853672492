//! `tests/bench/run decision`: how long a decision takes, in this process, one thread. Keys: `decision_p50_us`,
//! `decision_p99_us`, `decisions_per_s` for a rule set of `rules_count` owners' rules; `builtin_p50_us`, `builtin_p99_us` for
//! the rules that ship with the node.
//!
//! Half of the questions are permitted, with obligations from rule and duty; half are refused for want of a rule.

use std::error::Error;
use std::time::Instant;

use policy::{Decision, Effect, Engine, Facts, Files, Question, RuleSet};
use serde_json::json;
use tests::bench::{Figures, quantile, say};

/// Datasets of the large rule set, and consumers of each.
const DATASETS: usize = 1_000;
const CONSUMERS: usize = 10;
/// Decisions taken before the measured ones.
const WARM_UP: usize = 2_000;
/// Decisions measured.
const DECISIONS: usize = 50_000;
/// Noon of 23 November 2026, UTC.
const NOW: i64 = 1_795_435_200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut figures = Figures::default();
    let rules = RuleSet::from_files(&large_rule_set(), 1).map_err(|error| format!("{error:#?}"))?;
    let count = rules.grants().len();
    say(&format!("{count} rules: {DATASETS} datasets, {CONSUMERS} consumers each"));
    let large = measure(&Engine::new(rules)?, "tax-collection")?;
    figures.add("decision_p50_us", quantile(&large, 0.5));
    figures.add("decision_p99_us", quantile(&large, 0.99));
    figures.add("decisions_per_s", 1e6 * large.len() as f64 / large.iter().sum::<f64>());
    figures.add("rules_count", count as f64);

    let builtin = RuleSet::builtin(1).map_err(|error| format!("{error:#?}"))?;
    let small = measure(&Engine::new(builtin)?, "traffic-management")?;
    figures.add("builtin_p50_us", quantile(&small, 0.5));
    figures.add("builtin_p99_us", quantile(&small, 0.99));
    Ok(figures.print()?)
}

/// Microseconds of each decision.
fn measure(engine: &Engine, purpose: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let questions = questions(purpose)?;
    let (mut took, mut permitted) = (Vec::with_capacity(DECISIONS), 0);
    for (question, facts) in questions.iter().cycle().take(WARM_UP + DECISIONS) {
        let started = Instant::now();
        let decision: Decision = engine.decide(question, facts);
        took.push(started.elapsed().as_secs_f64() * 1e6);
        permitted += usize::from(matches!(decision.effect, Effect::Permit(_)));
    }
    // A benchmark of the wrong answer would be of no use.
    if permitted * 2 != took.len() {
        return Err(format!("{permitted} of {} were permitted, half was expected", took.len()).into());
    }
    Ok(took.split_off(WARM_UP))
}

/// Permitted and refused ones in turn, over all datasets.
fn questions(purpose: &str) -> Result<Vec<(Question, Facts)>, serde_json::Error> {
    let mut all = Vec::new();
    for number in 0..DATASETS {
        for purpose in [purpose, "marketing"] {
            let consumer = format!("ag:urn:agency:vn:bench:{}", number % CONSUMERS);
            let question = json!({
                "subject": consumer, "action": "query", "dataset": format!("ds:d{number}"),
                "purpose": format!("pu:{purpose}"), "agreement": null, "basis": "bas:law", "network": "net:gov", "now": NOW,
            });
            let facts = json!({
                "party": { "country": "VN", "active": true, "groups": ["gr:state"] },
                "dataset": { "owner": "ag:urn:agency:vn:bench:owner", "class": 1, "personal": "none", "kind": "default" },
                "agreement": null,
            });
            all.push((serde_json::from_value(question)?, serde_json::from_value(facts)?));
        }
    }
    Ok(all)
}

/// One rule for each dataset and consumer, under two national ones and one duty.
fn large_rule_set() -> Files {
    const ALWAYS: &str = "2020-01-01T00:00Z, 9999-12-31T00:00Z";
    let mut policy = format!(
        "g3, pu:tax-collection, pu:administration\n\
         p, NAT-01, 10, *, *, discover, *, *, *, *, 0, 9, {ALWAYS}, -, allow\n\
         p, NAT-02, 10, gr:state, *, metadata, *, *, *, *, 0, 9, {ALWAYS}, -, allow\n"
    );
    for dataset in 0..DATASETS {
        for consumer in 0..CONSUMERS {
            policy.push_str(&format!(
                "p, OWN-{dataset}-{consumer}, 30, ag:urn:agency:vn:bench:{consumer}, ds:d{dataset}, query, \
                 pu:administration, *, +, *, 0, 3, {ALWAYS}, OB-OWN, allow\n"
            ));
        }
    }
    Files::new()
        .with("policy.csv", policy)
        .with("duties.csv", format!("p, DUT-01, 10, *, *, query, *, 0, 9, {ALWAYS}, OB-DUTY, allow\n"))
        .with(
            "obligations.json",
            r#"{"OB-OWN": {"mask": {"note": "drop"}, "retention_days": 180}, "OB-DUTY": {"no_onward": true, "retention_days": 365}}"#,
        )
}
