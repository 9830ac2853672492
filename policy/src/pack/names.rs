//! The closed words of a matrix: features of the node, jobs of the clock, names of tests, kinds of evidence.

use serde::{Deserialize, Serialize};

use crate::ids::{RuleId, shown};
use crate::reason::ReasonCode;
use crate::text::Text;

/// Something that the node does whatever the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// A refusal has reason code, legal basis and plain words in two languages, or cannot be made.
    ReasonedRefusal,
    /// What was asked and answered stands in an append-only log that both sides hold.
    Ledger,
    /// A decision is kept whole and replays.
    DecisionReceipt,
    /// Groups below a size are withheld from aggregates.
    SmallCells,
    /// Columns are left out or masked before anything leaves.
    Masking,
    /// Between nodes: TLS 1.3 with both sides' certificates.
    EncryptedTransport,
    /// What opens the commitments of an entry can be destroyed, and that is an entry.
    Erasure,
    /// Who reads the ledger stands in the ledger.
    ReadRecord,
    /// An agreement is signed by both parties before anything moves under it.
    SignedAgreement,
    /// The strict loader: a deny without its legal basis is refused.
    DenyNeedsGround,
    /// Published descriptions say what there is, under which conditions.
    Catalog,
    /// Obligations travel with the data, in a manifest that is signed.
    SignedObligations,
    /// Nothing leaves before a person in the named role has agreed.
    Approval,
    /// Every row of a copy names its recipient.
    Watermark,
    /// What was received has a date, people are reminded of it, and its erasure is an entry.
    Retention,
}

/// Something that is kept by looking at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Requests without an answer are held against two working days.
    AnswerDeadline,
}

impl Feature {
    /// All features.
    pub const ALL: [Self; 15] = [
        Self::ReasonedRefusal,
        Self::Ledger,
        Self::DecisionReceipt,
        Self::SmallCells,
        Self::Masking,
        Self::EncryptedTransport,
        Self::Erasure,
        Self::ReadRecord,
        Self::SignedAgreement,
        Self::DenyNeedsGround,
        Self::Catalog,
        Self::SignedObligations,
        Self::Approval,
        Self::Watermark,
        Self::Retention,
    ];

    /// For people.
    #[must_use]
    pub fn words(self) -> Text {
        let (vi, en) = match self {
            Self::ReasonedRefusal => ("từ chối có lý do và căn cứ", "refusal with reason and legal basis"),
            Self::Ledger => ("sổ chỉ ghi thêm", "append-only ledger"),
            Self::DecisionReceipt => ("biên nhận quyết định", "decision receipt"),
            Self::SmallCells => ("che nhóm nhỏ", "small groups withheld"),
            Self::Masking => ("che cột", "masked columns"),
            Self::EncryptedTransport => ("kênh truyền mã hoá hai chiều", "mutually authenticated encryption"),
            Self::Erasure => ("huỷ khoá mở", "erasure"),
            Self::ReadRecord => ("ghi lại người đọc sổ", "readers on record"),
            Self::SignedAgreement => ("thoả thuận hai bên ký", "agreement signed by both"),
            Self::DenyNeedsGround => ("quy tắc cấm phải có căn cứ", "a deny needs its legal basis"),
            Self::Catalog => ("danh mục", "catalog"),
            Self::SignedObligations => ("nghĩa vụ đi kèm có chữ ký", "signed obligations"),
            Self::Approval => ("người phê duyệt", "approval by a person"),
            Self::Watermark => ("dấu trên bản sao", "watermark"),
            Self::Retention => ("hạn giữ và nhắc xoá", "time to keep, with reminders"),
        };
        Text::fixed(vi, en)
    }
}

/// A test of the program: `path/of/file.rs::name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TestName {
    file: String,
    name: String,
}

impl TestName {
    /// The source file, from the root of the project.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The function.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl TryFrom<String> for TestName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        match text.split_once("::") {
            Some((file, name))
                if file.ends_with(".rs")
                    && file.chars().all(plain)
                    && !file.contains("..")
                    && !file.starts_with('/')
                    && !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
            {
                Ok(Self { file: file.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("`{}` is no test: write `path/file.rs::name`", shown(&text))),
        }
    }
}

impl From<TestName> for String {
    fn from(test: TestName) -> Self {
        format!("{}::{}", test.file, test.name)
    }
}

/// What of a node's own records counts as evidence that a clause is lived.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Evidence {
    /// `entries:KIND`: entries of the ledger of this kind (`decision`, `exchange`, `audit` …).
    Entries(String),
    /// `refusals:CODE`: decisions in the ledger that refused with this code.
    Refusals(ReasonCode),
    /// `rule:ID`: decisions that this rule made, or took part in, or this duty applied to.
    Rule(RuleId),
    /// `requests:overdue`: requests of others that were not answered within the law's time.
    Overdue,
}

/// Kinds of ledger entries that evidence may count.
const KINDS: [&str; 10] = [
    "exchange",
    "intent",
    "ack",
    "interrupted",
    "decision",
    "policy",
    "audit",
    "erasure",
    "anchor",
    "conflict",
];

impl TryFrom<String> for Evidence {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("entries", kind)) if KINDS.contains(&kind) => Ok(Self::Entries(kind.to_owned())),
            Some(("refusals", word)) => code(word).map(Self::Refusals),
            Some(("rule", id)) => RuleId::parse(id).map(Self::Rule).map_err(|e| e.to_string()),
            Some(("requests", "overdue")) => Ok(Self::Overdue),
            _ => Err(format!(
                "`{}` is no evidence: write entries:KIND ({}), refusals:CODE, rule:ID or requests:overdue",
                shown(&text),
                KINDS.join(", ")
            )),
        }
    }
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entries(kind) => write!(f, "entries:{kind}"),
            Self::Refusals(code) => write!(f, "refusals:{code}"),
            Self::Rule(id) => write!(f, "rule:{id}"),
            Self::Overdue => f.write_str("requests:overdue"),
        }
    }
}

impl From<Evidence> for String {
    fn from(evidence: Evidence) -> Self {
        evidence.to_string()
    }
}

/// Reads a reason code.
pub(crate) fn code(text: &str) -> Result<ReasonCode, String> {
    ReasonCode::ALL
        .into_iter()
        .find(|code| code.as_str() == text)
        .ok_or_else(|| format!("`{}` is no reason code of this version", shown(text)))
}

/// Reads the code of an invariant.
pub(crate) fn invariant(text: &str) -> Result<ReasonCode, String> {
    let code = code(text)?;
    if code.as_str().starts_with("INV-") {
        return Ok(code);
    }
    Err(format!("`{text}` is no invariant: their codes begin with INV-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_and_tests_are_written_as_they_are_read() {
        for text in ["entries:decision", "refusals:INV-SECRET", "rule:VN-NAT-04", "requests:overdue"] {
            assert_eq!(Evidence::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for bad in ["entries:nothing", "refusals:INV-X", "rule:a b", "requests:open", "decision", ""] {
            assert!(Evidence::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        let test = TestName::try_from("policy/src/mask.rs::a_name".to_owned()).unwrap();
        assert_eq!((test.file(), test.name()), ("policy/src/mask.rs", "a_name"));
        for bad in ["../x.rs::a", "/x.rs::a", "x.rs", "x.rs::", "x.txt::a", "x.rs::a b"] {
            assert!(TestName::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_feature_has_its_own_words() {
        let words: std::collections::BTreeSet<String> =
            Feature::ALL.iter().map(|feature| feature.words().en().to_owned()).collect();
        assert_eq!(words.len(), Feature::ALL.len());
    }
}
