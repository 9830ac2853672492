//! Which form an answer has (Protocol 4.01, 8.2.1 and 11.2.12; JSON Format 4.01, 3 and 4).

use crate::error::{Fault, quote};

/// How much an answer says about its own types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Rows, count and link only.
    None,
    /// With the context, from which a client works out the rest.
    #[default]
    Minimal,
    /// With a type at every value that needs one.
    Full,
}

impl Metadata {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Full => "full",
        }
    }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// JSON.
    Json {
        /// What it says about types.
        metadata: Metadata,
        /// Whole numbers of 64 bits as texts, for readers whose numbers are binary64.
        ieee754: bool,
    },
    /// XML; `$metadata` only.
    Xml,
    /// Plain text; `/$count` only.
    Text,
}

/// A form without anything special.
const JSON: Accept = Accept::Json { metadata: Metadata::Minimal, ieee754: false };

impl Accept {
    /// Chooses among `offered`, of which the first is what those get who do not care. `format` is `$format`, which wins over
    /// the field `Accept`.
    ///
    /// # Errors
    /// A [`Fault`] when none of what is wanted is offered.
    pub fn read(accept: Option<&str>, format: Option<&str>, offered: &[Self]) -> Result<Self, Fault> {
        if let Some(format) = format {
            return named(format, offered).ok_or_else(|| none("$format", format, offered));
        }
        let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
            return Ok(default(offered));
        };
        let mut best: Option<(u32, Self)> = None;
        for item in accept.split(',') {
            let weight = weight(item);
            let found = named(item, offered).filter(|_| weight > 0);
            // Of equal wishes the first counts.
            if let Some(found) = found.filter(|_| best.is_none_or(|(most, _)| weight > most)) {
                best = Some((weight, found));
            }
        }
        best.map(|(_, found)| found).ok_or_else(|| none("Accept", accept, offered))
    }

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> String {
        match self {
            Self::Json { metadata, ieee754 } => {
                let ieee754 = if ieee754 { ";IEEE754Compatible=true" } else { "" };
                format!("application/json;odata.metadata={}{ieee754};charset=utf-8", metadata.word())
            }
            Self::Xml => "application/xml;charset=utf-8".to_owned(),
            Self::Text => "text/plain;charset=utf-8".to_owned(),
        }
    }

    fn is_json(self) -> bool {
        matches!(self, Self::Json { .. })
    }
}

fn default(offered: &[Accept]) -> Accept {
    offered.first().copied().unwrap_or(JSON)
}

fn none(target: &str, wanted: &str, offered: &[Accept]) -> Fault {
    let forms: Vec<String> = offered.iter().map(|form| form.media_type()).collect();
    let why = format!("`{}` is not offered here; ask for {}", quote(wanted), forms.join(" or "));
    Fault::not_acceptable(target, why)
}

/// The form that one media type, or one word of `$format`, stands for.
fn named(item: &str, offered: &[Accept]) -> Option<Accept> {
    let mut parts = item.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = offered.iter().any(|form| form.is_json());
    match kind.as_str() {
        "*/*" => Some(default(offered)),
        "application/*" => offered.iter().copied().find(|form| *form != Accept::Text),
        "text/*" | "text/plain" => offered.iter().copied().find(|form| *form == Accept::Text),
        "xml" | "application/xml" => offered.iter().copied().find(|form| *form == Accept::Xml),
        "json" | "application/json" if json => Some(details(parts)),
        _ => None,
    }
}

/// Parameters of the JSON form; those that mean nothing here change nothing.
fn details<'a>(parts: impl Iterator<Item = &'a str>) -> Accept {
    let (mut metadata, mut ieee754) = (Metadata::Minimal, false);
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_ascii_lowercase());
        match (name.as_str(), value.as_str()) {
            ("odata.metadata" | "metadata", "none") => metadata = Metadata::None,
            ("odata.metadata" | "metadata", "full") => metadata = Metadata::Full,
            ("ieee754compatible", "true") => ieee754 = true,
            _ => {}
        }
    }
    Accept::Json { metadata, ieee754 }
}

