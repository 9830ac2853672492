//! Obligations: what the node must do when it permits, joined "most restrictive of both".
//!
//! `join` is commutative, associative and idempotent, and adding to it can only tighten; so neither the order of the
//! rules nor one rule more can ever loosen what is delivered. An obligation that is not understood makes the whole
//! file refused: a node must never permit under a duty it cannot keep (XACML 3.0, section 7.18).

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use crate::digest::{CanonError, Digest};
use crate::disclosure::{self, DifferentialPrivacy, Largest, NoiseLevel, PPercent, RoundBase, Share};
use crate::limits::{COLUMNS_MAX, PREDICATES_MAX, ROLES_MAX};
use crate::mask::Mask;
use crate::predicate::{Column, Predicate};
use crate::quota::{Measure, Quota};
use crate::unique::{UniqueMap, unique_map};

/// Longest delay, hours: ten years. More is a slip of the pen, and holds back what nobody meant to hold back for good.
const DELAY_HOURS_MAX: u32 = 87_600;

/// A set of obligations. The default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire")]
pub struct Obligations {
    /// The only columns that may leave; `None` means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<BTreeSet<Column>>,
    /// What is done to single columns.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mask: BTreeMap<Column, Mask>,
    /// Conditions that every row must meet, on raw values.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub row_filter: BTreeSet<Predicate>,
    /// Only aggregates may leave, under these limits; `None` means rows may leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// Counts and sums carry Laplace noise, and what they tell is counted. Only with `aggregate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differential_privacy: Option<Box<DifferentialPrivacy>>,
    /// Most rows in one answer or transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<NonZeroU64>,
    /// Most requests in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_min: Option<NonZeroU32>,
    /// Most that one party may have in a day or a month.
    #[serde(skip_serializing_if = "Quota::is_empty")]
    pub quota: Quota,
    /// Rows leave only once the time in this column is so many hours past, at most 87 600; a row without that time does
    /// not leave.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub delay_hours: BTreeMap<Column, NonZeroU32>,
    /// Days after which the consumer deletes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<NonZeroU32>,
    /// The copy is marked for its recipient.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub watermark: bool,
    /// The consumer must not pass it on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_onward: bool,
    /// Who is told.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub notify: BTreeSet<RoleName>,
    /// Who must approve before anything leaves; while one of them has not, the permit is pending.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub approval: BTreeSet<RoleName>,
    /// 0 as the line has it (always mutual TLS), 1 said so, 2 also at rest at the consumer, 3 to the recipient's key.
    #[serde(skip_serializing_if = "Level::is_zero")]
    pub encrypt: Level,
    /// 0 the ordinary record, 1 each answer, 2 each request with its query, 3 also shown to the inspector.
    #[serde(skip_serializing_if = "Level::is_zero")]
    pub audit: Level,
}

/// Aggregates only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// A group with fewer subjects than this is withheld.
    pub k: GroupSize,
    /// The only columns one may group by; `None` means any column that may leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<BTreeSet<Column>>,
    /// What counts as one subject; empty means each row is one. More than one after a join cannot be delivered.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub subject: BTreeSet<CountedBy>,
    /// A cell whose so many largest contributors make up more than this share of it is withheld.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique_map")]
    pub dominance: BTreeMap<Largest, Share>,
    /// A cell whose second largest contributor can tell the largest to within so many percent is withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_percent: Option<PPercent>,
    /// Counts and sums move by a noise that belongs to their cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseLevel>,
    /// Counts and sums are rounded to multiples of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<RoundBase>,
}

/// What counts as one subject of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// Distinct values of this column.
    Key(Column),
    /// The sum of this column, which already holds numbers of people.
    Count(Column),
}

/// Smallest group that may be shown: 2 to 1 000 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct GroupSize(u32);

impl GroupSize {
    /// The number of subjects.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for GroupSize {
    type Error = String;
    fn try_from(k: u32) -> Result<Self, String> {
        let good = (2..=1_000_000).contains(&k);
        good.then_some(Self(k))
            .ok_or_else(|| format!("`{k}` subjects in a group: give 2 to 1000000 (one hides nobody)"))
    }
}

impl From<GroupSize> for u32 {
    fn from(k: GroupSize) -> Self {
        k.0
    }
}

/// A level from 0 to 3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Level(u8);

impl Level {
    /// The level.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<u8> for Level {
    type Error = String;
    fn try_from(level: u8) -> Result<Self, String> {
        (level <= 3)
            .then_some(Self(level))
            .ok_or_else(|| format!("level `{level}` is not known: give 0 to 3"))
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level.0
    }
}

