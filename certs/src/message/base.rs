//! Signature bases (RFC 9421 §2.5), for any list of components.
//!
//! The profile is not decided here: this is the part that the RFC's own test vectors exercise.

use http::HeaderMap;
use http::header::HeaderName;

/// Lines of a signature base in the making.
#[derive(Debug, Default)]
pub(super) struct BaseBuilder {
    lines: String,
    identifiers: Vec<&'static str>,
}

impl BaseBuilder {
    /// Adds a component by its serialized identifier (with quotation marks and parameters) and its value.
    pub(super) fn line(&mut self, identifier: &'static str, value: &str) -> &mut Self {
        self.lines.push_str(identifier);
        self.lines.push_str(": ");
        self.lines.push_str(value);
        self.lines.push('\n');
        self.identifiers.push(identifier);
        self
    }

    /// Closes the base; `tail` are the serialized parameters, beginning with `;`.
    pub(super) fn finish(self, tail: &str) -> SignatureBase {
        let params = format!("({}){tail}", self.identifiers.join(" "));
        let text = format!("{}\"@signature-params\": {params}", self.lines);
        SignatureBase { text, params }
    }
}

/// What is signed, and the member value of `signature-input` that describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignatureBase {
    /// The bytes to sign; no line feed at the end.
    pub(super) text: String,
    /// The inner list with its parameters.
    pub(super) params: String,
}

/// The combined value of a field (RFC 9421 §2.1): every line trimmed, joined with a comma and a space.
/// `None` if the field is absent or a line is not visible ASCII.
pub(super) fn combined_field(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Option<Vec<_>> =
        headers.get_all(name).iter().map(|v| v.to_str().ok().map(str::trim)).collect();
    lines.filter(|lines| !lines.is_empty()).map(|lines| lines.join(", "))
}
