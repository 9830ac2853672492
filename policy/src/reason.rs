//! Reasons for a refusal. A refusal always has a code, a legal basis and plain words; it cannot be built without.
//!
//! Decree 194/2025/ND-CP, Art. 16(2): who refuses to share does so in writing, with the reason and the legal basis.
//! Each citation carries a mark for how far it has been checked; a lawyer confirms it before the mark goes.

use serde::Serialize;

use crate::invariants::Invariants;
use crate::text::{Citation, SourceMark, Text};

/// Why something was refused. The codes are stable: the ledger and peers hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ReasonCode {
    /// The asking party is not an active member.
    #[serde(rename = "INV-PARTY")]
    Party,
    /// No such dataset.
    #[serde(rename = "INV-DATASET")]
    Dataset,
    /// The dataset's record contradicts itself.
    #[serde(rename = "INV-RECORD")]
    Record,
    /// State secret.
    #[serde(rename = "INV-SECRET")]
    Secret,
    /// The agreement is not in force for this consumer and dataset.
    #[serde(rename = "INV-AGREEMENT")]
    Agreement,
    /// Personal data without a legal basis.
    #[serde(rename = "INV-BASIS")]
    Basis,
    /// No purpose, or one outside the agreement.
    #[serde(rename = "INV-PURPOSE")]
    Purpose,
    /// Special-request data without an agreement.
    #[serde(rename = "INV-SPECIAL")]
    Special,
    /// Sensitive data without an impact assessment.
    #[serde(rename = "INV-DPIA")]
    Dpia,
    /// Abroad without a dossier.
    #[serde(rename = "INV-XBORDER")]
    CrossBorder,
    /// Consent as basis, but no way to keep to it.
    #[serde(rename = "INV-CONSENT")]
    Consent,
    /// A rule forbids it.
    #[serde(rename = "RULE-DENIES")]
    RuleDenies,
    /// Nothing permits it.
    #[serde(rename = "NO-RULE")]
    NoRule,
    /// Permitted, but the obligations leave nothing to deliver.
    #[serde(rename = "OBLIGATION-CONFLICT")]
    ObligationConflict,
    /// Permitted, but the quota is used up.
    #[serde(rename = "QUOTA")]
    Quota,
    /// More rules or facts than one question may have.
    #[serde(rename = "LIMIT")]
    Limit,
    /// The time of the question is outside what rules can hold.
    #[serde(rename = "CLOCK")]
    Clock,
    /// The rule engine failed.
    #[serde(rename = "ENGINE-ERROR")]
    Engine,
}

impl ReasonCode {
    /// All codes.
    pub const ALL: [Self; 18] = [
        Self::Party,
        Self::Dataset,
        Self::Record,
        Self::Secret,
        Self::Agreement,
        Self::Basis,
        Self::Purpose,
        Self::Special,
        Self::Dpia,
        Self::CrossBorder,
        Self::Consent,
        Self::RuleDenies,
        Self::NoRule,
        Self::ObligationConflict,
        Self::Quota,
        Self::Limit,
        Self::Clock,
        Self::Engine,
    ];

    /// The code as the ledger, peers and people see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Party => "INV-PARTY",
            Self::Dataset => "INV-DATASET",
            Self::Record => "INV-RECORD",
            Self::Secret => "INV-SECRET",
            Self::Agreement => "INV-AGREEMENT",
            Self::Basis => "INV-BASIS",
            Self::Purpose => "INV-PURPOSE",
            Self::Special => "INV-SPECIAL",
            Self::Dpia => "INV-DPIA",
            Self::CrossBorder => "INV-XBORDER",
            Self::Consent => "INV-CONSENT",
            Self::RuleDenies => "RULE-DENIES",
            Self::NoRule => "NO-RULE",
            Self::ObligationConflict => "OBLIGATION-CONFLICT",
            Self::Quota => "QUOTA",
            Self::Limit => "LIMIT",
            Self::Clock => "CLOCK",
            Self::Engine => "ENGINE-ERROR",
        }
    }

    /// True when the reason lies in the asker or this node and says nothing about the dataset.
    #[must_use]
    pub(crate) fn is_about_the_party(self) -> bool {
        matches!(self, Self::Party | Self::Clock)
    }

    /// The refusal with this code's standing citation and words.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        self.refusal_under(Invariants::Vn)
    }

    /// The same with the citation and words of a legal order.
    #[must_use]
    pub(crate) fn refusal_under(self, law: Invariants) -> Refusal {
        let (legal_basis, text) = match law {
            Invariants::Vn => standing(self),
            Invariants::Eu => crate::reason_eu::standing(self),
        };
        Refusal { code: self, legal_basis, text }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: code, legal basis and plain words. There is no way to have one without all three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    code: ReasonCode,
    legal_basis: Citation,
    text: Text,
}

