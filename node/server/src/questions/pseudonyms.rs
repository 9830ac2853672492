//! Which pseudonyms meet: whether the answers of a question can be joined under the obligations that they come under.
//!
//! A pseudonym is made with the key of one agreement and column, or with a linkage key for one recipient and purpose. A join
//! of pseudonyms that cannot meet would be empty without saying why, so it is refused with what to do. It keeps nobody from
//! joining received rows otherwise: what protects them is how they were made.

use serde_json::Value;

use super::document::SourceDoc;
use crate::error::{Error, Result};

/// What the values of a column are, as the obligations of its answer say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values<'a> {
    /// Clear, or masked in a way that says the same everywhere.
    Plain,
    /// Pseudonyms of one agreement and column.
    OfAgreement,
    /// Pseudonyms of a linkage key, `NAME@ID`.
    Linked(&'a str),
}

/// One answer: its source, the obligations that it comes under, the agreement if there is one.
type Answered<'a> = (&'a SourceDoc, (&'a Value, Option<&'a str>));

fn values<'a>(duties: &'a Value, column: &str) -> Values<'a> {
    let mask = &duties["mask"][column];
    match (mask.as_str(), mask["linkage"].as_str()) {
        (Some("hash"), _) => Values::OfAgreement,
        (_, Some(linkage)) => Values::Linked(linkage),
        _ => Values::Plain,
    }
}

/// Whether answers can be joined under these obligations.
pub fn joinable<'a>(sources: impl Iterator<Item = Answered<'a>>) -> Result<()> {
    let all: Vec<_> = sources.collect();
    for (at, here) in all.iter().enumerate() {
        for (ours, theirs) in here.0.keys()? {
            let before = all.get(..at).unwrap_or_default();
            meet(before, here, &ours, &theirs).map_err(Error::Usage)?;
        }
    }
    Ok(())
}