/// Someone with a role: `dpo`, `dpo@provider`; 1 to 64 of `a-z 0-9 @ . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleName(String);

impl RoleName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoleName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "@._-".contains(c);
        if (1..=64).contains(&name.len()) && name.chars().all(plain) {
            return Ok(Self(name));
        }
        Err(format!("`{}` is not a role: use 1 to 64 of a-z 0-9 @ . _ -", crate::ids::shown(&name)))
    }
}

impl From<RoleName> for String {
    fn from(role: RoleName) -> Self {
        role.0
    }
}

impl Obligations {
    /// The least set that is at least as strict as both.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self {
            columns: narrower(&self.columns, &other.columns),
            mask: stronger(&self.mask, &other.mask),
            row_filter: &self.row_filter | &other.row_filter,
            aggregate: disclosure::either(&self.aggregate, &other.aggregate, Aggregate::join),
            differential_privacy: disclosure::either(
                &self.differential_privacy,
                &other.differential_privacy,
                |a, b| Box::new(a.join(b)),
            ),
            max_rows: least(self.max_rows, other.max_rows),
            rate_per_min: least(self.rate_per_min, other.rate_per_min),
            quota: self.quota.join(&other.quota),
            delay_hours: longer(&self.delay_hours, &other.delay_hours),
            retention_days: least(self.retention_days, other.retention_days),
            watermark: self.watermark || other.watermark,
            no_onward: self.no_onward || other.no_onward,
            notify: &self.notify | &other.notify,
            approval: &self.approval | &other.approval,
            encrypt: self.encrypt.max(other.encrypt),
            audit: self.audit.max(other.audit),
        }
    }

    /// True when these are at least as strict as `other`.
    #[must_use]
    pub fn at_least(&self, other: &Self) -> bool {
        self.join(other) == *self
    }

    /// False when nothing could leave under these: no column is left, the ways to count subjects disagree, or differential
    /// privacy is asked of figures that carry other noise too, or within bounds that contain no value. Differential privacy
    /// without `aggregate` cannot be kept either; another rule may add it, so it is for the node to see.
    #[must_use]
    pub fn deliverable(&self) -> bool {
        let dropped = |column: &Column| self.mask.get(column) == Some(&Mask::Drop);
        let column_left = self.columns.as_ref().is_none_or(|columns| !columns.iter().all(dropped));
        let private = self.differential_privacy.as_ref().is_none_or(|private| {
            private.deliverable() && self.aggregate.as_ref().is_none_or(|a| a.noise.is_none())
        });
        column_left && private && self.aggregate.as_ref().is_none_or(|aggregate| aggregate.subject.len() <= 1)
    }

    /// SHA-256 of the RFC 8785 form: what the exchange envelope carries.
    ///
    /// # Errors
    /// [`CanonError`] when the value has no canonical form; no value read from a file does that.
    pub fn digest(&self) -> Result<Digest, CanonError> {
        Digest::of_canonical(self)
    }
}

impl Aggregate {
    fn join(&self, other: &Self) -> Self {
        Self {
            k: self.k.max(other.k),
            group_by: narrower(&self.group_by, &other.group_by),
            subject: &self.subject | &other.subject,
            dominance: disclosure::dominance(&self.dominance, &other.dominance),
            p_percent: self.p_percent.max(other.p_percent),
            noise: disclosure::either(&self.noise, &other.noise, |a, b| a.join(*b)),
            round: self.round.max(other.round),
        }
    }

    /// Only groups of this size, and nothing else asked.
    #[must_use]
    pub fn of_size(k: GroupSize) -> Self {
        Self {
            k,
            group_by: None,
            subject: BTreeSet::new(),
            dominance: BTreeMap::new(),
            p_percent: None,
            noise: None,
            round: None,
        }
    }
}

fn narrower(a: &Option<BTreeSet<Column>>, b: &Option<BTreeSet<Column>>) -> Option<BTreeSet<Column>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & b),
        (one, other) => one.clone().or_else(|| other.clone()),
    }
}

fn stronger(a: &BTreeMap<Column, Mask>, b: &BTreeMap<Column, Mask>) -> BTreeMap<Column, Mask> {
    let mut all = a.clone();
    for (column, mask) in b {
        let joined = all.get(column).map_or_else(|| mask.clone(), |before| before.join(mask));
        all.insert(column.clone(), joined);
    }
    all
}

