//! Helpers that several test files use.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod draft;
pub mod plain;

use std::path::{Path, PathBuf};

use policy::{
    Action, AgreementFacts, Class, Country, DataClass, DatasetFacts, Dpia, Engine, Facts, Files, PartyFacts,
    Personal, Question, RuleSet, SharingKind,
};

/// Files shared between the project's repositories; `None`, and a line that says so, where they are not there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("TRAM_SHARED").map_or(beside, PathBuf::from);
    let full = root.join(path);
    if full.exists() {
        return Some(full);
    }
    println!("skipped: {} is not there", full.display());
    None
}

/// A small generator: tests repeat exactly.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// 2026-11-20T08:00Z.
pub const NOW: i64 = 1_795_161_600;

pub fn question(subject: &str, action: Action, dataset: &str) -> Question {
    Question {
        subject: subject.parse().unwrap(),
        unit: None,
        role: None,
        clearance: Class::OPEN,
        action,
        dataset: dataset.parse().unwrap(),
        purpose: None,
        agreement: None,
        basis: None,
        network: "net:gov".parse().unwrap(),
        place: None,
        route: policy::RouteId::default(),
        now: NOW,
    }
}

pub fn party(groups: &[&str]) -> PartyFacts {
    PartyFacts {
        country: Country::VN,
        active: true,
        groups: groups.iter().map(|g| g.parse().unwrap()).collect(),
    }
}

pub fn dataset(class: u8, kind: SharingKind) -> DatasetFacts {
    DatasetFacts {
        owner: "ag:owner".parse().unwrap(),
        class: Class::new(class).unwrap(),
        personal: Personal::None,
        kind,
        sector: None,
        data_class: DataClass::Other,
        tags: Vec::new(),
        collections: Vec::new(),
        consent: None,
    }
}

pub fn facts(party: PartyFacts, dataset: DatasetFacts) -> Facts {
    Facts { party: Some(party), dataset: Some(dataset), ..Facts::default() }
}

/// An agreement in force for this question's subject and dataset.
pub fn agreement(question: &Question, purposes: &[&str]) -> AgreementFacts {
    AgreementFacts {
        consumer: question.subject.clone(),
        datasets: vec![question.dataset.clone()],
        purposes: purposes.iter().map(|p| p.parse().unwrap()).collect(),
        not_before: question.now - 60,
        expires: question.now + 60,
        signatures: 2,
        dpia: Dpia::Filed("DGTD-1".into()),
    }
}

/// A rule set with these grants and links, no duties, and obligation sets `OB` and `OB2`.
pub fn files(policy: &str) -> Files {
    Files::new()
        .with("policy.csv", policy)
        .with("duties.csv", "# none\n")
        .with("obligations.json", r#"{"OB": {"audit": 1}, "OB2": {"audit": 2}}"#)
}

pub fn engine(files: &Files) -> Engine {
    Engine::new(RuleSet::from_files(files, 1).unwrap_or_else(|e| panic!("{:#?}", e.problems))).unwrap()
}

/// A grant row with everything open but what is given.
pub fn grant(id: &str, tier: &str, subject: &str, object: &str, action: &str, effect: &str) -> String {
    format!(
        "p, {id}, {tier}, {subject}, {object}, {action}, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, {effect}\n"
    )
}
