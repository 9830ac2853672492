//! A rule set: the versioned whole of an agency's rules, checked as a whole before it can be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cases::Case;
use crate::closure::Closure;
use crate::digest::Digest;
use crate::ids::{ObligationSetId, RuleId};
use crate::invariants::Invariants;
use crate::judge::{DUTY_MODEL, DUTY_MODEL_1, GRANT_MODEL, GRANT_MODEL_1, meaning};
use crate::load::{Files, LoadError};
use crate::obligations::Obligations;
use crate::reason::{ReasonCode, Refusal};
use crate::registry::Registry;
use crate::rule::{Link, LinkKind, Rule, WHEN_COLUMNS};
use crate::text::{Citation, Text};

/// Why a rule says what it says: its legal basis and plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The legal text it stands on.
    pub legal_basis: Citation,
    /// Plain words for clerks and citizens.
    pub text: Text,
    /// What people gain by a grant, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benefit: Option<Text>,
}

/// A loaded and checked rule set. Immutable: a change is a new rule set with a new version.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(crate) grants: Vec<Rule>,
    pub(crate) duties: Vec<Rule>,
    pub(crate) links: Vec<Link>,
    pub(crate) obligations: BTreeMap<ObligationSetId, Obligations>,
    pub(crate) reasons: BTreeMap<String, Reason>,
    pub(crate) closure: Arc<Closure>,
    pub(crate) cases: Vec<Case>,
    pub(crate) fixture: Option<Registry>,
    invariants: Invariants,
    digest: Digest,
    version: u64,
}

/// The checked parts of a rule set, as the loader hands them over.
pub(crate) struct Parts {
    pub grants: Vec<Rule>,
    pub duties: Vec<Rule>,
    pub links: Vec<Link>,
    pub obligations: BTreeMap<ObligationSetId, Obligations>,
    pub reasons: BTreeMap<String, Reason>,
    pub closure: Closure,
    pub cases: Vec<Case>,
    pub fixture: Option<Registry>,
    pub invariants: Invariants,
}

/// What the digest of a rule set is over. Test cases and fixtures are not part: they change no decision.
#[derive(Serialize)]
struct Canonical<'a> {
    format: &'static str,
    grant_model: Vec<&'a str>,
    duty_model: Vec<&'a str>,
    grants: Rows<'a>,
    duties: Rows<'a>,
    links: &'a [Link],
    obligations: &'a BTreeMap<ObligationSetId, Obligations>,
    reasons: &'a BTreeMap<String, Reason>,
    /// Left out for the set that stands when none is named, so that digests made before there were two still hold.
    #[serde(skip_serializing_if = "Invariants::is_default")]
    invariants: Invariants,
}

/// Rules as casbin's rows, written one after the other: all at once they would need several times the memory of the rules.
struct Rows<'a> {
    rules: &'a [Rule],
    write: fn(&Rule) -> Vec<String>,
    /// Columns at the end that the model does not know.
    left_out: usize,
}

impl Serialize for Rows<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rules.iter().map(|rule| {
            let mut row = (self.write)(rule);
            row.truncate(row.len().saturating_sub(self.left_out));
            row
        }))
    }
}

impl Parts {
    /// True when the rules mean the same under the first model.
    fn is_of_the_first_model(&self) -> bool {
        self.grants.iter().chain(&self.duties).all(|rule| rule.when.is_any())
            && self.links.iter().all(|link| link.kind != LinkKind::Place)
    }

    fn canonical(&self) -> Canonical<'_> {
        let first = self.is_of_the_first_model();
        let (format, grant_model, duty_model) = if first {
            ("tram-rule-set/1", GRANT_MODEL_1, DUTY_MODEL_1)
        } else {
            ("tram-rule-set/2", GRANT_MODEL, DUTY_MODEL)
        };
        let left_out = if first { WHEN_COLUMNS } else { 0 };
        Canonical {
            format,
            grant_model: meaning(grant_model).collect(),
            duty_model: meaning(duty_model).collect(),
            grants: Rows { rules: &self.grants, write: Rule::grant_row, left_out },
            duties: Rows { rules: &self.duties, write: Rule::duty_row, left_out },
            links: &self.links,
            obligations: &self.obligations,
            reasons: &self.reasons,
            invariants: self.invariants,
        }
    }
}