fn longer(
    a: &BTreeMap<Column, NonZeroU32>,
    b: &BTreeMap<Column, NonZeroU32>,
) -> BTreeMap<Column, NonZeroU32> {
    let mut all = a.clone();
    for (column, hours) in b {
        all.entry(column.clone()).and_modify(|own| *own = (*own).max(*hours)).or_insert(*hours);
    }
    all
}

fn least<T: Ord + Copy>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// An obligation set as a file has it. `aggregate_k: 10` is short for `aggregate: {"k": 10}`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Wire {
    columns: Option<Vec<Column>>,
    mask: UniqueMap<Column, Mask>,
    row_filter: Vec<Predicate>,
    aggregate: Option<Aggregate>,
    aggregate_k: Option<GroupSize>,
    differential_privacy: Option<Box<DifferentialPrivacy>>,
    max_rows: Option<NonZeroU64>,
    rate_per_min: Option<NonZeroU32>,
    quota: UniqueMap<Measure, NonZeroU64>,
    delay_hours: UniqueMap<Column, NonZeroU32>,
    retention_days: Option<NonZeroU32>,
    watermark: bool,
    no_onward: bool,
    notify: Vec<RoleName>,
    approval: Vec<RoleName>,
    encrypt: Level,
    audit: Level,
}

impl TryFrom<Wire> for Obligations {
    type Error = String;
    fn try_from(wire: Wire) -> Result<Self, String> {
        wire.within_limits()?;
        let aggregate = match (wire.aggregate, wire.aggregate_k) {
            (Some(_), Some(_)) => return Err("both `aggregate` and `aggregate_k` are given: keep one".into()),
            (None, Some(k)) => Some(Aggregate::of_size(k)),
            (long, None) => long,
        };
        Ok(Self {
            columns: wire.columns.map(BTreeSet::from_iter),
            mask: wire.mask.0,
            row_filter: wire.row_filter.into_iter().collect(),
            aggregate,
            differential_privacy: wire.differential_privacy,
            max_rows: wire.max_rows,
            rate_per_min: wire.rate_per_min,
            quota: Quota::new(wire.quota.0),
            delay_hours: wire.delay_hours.0,
            retention_days: wire.retention_days,
            watermark: wire.watermark,
            no_onward: wire.no_onward,
            notify: wire.notify.into_iter().collect(),
            approval: wire.approval.into_iter().collect(),
            encrypt: wire.encrypt,
            audit: wire.audit,
        })
    }
}

impl Wire {
    fn within_limits(&self) -> Result<(), String> {
        let group_by = self.aggregate.as_ref().and_then(|a| a.group_by.as_ref()).map_or(0, BTreeSet::len);
        let bounds = self.differential_privacy.as_ref().map_or(0, |private| private.bounds.len());
        let sizes = [
            ("columns", self.columns.as_ref().map_or(0, Vec::len), COLUMNS_MAX),
            ("mask", self.mask.0.len(), COLUMNS_MAX),
            ("delay_hours", self.delay_hours.0.len(), COLUMNS_MAX),
            ("aggregate.group_by", group_by, COLUMNS_MAX),
            ("differential_privacy.bounds", bounds, COLUMNS_MAX),
            ("row_filter", self.row_filter.len(), PREDICATES_MAX),
            ("notify", self.notify.len(), ROLES_MAX),
            ("approval", self.approval.len(), ROLES_MAX),
        ];
        if let Some((k, noise)) = self.aggregate.as_ref().and_then(|a| Some((a.k, a.noise?)))
            && u32::from(noise.counts()) >= k.get()
        {
            return Err(format!(
                "`aggregate.noise.counts` {} is not below `aggregate.k` {}: a small group could be shown as empty",
                noise.counts(),
                k.get()
            ));
        }
        if self.differential_privacy.as_ref().is_some_and(|private| private.budget.is_empty()) {
            return Err(
                "`differential_privacy.budget` is empty: give one for `day`, `month` or `year`".into()
            );
        }
        match sizes.iter().find(|(_, size, max)| size > max) {
            Some((name, size, max)) => Err(format!("`{name}` has {size} entries, at most {max} are allowed")),
            None => self.delays_within_limits(),
        }
    }

    fn delays_within_limits(&self) -> Result<(), String> {
        match self.delay_hours.0.iter().find(|(_, hours)| hours.get() > DELAY_HOURS_MAX) {
            Some((column, hours)) => Err(format!(
                "`delay_hours` holds column `{column}` back for {hours} hours: give at most {DELAY_HOURS_MAX} (ten \
                 years), or leave the column out of `columns`"
            )),
            None => Ok(()),
        }
    }
}
