//! Questions for rows and for changes, as they arrive.

use serde::Deserialize;

use crate::error::AskError;
use crate::hint::{self, Hint};
use crate::limits::{BODY_BYTES_MAX, CHANGES_VERSIONS_MAX, HINTS_MAX};
use crate::moment;

/// Which state of a table is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ask {
    /// The present one.
    #[default]
    Newest,
    /// The one of this version.
    Version(u64),
    /// The one that stood at this time, milliseconds since 1970.
    At(i64),
    /// All that changed from this version on, as files.
    Since(u64),
}

/// Body of a question for rows (section "Request Body").
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// Which rows.
    pub ask: Ask,
    /// Conditions by which files may be left out; all must hold.
    pub hints: Vec<Hint>,
    /// How many rows the client wants to read.
    pub limit: Option<u64>,
}

/// The body as it is written. Fields that later clients add are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    predicate_hints: Option<Vec<String>>,
    json_predicate_hints: Option<String>,
    limit_hint: Option<i64>,
    version: Option<i64>,
    timestamp: Option<String>,
    starting_version: Option<i64>,
}

impl Query {
    /// Reads a body; an empty one asks for all.
    ///
    /// # Errors
    /// What is no JSON of the protocol, and parameters that exclude each other. A hint that is not understood is passed
    /// over: so the protocol has it.
    pub fn read(body: &[u8]) -> Result<Self, AskError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(AskError::TooLong(body.len()));
        }
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let written: Written = serde_json::from_slice(body).map_err(|e| AskError::Body(e.to_string()))?;
        let limit = written.limit_hint.map(|n| whole("limitHint", n)).transpose()?;
        let ask = written.ask()?;
        let json = written.json_predicate_hints.as_deref().and_then(hint::from_json);
        let sql = written.predicate_hints.iter().flatten().take(HINTS_MAX);
        let hints = json.into_iter().chain(sql.filter_map(|text| hint::from_sql(text))).collect();
        Ok(Self { ask, hints, limit })
    }

    /// The files of a list that may hold what is asked for; `facts` gives a file's figures. A limit alone leaves at least one
    /// file, so that a reader learns the columns from it.
    #[must_use]
    pub fn narrow<T>(&self, files: Vec<T>, facts: impl Fn(&T) -> &hint::Facts) -> Vec<T> {
        let hold = |file: &T| self.hints.iter().all(|hint| hint.may_hold(facts(file)));
        let mut left: Vec<T> = files.into_iter().filter(hold).collect();
        // Rows of a file need not fulfil a condition that the file may fulfil: then nothing is known of their number.
        if let (Some(limit), true) = (self.limit, self.hints.is_empty()) {
            let mut rows = 0_u64;
            left.retain(|file| {
                let wanted = rows < limit || (limit == 0 && rows == 0);
                rows = rows.saturating_add(facts(file).rows.max(1));
                wanted
            });
        }
        left
    }
}

impl Written {
    fn ask(&self) -> Result<Ask, AskError> {
        match (self.version, self.timestamp.as_deref(), self.starting_version) {
            (None, None, None) => Ok(Ask::Newest),
            (Some(version), None, None) => Ok(Ask::Version(whole("version", version)?)),
            (None, Some(text), None) => Ok(Ask::At(at("timestamp", text)?)),
            (None, None, Some(version)) => Ok(Ask::Since(whole("startingVersion", version)?)),
            (Some(_), Some(_), _) => Err(AskError::Both("version", "timestamp")),
            (Some(_), None, Some(_)) => Err(AskError::Both("version", "startingVersion")),
            (None, Some(_), Some(_)) => Err(AskError::Both("timestamp", "startingVersion")),
        }
    }
}

fn whole(name: &'static str, number: i64) -> Result<u64, AskError> {
    u64::try_from(number).map_err(|_| AskError::parameter(name, format!("{number} is less than 0")))
}

fn at(name: &'static str, text: &str) -> Result<i64, AskError> {
    let wrong = || AskError::parameter(name, "write it as 2025-03-01T00:00:00Z");
    moment::read(text).ok_or_else(wrong)
}

/// One end of a span of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// This version.
    Version(u64),
    /// The version that stood at this time, milliseconds since 1970; as the beginning, the first after it.
    At(i64),
}

/// A question for changes (section "Read Change Data Feed from a Table").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// From which version, included.
    pub from: End,
    /// To which version, included; none for the present one.
    pub to: Option<End>,
}

/// The parameters of the address as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChangesParameters {
    /// First version.
    pub starting_version: Option<String>,
    /// First time.
    pub starting_timestamp: Option<String>,
    /// Last version.
    pub ending_version: Option<String>,
    /// Last time.
    pub ending_timestamp: Option<String>,
}