impl RuleSet {
    /// Puts checked parts in order and fixes the digest.
    pub(crate) fn assemble(mut parts: Parts, version: u64) -> Result<Self, crate::CanonError> {
        parts.grants.sort_by(|a, b| a.order().cmp(&b.order()));
        parts.duties.sort_by(|a, b| a.order().cmp(&b.order()));
        parts.links.sort();
        parts.grants.shrink_to_fit();
        parts.duties.shrink_to_fit();
        let digest = Digest::of_canonical(&parts.canonical())?;
        let Parts { grants, duties, links, obligations, reasons, closure, cases, fixture, invariants } =
            parts;
        Ok(Self {
            grants,
            duties,
            links,
            obligations,
            reasons,
            closure: Arc::new(closure),
            cases,
            fixture,
            invariants,
            digest,
            version,
        })
    }

    /// The rule set that ships with the node: open data for anyone, discovery up to class 3, default-shared data
    /// between state agencies for public administration, personal data under duties, everything else denied.
    ///
    /// # Errors
    /// Never, as a test proves; the type is that of every load.
    pub fn builtin(version: u64) -> Result<Self, LoadError> {
        Self::from_files(&crate::builtin::files(), version)
    }

    /// Loads and checks a rule set held in memory.
    ///
    /// # Errors
    /// [`LoadError`] with every problem found.
    pub fn from_files(files: &Files, version: u64) -> Result<Self, LoadError> {
        crate::load::rule_set(files, version)
    }

    /// Loads and checks a rule set from a folder.
    ///
    /// # Errors
    /// [`LoadError`] with every problem found, also those of reading.
    pub fn from_folder(folder: &std::path::Path, version: u64) -> Result<Self, LoadError> {
        Self::from_files(&Files::read(folder)?, version)
    }

    /// Other rules over the same links and obligations, to try a change on. It keeps the digest and drops the words and
    /// the cases, so it never leaves this crate.
    pub(crate) fn trial(&self, grants: Vec<Rule>, duties: Vec<Rule>) -> Self {
        let (mut grants, mut duties) = (grants, duties);
        grants.sort_by(|a, b| a.order().cmp(&b.order()));
        duties.sort_by(|a, b| a.order().cmp(&b.order()));
        Self {
            grants,
            duties,
            links: Vec::new(),
            obligations: self.obligations.clone(),
            reasons: BTreeMap::new(),
            closure: Arc::clone(&self.closure),
            cases: Vec::new(),
            fixture: None,
            invariants: self.invariants,
            digest: self.digest,
            version: self.version,
        }
    }

    /// The same rules under another version number.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// SHA-256 over the canonical content: the same rules in any order, with any comments, have the same digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The number given at activation.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// True when some obligation set limits what one party may have in a day or a month.
    #[must_use]
    pub fn has_quotas(&self) -> bool {
        self.obligations.values().any(|set| !set.quota.is_empty())
    }

    /// True when some obligation set asks for differential privacy.
    #[must_use]
    pub fn has_privacy_budgets(&self) -> bool {
        self.obligations.values().any(|set| set.differential_privacy.is_some())
    }

    /// The legal order that it is written for.
    #[must_use]
    pub fn invariants(&self) -> Invariants {
        self.invariants
    }

    /// Grants in the order in which they are met.
    #[must_use]
    pub fn grants(&self) -> &[Rule] {
        &self.grants
    }

    /// Duties in order.
    #[must_use]
    pub fn duties(&self) -> &[Rule] {
        &self.duties
    }

    /// Links in order.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Obligation sets by id.
    #[must_use]
    pub fn obligations(&self) -> &BTreeMap<ObligationSetId, Obligations> {
        &self.obligations
    }

    /// The reason given for a rule.
    #[must_use]
    pub fn reason(&self, rule: &RuleId) -> Option<&Reason> {
        self.reasons.get(rule.as_str())
    }

    /// The test table that came with it.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The register that its test table is asked against.
    #[must_use]
    pub fn fixture(&self) -> Option<&Registry> {
        self.fixture.as_ref()
    }

    /// The refusal for a code, in the words of the deciding rule or of the rule set where it has some.
    pub(crate) fn refusal(&self, code: ReasonCode, rule: Option<&RuleId>) -> Refusal {
        let own = match (code, rule) {
            (ReasonCode::RuleDenies, Some(rule)) => self.reasons.get(rule.as_str()),
            (ReasonCode::NoRule, _) => self.reasons.get(ReasonCode::NoRule.as_str()),
            _ => None,
        };
        match own {
            Some(reason) => Refusal::in_words(code, reason.legal_basis.clone(), reason.text.clone()),
            None => code.refusal_under(self.invariants),
        }
    }
}
