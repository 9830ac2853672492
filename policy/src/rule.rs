//! One rule of the rule set, typed column by column, and the links between names.
//!
//! A rule is a box: each column restricts one field of the question by itself, and nothing in it is computed. That is
//! what lets a rule be explained, compared, exported and signed. The same columns are handed to casbin as text.

use serde::{Deserialize, Serialize};

use crate::ids::{ObligationSetId, RuleId};
use crate::minute::Minute;

/// Who stands behind a rule. The most authoritative tier that says anything decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// `00`: the law itself.
    Law,
    /// `10`: a national authority.
    National,
    /// `20`: the agency.
    Agency,
    /// `30`: the owner of the dataset.
    Owner,
}

impl Tier {
    /// All tiers, the most authoritative first.
    pub const ALL: [Self; 4] = [Self::Law, Self::National, Self::Agency, Self::Owner];

    /// The two digits used in files.
    #[must_use]
    pub fn written(self) -> &'static str {
        match self {
            Self::Law => "00",
            Self::National => "10",
            Self::Agency => "20",
            Self::Owner => "30",
        }
    }
}

/// What a rule says when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleEffect {
    /// The request is forbidden. Sorts first: inside a tier a deny wins.
    Deny,
    /// The request is permitted.
    Allow,
}

impl RuleEffect {
    /// The word used in files.
    #[must_use]
    pub fn written(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
        }
    }
}

/// What is asked to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Learn that the dataset exists.
    Discover,
    /// Read its description and contract.
    Metadata,
    /// Ask it a question and get the answer.
    Query,
    /// Take a copy.
    Download,
    /// Get changes as they come.
    Subscribe,
    /// Call a data service.
    Call,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 6] =
        [Self::Discover, Self::Metadata, Self::Query, Self::Download, Self::Subscribe, Self::Call];

    /// The word used in files.
    #[must_use]
    pub fn written(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Metadata => "metadata",
            Self::Query => "query",
            Self::Download => "download",
            Self::Subscribe => "subscribe",
            Self::Call => "call",
        }
    }

    /// Reads the word used in files.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.written() == word)
    }

    /// True when rows or values of the dataset leave, not only its description.
    #[must_use]
    pub fn moves_content(self) -> bool {
        !matches!(self, Self::Discover | Self::Metadata)
    }
}

/// Classification of a dataset: one digit, 0 open to 9 state secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Class(u8);

impl Class {
    /// Open to anyone.
    pub const OPEN: Self = Self(0);
    /// State secret: never in this exchange.
    pub const SECRET: Self = Self(9);

    /// The digit; `None` past 9, for casbin compares it as one character.
    #[must_use]
    pub fn new(digit: u8) -> Option<Self> {
        (digit <= 9).then_some(Self(digit))
    }

    /// The digit.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    /// True for class 0.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::OPEN
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<u8> for Class {
    type Error = String;
    fn try_from(digit: u8) -> Result<Self, String> {
        Self::new(digit).ok_or_else(|| format!("`{digit}` is not a class: give one digit, 0 to 9"))
    }
}

impl From<Class> for u8 {
    fn from(class: Class) -> Self {
        class.0
    }
}

/// A column that takes a name or anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// `*`: any.
    Any,
    /// This name, or what stands under it.
    Name(String),
}

impl Pattern {
    /// As files and casbin have it.
    #[must_use]
    pub fn written(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Name(name) => name,
        }
    }
}

/// A column that takes a value on record: agreement or legal basis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recorded {
    /// `*`: any or none.
    Any,
    /// `+`: some value must be there.
    Some,
    /// `-`: none may be there.
    None,
    /// This value.
    Name(String),
}

impl Recorded {
    /// As files and casbin have it.
    #[must_use]
    pub fn written(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Some => "+",
            Self::None => "-",
            Self::Name(name) => name,
        }
    }

    /// Whether a question with this value (or none) fits.
    #[must_use]
    pub fn fits(&self, asked: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Some => asked.is_some(),
            Self::None => asked.is_none(),
            Self::Name(name) => asked == Some(name),
        }
    }
}

/// One grant or duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id, one of its kind in the whole rule set.
    pub id: RuleId,
    /// Who stands behind it.
    pub tier: Tier,
    /// Who it is about: `*`, agency, person, group or role.
    pub subject: Pattern,
    /// What it is about: `*`, dataset, collection or tag.
    pub object: Pattern,
    /// Which action; `None` is any.
    pub action: Option<Action>,
    /// Which purpose, or a broader one above it.
    pub purpose: Pattern,
    /// Which agreement.
    pub agreement: Recorded,
    /// Which legal basis.
    pub basis: Recorded,
    /// Which network zone.
    pub network: Pattern,
    /// Lowest class it is about.
    pub class_from: Class,
    /// Highest class it is about.
    pub class_to: Class,
    /// From this minute on.
    pub not_before: Minute,
    /// Until before this minute.
    pub expires: Minute,
    /// What it obliges to.
    pub obligations: Option<ObligationSetId>,
    /// Allow or deny. A duty is always an allow.
    pub effect: RuleEffect,
    /// Further conditions on who asks, from where and which way.
    pub when: When,
}