impl Refusal {
    /// A refusal in the rule set's own words.
    pub(crate) fn in_words(code: ReasonCode, legal_basis: Citation, text: Text) -> Self {
        Self { code, legal_basis, text }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> ReasonCode {
        self.code
    }

    /// The legal basis.
    #[must_use]
    pub fn legal_basis(&self) -> &Citation {
        &self.legal_basis
    }

    /// Plain words.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.text
    }
}

pub(crate) const fn cite(vi: &'static str, en: &'static str, mark: SourceMark) -> Citation {
    Citation::new(Text::fixed(vi, en), mark)
}

const SHARING_DECREE: Citation = cite(
    "Nghị định 47/2020/NĐ-CP về quản lý, kết nối và chia sẻ dữ liệu số của cơ quan nhà nước",
    "Decree 47/2020/ND-CP on managing, connecting and sharing digital data of state agencies",
    SourceMark::Primary,
);
const REASONED_REFUSAL: Citation = cite(
    "Nghị định 194/2025/NĐ-CP, Điều 16 khoản 2 (từ chối chia sẻ phải bằng văn bản, nêu rõ lý do và căn cứ)",
    "Decree 194/2025/ND-CP, Art. 16(2) (a refusal to share is in writing, with reason and legal basis)",
    SourceMark::Primary,
);
const SPECIAL_SHARING: Citation = cite(
    "Nghị định 47/2020/NĐ-CP, quy định về chia sẻ dữ liệu theo yêu cầu đặc thù",
    "Decree 47/2020/ND-CP, provisions on sharing on special request",
    SourceMark::Memory,
);

/// Citation and words that stand for a code when the rule set has none of its own.
fn standing(code: ReasonCode) -> (Citation, Text) {
    match code {
        ReasonCode::Party
        | ReasonCode::Dataset
        | ReasonCode::Record
        | ReasonCode::Secret
        | ReasonCode::Agreement
        | ReasonCode::Special => standing_sharing(code),
        ReasonCode::Basis
        | ReasonCode::Purpose
        | ReasonCode::Dpia
        | ReasonCode::CrossBorder
        | ReasonCode::Consent => standing_personal(code),
        _ => standing_rules(code),
    }
}

fn standing_sharing(code: ReasonCode) -> (Citation, Text) {
    match code {
        ReasonCode::Party => (
            SHARING_DECREE,
            Text::fixed(
                "Cơ quan yêu cầu không phải là thành viên đang hoạt động trong sổ thành viên.",
                "The asking agency is not an active member of the registry.",
            ),
        ),
        ReasonCode::Record => (
            cite(
                "Luật Dữ liệu 60/2024/QH15, Điều 13 khoản 2 (phân loại dữ liệu)",
                "Law on Data 60/2024/QH15, Art. 13(2) (classification of data)",
                SourceMark::Secondary,
            ),
            Text::fixed(
                "Hồ sơ phân loại của bộ dữ liệu mâu thuẫn với nhóm hoặc nhãn của nó; cần sửa danh mục trước khi chia sẻ.",
                "The dataset's classification contradicts its collections or tags; the catalog must be repaired first.",
            ),
        ),
        ReasonCode::Secret => (
            cite(
                "Nghị định 47/2020/NĐ-CP, Điều 1 khoản 2 (không áp dụng cho dữ liệu thuộc bí mật nhà nước)",
                "Decree 47/2020/ND-CP, Art. 1(2) (does not cover state secrets)",
                SourceMark::Primary,
            ),
            Text::fixed(
                "Bí mật nhà nước không được chia sẻ qua hệ thống này.",
                "State secrets are outside this exchange.",
            ),
        ),
        ReasonCode::Agreement => (
            cite(
                "Nghị định 356/2025/NĐ-CP, Điều 7 khoản 1 (thoả thuận chuyển giao dữ liệu)",
                "Decree 356/2025/ND-CP, Art. 7(1) (the agreement on a data transfer)",
                SourceMark::Secondary,
            ),
            Text::fixed(
                "Thoả thuận không có hiệu lực cho cơ quan và bộ dữ liệu này, hoặc chưa đủ chữ ký của hai bên.",
                "The agreement is not in force for this agency and dataset, or lacks the signatures of both parties.",
            ),
        ),
        ReasonCode::Special => (
            SPECIAL_SHARING,
            Text::fixed(
                "Dữ liệu chia sẻ theo yêu cầu đặc thù cần có thoả thuận do hai bên ký.",
                "Data shared on special request needs an agreement signed by both parties.",
            ),
        ),
        _ => (
            SHARING_DECREE,
            Text::fixed(
                "Không có bộ dữ liệu này trong danh mục.",
                "There is no such dataset in the catalog.",
            ),
        ),
    }
}

