//! The packs that ship with the node, from `packs/`; the rules of `vn` are the rule set to begin with.

use crate::load::{Files, name};

/// The files of one pack.
struct Texts {
    pack: &'static str,
    policy: &'static str,
    duties: &'static str,
    obligations: &'static str,
    reasons: &'static str,
    cases: &'static str,
    registry: &'static str,
    matrix: &'static str,
    holidays: Option<&'static str>,
    readme: &'static str,
}

const VN: Texts = Texts {
    pack: include_str!("../packs/vn/pack.toml"),
    policy: include_str!("../packs/vn/policy.csv"),
    duties: include_str!("../packs/vn/duties.csv"),
    obligations: include_str!("../packs/vn/obligations.json"),
    reasons: include_str!("../packs/vn/reasons.json"),
    cases: include_str!("../packs/vn/cases.json"),
    registry: include_str!("../packs/vn/registry.json"),
    matrix: include_str!("../packs/vn/matrix.toml"),
    holidays: Some(include_str!("../packs/vn/holidays.toml")),
    readme: include_str!("../packs/vn/README.md"),
};

const EU: Texts = Texts {
    pack: include_str!("../packs/eu/pack.toml"),
    policy: include_str!("../packs/eu/policy.csv"),
    duties: include_str!("../packs/eu/duties.csv"),
    obligations: include_str!("../packs/eu/obligations.json"),
    reasons: include_str!("../packs/eu/reasons.json"),
    cases: include_str!("../packs/eu/cases.json"),
    registry: include_str!("../packs/eu/registry.json"),
    matrix: include_str!("../packs/eu/matrix.toml"),
    holidays: None,
    readme: include_str!("../packs/eu/README.md"),
};

impl Texts {
    /// What a rule set is made of.
    fn rules(&self) -> [(&'static str, &'static str); 6] {
        [
            (name::POLICY, self.policy),
            (name::DUTIES, self.duties),
            (name::OBLIGATIONS, self.obligations),
            (name::REASONS, self.reasons),
            (name::CASES, self.cases),
            (name::REGISTRY, self.registry),
        ]
    }

    /// What a pack has besides.
    fn legal(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [(name::PACK, self.pack), (name::MATRIX, self.matrix), (name::README, self.readme)]
            .into_iter()
            .chain(self.holidays.map(|text| (name::HOLIDAYS, text)))
    }
}

fn collect(texts: impl Iterator<Item = (&'static str, &'static str)>) -> Files {
    texts.fold(Files::new(), |files, (name, text)| files.with(name, text))
}

/// The files of the rule set that ships with the node, by name: a form to begin one's own with.
pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    VN.rules().into_iter()
}

/// The same for the loader.
pub(crate) fn files() -> Files {
    collect(texts())
}

/// The files of a pack by its name.
pub(crate) fn pack(name: &str) -> Option<Files> {
    let texts = match name {
        "vn" => VN,
        "eu" => EU,
        _ => return None,
    };
    Some(collect(texts.rules().into_iter().chain(texts.legal())))
}