/// How many of casbin's columns [`When`] fills.
pub(crate) const WHEN_COLUMNS: usize = 6;

/// Conditions that most rules leave open. The default is "any".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// Which unit of the asking agency, or what stands above it.
    pub unit: Pattern,
    /// Which role of the person, or what stands above it.
    pub role: Pattern,
    /// Lowest clearance it is about.
    pub clearance_from: Class,
    /// Highest clearance it is about.
    pub clearance_to: Class,
    /// Where the data is used, or what stands above it.
    pub place: Pattern,
    /// Which way the data takes.
    pub route: Pattern,
}

impl Default for When {
    fn default() -> Self {
        Self {
            unit: Pattern::Any,
            role: Pattern::Any,
            clearance_from: Class::OPEN,
            clearance_to: Class::SECRET,
            place: Pattern::Any,
            route: Pattern::Any,
        }
    }
}

impl When {
    /// True when it leaves everything open.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// As the last column of a file has it: `role=ro:doctor clearance=3-9`; blank when everything is open.
    #[must_use]
    pub fn written(&self) -> String {
        let mut parts = Vec::new();
        let mut name = |key: &str, pattern: &Pattern| {
            if let Pattern::Name(name) = pattern {
                parts.push(format!("{key}={name}"));
            }
        };
        name("unit", &self.unit);
        name("role", &self.role);
        name("place", &self.place);
        name("route", &self.route);
        if (self.clearance_from, self.clearance_to) != (Class::OPEN, Class::SECRET) {
            parts.push(format!("clearance={}-{}", self.clearance_from, self.clearance_to));
        }
        parts.join(" ")
    }

    /// The columns as casbin's model names them: `unt rol qlo qhi plc via`.
    fn columns(&self) -> [String; WHEN_COLUMNS] {
        [
            self.unit.written().to_owned(),
            self.role.written().to_owned(),
            self.clearance_from.to_string(),
            self.clearance_to.to_string(),
            self.place.written().to_owned(),
            self.route.written().to_owned(),
        ]
    }
}

impl Rule {
    /// Order in which rules are met: tier, deny first, id.
    #[must_use]
    pub fn order(&self) -> (Tier, RuleEffect, &RuleId) {
        (self.tier, self.effect, &self.id)
    }

    /// The columns of a grant as casbin's model names them:
    /// `id tier sub obj act pur agr bas net clo chi nbf exp obl eft unt rol qlo qhi plc via`.
    #[must_use]
    pub fn grant_row(&self) -> Vec<String> {
        let (mut row, end) = (self.first_columns(), self.last_columns());
        row.extend(
            [self.agreement.written(), self.basis.written(), self.network.written()].map(str::to_owned),
        );
        row.extend(end);
        row.extend(self.when.columns());
        row
    }

    /// The columns of a duty: `id tier sub obj act pur clo chi nbf exp obl eft unt rol qlo qhi plc via`.
    #[must_use]
    pub fn duty_row(&self) -> Vec<String> {
        let mut row = self.first_columns();
        row.extend(self.last_columns());
        row.extend(self.when.columns());
        row
    }

    fn first_columns(&self) -> Vec<String> {
        let action = self.action.map_or("*", Action::written);
        [
            self.id.as_str(),
            self.tier.written(),
            self.subject.written(),
            self.object.written(),
            action,
            self.purpose.written(),
        ]
        .map(str::to_owned)
        .into()
    }

    fn last_columns(&self) -> [String; 6] {
        [
            self.class_from.to_string(),
            self.class_to.to_string(),
            self.not_before.to_string(),
            self.expires.to_string(),
            self.obligations.as_ref().map_or("-", RuleId::as_str).to_owned(),
            self.effect.written().to_owned(),
        ]
    }
}

/// Which of the link sections a link stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum LinkKind {
    /// `g`: agency, person, unit, group or role to group, unit or role.
    #[serde(rename = "g")]
    Subject,
    /// `g2`: dataset, collection or tag to collection or tag.
    #[serde(rename = "g2")]
    Object,
    /// `g3`: purpose to broader purpose.
    #[serde(rename = "g3")]
    Purpose,
    /// `g4`: place to broader place.
    #[serde(rename = "g4")]
    Place,
}

impl LinkKind {
    /// The section's name in files.
    #[must_use]
    pub fn written(self) -> &'static str {
        match self {
            Self::Subject => "g",
            Self::Object => "g2",
            Self::Purpose => "g3",
            Self::Place => "g4",
        }
    }
}

/// `from` stands under `to`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Link {
    /// Section.
    pub kind: LinkKind,
    /// The narrower name.
    pub from: String,
    /// The broader name.
    pub to: String,
}