fn standing_personal(code: ReasonCode) -> (Citation, Text) {
    let law = |vi, en| cite(vi, en, SourceMark::Secondary);
    match code {
        ReasonCode::Basis => (
            law(
                "Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15, Điều 9 và Điều 19",
                "Law on Personal Data Protection 91/2025/QH15, Art. 9 and 19",
            ),
            Text::fixed(
                "Dữ liệu cá nhân chỉ được chia sẻ khi có căn cứ pháp lý được ghi nhận.",
                "Personal data may be shared only on a legal basis on record.",
            ),
        ),
        ReasonCode::Dpia => (
            law(
                "Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15, Điều 21 (đánh giá tác động)",
                "Law on Personal Data Protection 91/2025/QH15, Art. 21 (impact assessment)",
            ),
            Text::fixed(
                "Dữ liệu cá nhân nhạy cảm cần có hồ sơ đánh giá tác động, hoặc quyết định miễn, được ghi trong thoả thuận.",
                "Sensitive personal data needs an impact assessment, or an exemption, on record with the agreement.",
            ),
        ),
        ReasonCode::CrossBorder => (
            law(
                "Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15, Điều 20; Nghị định 165/2025/NĐ-CP",
                "Law on Personal Data Protection 91/2025/QH15, Art. 20; Decree 165/2025/ND-CP",
            ),
            Text::fixed(
                "Bên nhận ở nước ngoài: cần hồ sơ đánh giá tác động chuyển dữ liệu ra nước ngoài hoặc sự chấp thuận.",
                "The recipient is abroad: a filed cross-border transfer dossier, or an approval, is needed.",
            ),
        ),
        ReasonCode::Consent => (
            law(
                "Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15, Điều 4 và Điều 9; Nghị định 356/2025/NĐ-CP, Điều 5",
                "Law on Personal Data Protection 91/2025/QH15, Art. 4 and 9; Decree 356/2025/ND-CP, Art. 5",
            ),
            Text::fixed(
                "Căn cứ là sự đồng ý, nhưng bộ dữ liệu không cho biết ai đã đồng ý.",
                "The basis is consent, but the dataset does not say who has consented.",
            ),
        ),
        _ => (
            law(
                "Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15, Điều 3 (đúng mục đích)",
                "Law on Personal Data Protection 91/2025/QH15, Art. 3 (bound to the purpose)",
            ),
            Text::fixed(
                "Cần nêu mục đích sử dụng, và mục đích phải nằm trong thoả thuận.",
                "A purpose must be stated, and it must lie within the agreement.",
            ),
        ),
    }
}

fn standing_rules(code: ReasonCode) -> (Citation, Text) {
    let text = match code {
        ReasonCode::RuleDenies => Text::fixed(
            "Một quy tắc của bên cung cấp không cho phép yêu cầu này.",
            "A rule of the provider forbids this request.",
        ),
        ReasonCode::NoRule => {
            Text::fixed("Không có quy tắc nào cho phép yêu cầu này.", "No rule permits this request.")
        }
        ReasonCode::ObligationConflict => Text::fixed(
            "Các nghĩa vụ áp dụng không để lại dữ liệu nào có thể cung cấp.",
            "The obligations that apply leave nothing to deliver.",
        ),
        ReasonCode::Quota => Text::fixed(
            "Yêu cầu được phép, nhưng hạn mức của kỳ này đã dùng hết; hãy thử lại ở kỳ sau hoặc xin nâng hạn mức.",
            "The request is permitted, but this period's quota is used up; try again in the next one or ask for a higher quota.",
        ),
        ReasonCode::Limit => Text::fixed(
            "Yêu cầu chạm quá nhiều quy tắc hoặc nhãn; bên cung cấp cần sửa bộ quy tắc. Hãy liên hệ bên cung cấp.",
            "The request touches too many rules or tags; the provider must repair its rule set. Ask the provider.",
        ),
        ReasonCode::Clock => Text::fixed(
            "Thời điểm của yêu cầu không hợp lệ; hãy kiểm tra đồng hồ của nút.",
            "The time of the request is not valid; check the node's clock.",
        ),
        _ => Text::fixed(
            "Nút không xét được yêu cầu nên từ chối; hãy thử lại hoặc liên hệ bên cung cấp.",
            "The node could not judge the request and so refuses; try again or ask the provider.",
        ),
    };
    (REASONED_REFUSAL, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_basis_and_words_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for (law, code) in [Invariants::Vn, Invariants::Eu]
            .into_iter()
            .flat_map(|law| ReasonCode::ALL.map(|code| (law, code)))
        {
            let refusal = code.refusal_under(law);
            let text = Text::new(refusal.text().vi(), refusal.text().en()).unwrap();
            let basis =
                Text::new(refusal.legal_basis().text().vi(), refusal.legal_basis().text().en()).unwrap();
            assert!(
                seen.insert((law.version(), text.en().to_owned())),
                "{code} has the words of another code"
            );
            assert_ne!(basis.vi(), basis.en());
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn the_json_of_a_refusal_is_stable() {
        let json = serde_json::to_string(&ReasonCode::Secret.refusal()).unwrap();
        assert!(
            json.starts_with(r#"{"code":"INV-SECRET","legal_basis":{"vi":"Nghị định 47/2020/NĐ-CP"#),
            "{json}"
        );
        assert!(json.contains(r#""mark":"P"},"text":{"vi":"Bí mật"#), "{json}");
    }
}