/// Thousandths of `q`.
fn weight(item: &str) -> u32 {
    let q = item.split(';').skip(1).find_map(|part| part.trim().strip_prefix("q="));
    let Some(q) = q else { return 1_000 };
    let (whole, rest) = q.trim().split_once('.').unwrap_or((q.trim(), ""));
    let thousandths: String = rest.chars().chain("000".chars()).take(3).collect();
    match whole {
        "1" => 1_000,
        "0" => thousandths.parse().unwrap_or(0),
        _ => 0,
    }
}

/// Holds the field `OData-MaxVersion` against what is spoken here.
///
/// # Errors
/// A [`Fault`] for a client that takes less than 4.0.
pub fn version(max_version: Option<&str>) -> Result<(), Fault> {
    match max_version.map(str::trim) {
        None | Some("4.0" | "4.01") => Ok(()),
        Some(other) => {
            let major = other.split('.').next().and_then(|major| major.parse::<u32>().ok());
            if major.is_some_and(|major| major >= 4) {
                return Ok(());
            }
            let why = format!("`{}` is not spoken here; this service speaks OData 4.0", quote(other));
            Err(Fault::bad("OData-MaxVersion", why))
        }
    }
}

/// The page size that the field `Prefer` asks for (Protocol 4.01, 8.2.8.6).
#[must_use]
pub fn max_page_size(prefer: &str) -> Option<u64> {
    prefer.split(',').find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let known = name == "odata.maxpagesize" || name == "maxpagesize";
        known.then(|| value.trim().trim_matches('"').parse().ok()).flatten().filter(|size| *size > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::{Accept, JSON, Metadata, max_page_size, version};

    #[test]
    fn forms_are_chosen_as_programs_ask() {
        let rows = |accept| Accept::read(accept, None, &[JSON]);
        assert_eq!(rows(None), Ok(JSON));
        let power_query = "application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,\
                           application/atomsvc+xml;q=0.8,application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7";
        assert_eq!(rows(Some(power_query)), Ok(JSON));
        assert_eq!(rows(Some("text/html,application/xhtml+xml,*/*;q=0.8")), Ok(JSON));
        assert_eq!(
            rows(Some("application/json;odata.metadata=full;IEEE754Compatible=true")),
            Ok(Accept::Json { metadata: Metadata::Full, ieee754: true })
        );
        assert_eq!(
            rows(Some("application/json;q=0.2, application/json;odata.metadata=none;q=0.3")),
            Ok(Accept::Json { metadata: Metadata::None, ieee754: false })
        );
        assert!(rows(Some("application/atom+xml")).is_err());
        assert!(rows(Some("application/json;q=0")).is_err());
        let metadata = |accept, format| Accept::read(accept, format, &[Accept::Xml, JSON]);
        assert_eq!(metadata(Some("application/xml,application/json;q=0.5"), None), Ok(Accept::Xml));
        assert_eq!(metadata(Some("application/xml"), Some("json")), Ok(JSON));
        assert_eq!(metadata(Some("*/*"), None), Ok(Accept::Xml));
        assert!(metadata(None, Some("atom")).is_err());
        assert_eq!(Accept::read(Some("application/json"), None, &[Accept::Text]).ok(), None);
    }

    #[test]
    fn versions_and_page_sizes_are_read() {
        for good in [None, Some("4.0"), Some("4.01"), Some("5.0")] {
            assert_eq!(version(good), Ok(()));
        }
        for bad in ["3.0", "", "x"] {
            assert!(version(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(max_page_size("return=minimal, odata.maxpagesize=50"), Some(50));
        assert_eq!(max_page_size("maxpagesize=0"), None);
        assert_eq!(max_page_size("respond-async"), None);
    }
}
