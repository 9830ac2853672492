//! What a client can read, and which form of answer it gets (section "Delta Sharing Capabilities Header").

use crate::limits::CAPABILITIES_BYTES_MAX;

/// Name of the header, in questions and answers.
pub const HEADER: &str = "delta-sharing-capabilities";

/// Name of the header with a table's version.
pub const VERSION_HEADER: &str = "delta-table-version";

/// The reader's feature for times without a zone.
const NTZ: &str = "timestampntz";

/// Forms of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The protocol's own lines; every client reads them.
    Parquet,
    /// Actions of a Delta log.
    Delta,
}

impl Form {
    /// The value of the header in the answer.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::Parquet => "responseformat=parquet",
            Self::Delta => "responseformat=delta",
        }
    }
}

/// What a client said of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it reads nothing but the newer form.
    only_delta: bool,
    /// Whether it reads times without a zone in the newer form.
    times: bool,
}

impl Capabilities {
    /// Reads the header. What is not understood is passed over, as clients of later times will say more.
    #[must_use]
    pub fn read(header: Option<&str>) -> Self {
        let mut read = Self::default();
        let Some(header) = header.filter(|header| header.len() <= CAPABILITIES_BYTES_MAX) else {
            return read;
        };
        for part in header.to_ascii_lowercase().split(';') {
            let Some((name, values)) = part.split_once('=') else { continue };
            let has = |wanted: &str| values.split(',').any(|value| value.trim() == wanted);
            match name.trim() {
                "responseformat" => read.only_delta = has("delta") && !has("parquet"),
                "readerfeatures" => read.times = has(NTZ),
                _ => {}
            }
        }
        read
    }

    /// The form of the answer: the older where the client reads it, since nothing of ours needs the newer. None where the
    /// client reads the newer alone and, in it, no times without a zone.
    #[must_use]
    pub fn form(self, has_times: bool) -> Option<Form> {
        match self.only_delta {
            false => Some(Form::Parquet),
            true => (self.times || !has_times).then_some(Form::Delta),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Form};

    fn form(header: &str, has_times: bool) -> Option<Form> {
        Capabilities::read(Some(header)).form(has_times)
    }

    #[test]
    fn the_older_form_is_given_to_all_who_read_it() {
        assert_eq!(Capabilities::read(None).form(false), Some(Form::Parquet));
        for header in
            ["", "responseformat=parquet", "responseFormat=delta,parquet;readerFeatures=deletionVectors", "x"]
        {
            assert_eq!(form(header, false), Some(Form::Parquet), "{header}");
        }
        assert_eq!(form("responseformat=delta;readerfeatures=columnmapping", false), Some(Form::Delta));
        assert_eq!(form("responseformat=delta;readerfeatures=columnmapping", true), None);
        assert_eq!(
            form("responseformat=delta; readerfeatures=deletionvectors,timestampNtz", true),
            Some(Form::Delta)
        );
    }
}