impl ChangesParameters {
    /// Reads them.
    ///
    /// # Errors
    /// No beginning, two of one, an end before the beginning, a span that is too long, and what is no number or time.
    pub fn read(&self) -> Result<Changes, AskError> {
        let (from_names, to_names) =
            (("startingVersion", "startingTimestamp"), ("endingVersion", "endingTimestamp"));
        let from = end(from_names, self.starting_version.as_deref(), self.starting_timestamp.as_deref())?;
        let from = from.ok_or(AskError::Neither(from_names.0, from_names.1))?;
        let to = end(to_names, self.ending_version.as_deref(), self.ending_timestamp.as_deref())?;
        let wrong = |what: String| Err(AskError::parameter("endingVersion", what));
        match (from, to) {
            (End::Version(from), Some(End::Version(to))) if to < from => {
                wrong(format!("{to} is before the beginning, {from}"))
            }
            (End::Version(from), Some(End::Version(to))) if to - from >= CHANGES_VERSIONS_MAX => {
                wrong(format!("at most {CHANGES_VERSIONS_MAX} versions are told at once; ask for a part"))
            }
            (End::At(from), Some(End::At(to))) if to < from => wrong("it is before the beginning".to_owned()),
            _ => Ok(Changes { from, to }),
        }
    }
}

fn end(
    names: (&'static str, &'static str),
    version: Option<&str>,
    timestamp: Option<&str>,
) -> Result<Option<End>, AskError> {
    match (version, timestamp) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(AskError::Both(names.0, names.1)),
        (Some(text), None) => {
            let wrong = |_| AskError::parameter(names.0, "it is a whole number from 0");
            Ok(Some(End::Version(text.trim().parse().map_err(wrong)?)))
        }
        (None, Some(text)) => Ok(Some(End::At(at(names.1, text)?))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hint::Facts;

    fn rows(rows: u64) -> Facts {
        Facts { rows, columns: Vec::new() }
    }

    #[test]
    fn a_body_is_read_and_its_odd_hints_are_passed_over() {
        let body =
            br#"{"predicateHints":["a = 1","no sense at all ((("],"limitHint":10,"version":3,"later":[1],
            "jsonPredicateHints":"{\"op\":\"nonsense\"}"}"#;
        let query = Query::read(body).unwrap();
        assert_eq!((query.ask, query.limit, query.hints.len()), (Ask::Version(3), Some(10), 1));
        for empty in ["", " \n", "{}", r#"{"predicateHints":null,"version":null}"#] {
            assert_eq!(Query::read(empty.as_bytes()).unwrap(), Query::default(), "{empty}");
        }
    }

    #[test]
    fn a_wrong_body_is_refused() {
        for body in [
            "[]",
            "{",
            r#"{"version":-1}"#,
            r#"{"limitHint":-1}"#,
            r#"{"limitHint":"x"}"#,
            r#"{"version":1,"timestamp":"2025-01-01T00:00:00Z"}"#,
            r#"{"version":1,"startingVersion":1}"#,
            r#"{"timestamp":"tomorrow"}"#,
        ] {
            assert!(Query::read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(matches!(Query::read(&vec![b' '; BODY_BYTES_MAX + 1]), Err(AskError::TooLong(_))));
    }

    #[test]
    fn a_limit_leaves_out_files_that_nobody_will_read() {
        let files = || vec![rows(10), rows(10), rows(10)];
        let left =
            |limit: Option<u64>| Query { limit, ..Query::default() }.narrow(files(), |facts| facts).len();
        assert_eq!([left(None), left(Some(0)), left(Some(1)), left(Some(10))], [3, 1, 1, 1]);
        assert_eq!([left(Some(11)), left(Some(30)), left(Some(31))], [2, 3, 3]);
    }

    #[test]
    fn a_limit_is_not_applied_where_a_condition_is() {
        let query = Query::read(br#"{"predicateHints":["a > 1"],"limitHint":1}"#).unwrap();
        assert_eq!(query.narrow(vec![rows(10), rows(10)], |facts| facts).len(), 2);
    }

    #[test]
    fn a_span_of_versions_is_read_or_refused() {
        let read = |from: Option<&str>, to: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            ChangesParameters { starting_version: text(from), ending_version: text(to), ..Default::default() }
                .read()
        };
        assert_eq!(read(Some("0"), None).unwrap(), Changes { from: End::Version(0), to: None });
        assert_eq!(read(Some("2"), Some("2")).unwrap().to, Some(End::Version(2)));
        assert_eq!(read(None, Some("2")), Err(AskError::Neither("startingVersion", "startingTimestamp")));
        assert!(read(Some("3"), Some("2")).is_err());
        assert!(read(Some("0"), Some("1000")).is_err());
        assert!(read(Some("-1"), None).is_err());
        let both = ChangesParameters {
            starting_version: Some("1".into()),
            starting_timestamp: Some("2025-01-01T00:00:00Z".into()),
            ..Default::default()
        };
        assert_eq!(both.read(), Err(AskError::Both("startingVersion", "startingTimestamp")));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = Query::read(&body);
        }
    }
}
