//! Citations and words of refusals under European law, for the invariants `eu/1`.
//!
//! Nothing here was held against the primary texts: GDPR is from memory (M), the Data Governance Act from a secondary
//! source (S), as each citation says.

use crate::reason::{ReasonCode, cite};
use crate::text::{Citation, SourceMark, Text};

/// Citation and words that stand for a code when the rule set has none of its own.
pub(crate) fn standing(code: ReasonCode) -> (Citation, Text) {
    (basis(code), words(code))
}

fn basis(code: ReasonCode) -> Citation {
    let gdpr = |vi, en| cite(vi, en, SourceMark::Memory);
    match code {
        ReasonCode::Secret => gdpr(
            "Quy định (EU) 2022/868 (Đạo luật quản trị dữ liệu), Điều 3 khoản 2 (ngoài phạm vi: an ninh, quốc phòng)",
            "Regulation (EU) 2022/868 (Data Governance Act), Art. 3(2) (outside its scope: security, defence)",
        ),
        ReasonCode::Agreement => gdpr(
            "Quy định (EU) 2016/679 (GDPR), Điều 26 và Điều 28 khoản 3 (thoả thuận giữa các bên)",
            "Regulation (EU) 2016/679 (GDPR), Art. 26 and 28(3) (the arrangement between the parties)",
        ),
        ReasonCode::Basis => gdpr(
            "Quy định (EU) 2016/679 (GDPR), Điều 6 khoản 1 và, với loại dữ liệu đặc biệt, Điều 9 khoản 2",
            "Regulation (EU) 2016/679 (GDPR), Art. 6(1) and, for special categories, Art. 9(2)",
        ),
        ReasonCode::Purpose => gdpr(
            "Quy định (EU) 2016/679 (GDPR), Điều 5 khoản 1 điểm b (giới hạn mục đích)",
            "Regulation (EU) 2016/679 (GDPR), Art. 5(1)(b) (purpose limitation)",
        ),
        ReasonCode::Consent => gdpr(
            "Quy định (EU) 2016/679 (GDPR), Điều 7 (điều kiện của sự đồng ý)",
            "Regulation (EU) 2016/679 (GDPR), Art. 7 (conditions for consent)",
        ),
        ReasonCode::Dpia => gdpr(
            "Quy định (EU) 2016/679 (GDPR), Điều 35 (đánh giá tác động)",
            "Regulation (EU) 2016/679 (GDPR), Art. 35 (impact assessment)",
        ),
        ReasonCode::CrossBorder => gdpr(
            "Quy định (EU) 2016/679 (GDPR), Điều 44 đến 49 (chuyển dữ liệu ra ngoài EEA)",
            "Regulation (EU) 2016/679 (GDPR), Art. 44 to 49 (transfers out of the EEA)",
        ),
        _ => cite(
            "Quy định (EU) 2022/868 (Đạo luật quản trị dữ liệu), Điều 5 (điều kiện sử dụng lại công khai, không phân biệt, tương xứng)",
            "Regulation (EU) 2022/868 (Data Governance Act), Art. 5 (public, non-discriminatory, proportionate conditions of re-use)",
            SourceMark::Secondary,
        ),
    }
}

fn words(code: ReasonCode) -> Text {
    match code {
        ReasonCode::Secret => Text::fixed(
            "Thông tin mật không được chia sẻ qua hệ thống này.",
            "Classified information is outside this exchange.",
        ),
        ReasonCode::Basis => Text::fixed(
            "Dữ liệu cá nhân chỉ được chia sẻ khi có căn cứ theo Điều 6; loại dữ liệu đặc biệt cần căn cứ theo Điều 9.",
            "Personal data may be shared only on a ground of Art. 6; special categories need one of Art. 9.",
        ),
        ReasonCode::Special => Text::fixed(
            "Dữ liệu được bảo vệ chỉ được sử dụng lại theo thoả thuận do hai bên ký.",
            "Protected data may be re-used only under an agreement signed by both parties.",
        ),
        ReasonCode::Dpia => Text::fixed(
            "Loại dữ liệu đặc biệt cần có đánh giá tác động được ghi trong thoả thuận.",
            "Special categories need an impact assessment on record with the agreement.",
        ),
        ReasonCode::CrossBorder => Text::fixed(
            "Bên nhận ở ngoài EEA: cần quyết định công nhận, biện pháp bảo đảm hoặc ngoại lệ được ghi nhận.",
            "The recipient is outside the EEA: an adequacy decision, safeguards or a derogation must be on record.",
        ),
        // These say nothing of a country's law.
        other => other.refusal().text().clone(),
    }
}