/// Whether one column of an answer meets the result's column of the answers before it.
fn meet(
    before: &[Answered<'_>],
    here: &Answered<'_>,
    ours: &str,
    theirs: &str,
) -> std::result::Result<(), String> {
    let (source, (duties, agreement)) = here;
    let found = values(duties, theirs);
    let others: Vec<_> = before.iter().map(|other| (other, values(other.1.0, ours))).collect();
    let mut masked = others.iter().filter(|(_, values)| *values != Values::Plain);
    let no = |why: String| Err(told(source, ours, &why));
    match found {
        Values::Plain => match masked.next() {
            None => Ok(()),
            Some((other, _)) => no(format!(
                "`{}` gives pseudonyms there and `{}` gives other values; they never meet",
                other.0.name, source.name
            )),
        },
        Values::OfAgreement => {
            let same = |(other, values): &(&Answered<'_>, Values<'_>)| {
                *values == Values::OfAgreement
                    && ours == theirs
                    && agreement.is_some()
                    && other.1.1 == *agreement
            };
            match others.iter().any(same) {
                true => Ok(()),
                false => no("it is a pseudonym, made with a key of one agreement and column, and meets no value of another \
                             source"
                    .to_owned()),
            }
        }
        Values::Linked(linkage) => {
            let Some((other, values)) = masked.next() else {
                return no(format!(
                    "`{}` gives pseudonyms of the linkage key `{linkage}` there, and no source before it does",
                    source.name
                ));
            };
            if *values != Values::Linked(linkage) {
                let theirs = match values {
                    Values::Linked(other) => format!("of the linkage key `{other}`"),
                    _ => "of its own agreement alone".to_owned(),
                };
                return no(format!(
                    "`{}` gives pseudonyms of the linkage key `{linkage}`, `{}` gives pseudonyms {theirs}",
                    source.name, other.0.name
                ));
            }
            match (&source.purpose, &other.0.purpose) {
                (Some(one), Some(two)) if one == two => Ok(()),
                _ => Err(format!(
                    "`{}` không ghép được theo `{ours}`: mã giả danh chỉ trùng nhau khi cùng mục đích; ghi cùng một `purpose` ở \
                     `{}` và `{}` · `{}` cannot be joined on `{ours}`: pseudonyms of a linkage key meet for one purpose only; \
                     write the same `purpose` at `{}` and `{}`",
                    source.name, other.0.name, source.name, source.name, other.0.name, source.name
                )),
            }
        }
    }
}

fn told(source: &SourceDoc, ours: &str, why: &str) -> String {
    format!(
        "`{}` không ghép được theo `{ours}`: mã giả danh ở đó không trùng nhau giữa các nguồn. Ghép theo nơi và thời gian, hoặc \
         nhờ các bên cung cấp thoả thuận một khóa liên kết chung (docs/linkage.md) · `{}` cannot be joined on `{ours}` by \
         pseudonym: {why}. Join on place and time instead, or ask the providers to agree on one linkage key \
         (docs/linkage.md)",
        source.name, source.name
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(name: &str, on: &[&str], purpose: &str) -> SourceDoc {
        let doc = json!({"name": name, "from": "urn:agency:vn:b/x", "on": on, "purpose": purpose});
        serde_json::from_value(doc).unwrap()
    }

    #[test]
    fn pseudonyms_are_joined_under_one_agreement_only() {
        let (hashed, plain) =
            (json!({"mask": {"id": "hash", "note": "drop"}}), json!({"mask": {"note": "hash"}}));
        let pu = "planning";
        let (a, same, other) =
            (source("a", &[], pu), source("b", &["id"], pu), source("b", &["id = note"], pu));
        for (first, second, b, agreements, good) in [
            (&plain, &plain, &same, ["1", "2"], true),
            (&hashed, &hashed, &same, ["1", "1"], true),
            (&hashed, &hashed, &same, ["1", "2"], false),
            (&hashed, &plain, &same, ["1", "1"], false),
            (&plain, &hashed, &same, ["1", "1"], false),
            (&hashed, &plain, &other, ["1", "1"], false),
            (&Value::Null, &hashed, &same, ["1", "2"], false),
            (&Value::Null, &Value::Null, &same, ["1", "2"], true),
        ] {
            let all = [(&a, (first, Some(agreements[0]))), (b, (second, Some(agreements[1])))];
            let told = joinable(all.into_iter());
            assert_eq!(told.is_ok(), good, "{first} {second} {agreements:?}");
            if let Err(error) = told {
                assert!(error.to_string().contains("pseudonym"), "{error}");
            }
        }
    }

    #[test]
    fn pseudonyms_of_one_linkage_key_and_purpose_meet_and_no_others() {
        let one = json!({"mask": {"id": {"linkage": "x@1"}, "pid": {"linkage": "x@1"}}});
        let two = json!({"mask": {"pid": {"linkage": "x@2"}}});
        let (own, plain) = (json!({"mask": {"pid": "hash"}}), json!({}));
        let (a, b) = (source("a", &[], "planning"), source("b", &["id = pid"], "planning"));
        let elsewhere = source("b", &["id = pid"], "statistics");
        let unsaid: SourceDoc =
            serde_json::from_value(json!({"name": "b", "from": "urn:agency:vn:b/x", "on": ["id = pid"]}))
                .unwrap();
        for (first, second, b, why) in [
            (&one, &one, &b, None),
            (&one, &one, &elsewhere, Some("same `purpose`")),
            (&one, &one, &unsaid, Some("same `purpose`")),
            (&one, &two, &b, Some("x@2")),
            (&one, &own, &b, Some("key of one agreement")),
            (&one, &plain, &b, Some("never meet")),
            (&plain, &one, &b, Some("no source before it")),
            (&Value::Null, &one, &b, Some("no source before it")),
        ] {
            let all = [(&a, (first, Some("1"))), (b, (second, Some("2")))];
            match (joinable(all.into_iter()), why) {
                (Ok(()), None) => {}
                (Err(error), Some(why)) => assert!(error.to_string().contains(why), "{error}"),
                (found, why) => panic!("{first} {second}: {found:?}, not {why:?}"),
            }
        }
    }

    #[test]
    fn a_third_source_meets_what_the_first_two_were_joined_on() {
        let (one, two) =
            (json!({"mask": {"id": {"linkage": "x@1"}}}), json!({"mask": {"id": {"linkage": "x@2"}}}));
        let (a, b, c) = (
            source("a", &[], "planning"),
            source("b", &["id"], "planning"),
            source("c", &["id"], "planning"),
        );
        let all = |last| [(&a, (&one, Some("1"))), (&b, (&one, Some("2"))), (&c, (last, Some("3")))];
        assert!(joinable(all(&one).into_iter()).is_ok());
        assert!(joinable(all(&two).into_iter()).is_err());
    }
}
