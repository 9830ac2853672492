//! A question as people and applications write it: which sources, what of each, and on what the answers are joined.
//!
//! Strict: what is unknown is refused, since a source that is asked for more than was meant stands in two ledgers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::columns::{self, mistake};
use crate::error::{Error, Result};
use crate::flow::terms::Stated;
use crate::query::{FORMATS, QueryDoc, parse_condition, parse_measure, parse_order};
use crate::records::Ask;

/// Most sources of one question: each is an exchange of its own.
pub const SOURCES_MAX: usize = 16;
/// Bytes of a title or a name.
const TEXT_MAX: usize = 256;

/// A question to several sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionDoc {
    /// What it is about, for people.
    #[serde(default)]
    pub title: String,
    /// How the result is written; one of [`FORMATS`].
    #[serde(default = "csv")]
    pub format: String,
    /// Columns of the result in their order; all when there are none.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Whom it is put to. The first gives the rows that the others are joined to.
    pub sources: Vec<SourceDoc>,
}

fn csv() -> String {
    "csv".to_owned()
}

/// One source of a question, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceDoc {
    /// A short name: letters, digits, `-` and `_`.
    pub name: String,
    /// `PARTICIPANT/DATASET`, or the name of a dataset of this node.
    pub from: String,
    /// Purpose.
    #[serde(default)]
    pub purpose: Option<String>,
    /// Legal basis.
    #[serde(default)]
    pub basis: Option<String>,
    /// Only these columns.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Conditions, as `tram exchange get --where` takes them.
    #[serde(default, rename = "where")]
    pub filter: Vec<String>,
    /// Groups, `month(Local Time) as thang` among them.
    #[serde(default)]
    pub group_by: Vec<String>,
    /// Figures, `sum(cases) as cases` among them.
    #[serde(default)]
    pub measures: Vec<String>,
    /// Each row once.
    #[serde(default)]
    pub distinct: bool,
    /// By which columns the answer is sorted before it is cut.
    #[serde(default)]
    pub order_by: Vec<String>,
    /// Most rows.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The same as one text in the small part of SQL.
    #[serde(default)]
    pub sql: Option<String>,
    /// Whether there is a result without it.
    #[serde(default)]
    pub optional: bool,
    /// Which rows stay when it is joined.
    #[serde(default)]
    pub join: dataplane::JoinKind,
    /// What it is joined on: `year`, or `province = tinh` for the result's column and this source's.
    #[serde(default)]
    pub on: Vec<String>,
}

/// Where a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<'a> {
    /// A dataset of this node.
    Own(&'a str),
    /// A dataset of a peer.
    Peer {
        /// Participant id.
        participant: &'a str,
        /// Its dataset.
        dataset: &'a str,
    },
}

impl QuestionDoc {
    /// Checks everything that can be told without asking anybody.
    pub fn check(&self, me: &str) -> Result<()> {
        if self.title.len() > TEXT_MAX {
            return Err(mistake(
                format!("`title` dài quá {TEXT_MAX} byte; viết ngắn lại"),
                format!("the title is over {TEXT_MAX} bytes; shorten it"),
            ));
        }
        if !FORMATS.contains(&self.format.as_str()) {
            let (format, all) = (&self.format, FORMATS.join(", "));
            return Err(mistake(
                format!("không có dạng `{format}`; dùng một trong {all}"),
                format!("format `{format}` is unknown; use one of {all}"),
            ));
        }
        if self.sources.len() < 2 || self.sources.len() > SOURCES_MAX {
            return Err(mistake(
                format!("câu hỏi có 2 đến {SOURCES_MAX} nguồn; hỏi một nguồn thì dùng `tram exchange get`"),
                format!("a question has 2 to {SOURCES_MAX} sources; ask a single one by `tram exchange get`"),
            ));
        }
        let mut names = BTreeSet::new();
        for (at, source) in self.sources.iter().enumerate() {
            source.check_place(at)?;
            if !names.insert(&source.name) {
                let name = &source.name;
                return Err(mistake(
                    format!("hai nguồn cùng tên `{name}`; đặt lại tên một nguồn"),
                    format!("two sources are named `{name}`; give one of them another name"),
                ));
            }
            source.keys()?;
            source.query(me)?;
            if let Place::Own(_) = source.place(me)? {
                source.check_words()?;
            }
        }
        columns::check(self, me, &[])
    }
}

impl SourceDoc {
    /// Its name, and what follows from being the first (`at` 0) or a later source.
    fn check_place(&self, at: usize) -> Result<()> {
        let name = &self.name;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(mistake(
                format!("`{name}` không đặt tên nguồn được; dùng chữ, số, - và _"),
                format!("`{name}` cannot name a source; use letters, digits, - and _"),
            ));
        }
        match (at, self.on.is_empty()) {
            (0, false) => Err(mistake(
                format!("`{name}` là nguồn đầu tiên; ghi `on` ở các nguồn ghép vào nó"),
                format!("`{name}` is the first source; write `on` at those that are joined to it"),
            )),
            (1.., true) => Err(mistake(
                format!("nguồn `{name}` thiếu `on`: ghép theo cột nào"),
                format!("write `on` at `{name}`: which columns it is joined on"),
            )),
            (0, _) if self.optional => Err(mistake(
                format!("`{name}` là bảng mà các nguồn khác ghép vào, nên không thể là `optional`"),
                format!("`{name}` is what the others are joined to, so it cannot be optional"),
            )),
            _ => Ok(()),
        }
    }

    /// What of a dataset of this node stands in the ledger must be able to.
    fn check_words(&self) -> Result<()> {
        for (what, text) in [("purpose", &self.purpose), ("basis", &self.basis)] {
            if let Some(Err(error)) = text.as_deref().map(ledger::statement::Word::new) {
                return Err(mistake(
                    format!("nguồn `{}`: `{what}` phải là một mã viết liền không dấu", self.name),
                    format!("source `{}`: `{what}` is one word as the rules know it: {error}", self.name),
                ));
            }
        }
        Ok(())
    }

    /// Where it is.
    pub fn place(&self, me: &str) -> Result<Place<'_>> {
        let place = match self.from.rsplit_once('/') {
            None => Place::Own(&self.from),
            Some((participant, dataset)) if participant == me => Place::Own(dataset),
            Some((participant, dataset)) => Place::Peer { participant, dataset },
        };
        let (Place::Own(dataset) | Place::Peer { dataset, .. }) = &place;
        catalog::DatasetId::try_from((*dataset).to_owned()).map_err(|e| Error::usage(e.to_string()))?;
        Ok(place)
    }

    /// What it is joined on: the result's column and this source's.
    pub fn keys(&self) -> Result<Vec<(String, String)>> {
        let one = |text: &String| {
            let (ours, theirs) = text.split_once('=').unwrap_or((text, text));
            let (ours, theirs) = (ours.trim(), theirs.trim());
            if ours.is_empty() || theirs.is_empty() {
                return Err(mistake(
                    format!(
                        "nguồn `{}`: `{text}` không nêu cột nào; viết `year` hoặc `province = tinh`",
                        self.name
                    ),
                    format!(
                        "`{text}` at `{}` names no columns; write `year` or `province = tinh`",
                        self.name
                    ),
                ));
            }
            Ok((ours.to_owned(), theirs.to_owned()))
        };
        self.on.iter().map(one).collect()
    }

    /// What is asked of it. It travels as Parquet, which says of which kind each column is.
    pub fn query(&self, me: &str) -> Result<QueryDoc> {
        let told = |why: String| {
            let name = &self.name;
            mistake(format!("nguồn `{name}`: chưa hiểu phần hỏi"), format!("source `{name}`: {why}"))
        };
        let filter: std::result::Result<_, _> = self.filter.iter().map(|t| parse_condition(t)).collect();
        let measures: std::result::Result<_, _> = self.measures.iter().map(|m| parse_measure(m)).collect();
        let doc = QueryDoc {
            action: "query".to_owned(),
            format: "parquet".to_owned(),
            columns: self.columns.clone(),
            filter: filter.map_err(told)?,
            measures: measures.map_err(told)?,
            distinct: self.distinct,
            order_by: self.order_by.iter().map(|order| parse_order(order)).collect(),
            limit: self.limit,
            ..QueryDoc::default()
        }
        .with_groups(&self.group_by);
        let (Place::Own(dataset) | Place::Peer { dataset, .. }) = self.place(me)?;
        let doc = match &self.sql {
            None => doc,
            Some(_) if doc.asks() => {
                return Err(told(
                    "say it in SQL or with columns, where, group_by, measures, not both".into(),
                ));
            }
            Some(sql) => doc.with_sql(sql, dataset).map_err(told)?,
        };
        doc.check().map_err(told)?;
        Ok(doc)
    }

    /// The wish of its exchange.
    pub fn ask(&self, me: &str) -> Result<Ask> {
        Ok(Ask {
            action: "query".to_owned(),
            purpose: self.purpose.clone(),
            basis: self.basis.clone(),
            query: serde_json::to_value(self.query(me)?).map_err(Error::internal)?,
            stated: Stated::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ME: &str = "urn:agency:vn:me";

    fn doc(second: serde_json::Value) -> Result<QuestionDoc> {
        let mut source = json!({"name": "b", "from": "urn:agency:vn:x/air", "group_by": ["year(t) as year"], "on": ["year"]});
        if let (Some(source), Some(more)) = (source.as_object_mut(), second.as_object()) {
            source.extend(more.clone());
        }
        let all = json!({"sources": [{"name": "a", "from": "own", "sql": "select year, province, count(*) from own group by year, province"}, source]});
        let doc: QuestionDoc = serde_json::from_value(all).map_err(|e| Error::usage(e.to_string()))?;
        doc.check(ME).map(|()| doc)
    }

    #[test]
    fn a_question_names_its_sources_and_what_they_are_joined_on() {
        let doc = doc(json!({"on": ["year", "province = tinh"], "join": "left"})).unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(doc.sources[1].keys().unwrap(), [pair("year", "year"), pair("province", "tinh")]);
        assert_eq!(doc.sources[0].place(ME).unwrap(), Place::Own("own"));
        let peer = Place::Peer { participant: "urn:agency:vn:x", dataset: "air" };
        assert_eq!(doc.sources[1].place(ME).unwrap(), peer);
        assert_eq!(doc.sources[1].query(ME).unwrap().group_by, ["year"]);
        assert_eq!(doc.sources[0].query(ME).unwrap().format, "parquet");
    }

    #[test]
    fn what_would_ask_otherwise_than_was_meant_is_refused() {
        for (bad, why) in [
            (json!({"name": "a"}), "two sources"),
            (json!({"name": "../b"}), "cannot name a source"),
            (json!({"on": []}), "write `on`"),
            (json!({"on": ["= tinh"]}), "names no columns"),
            (json!({"from": "urn:agency:vn:x/"}), ""),
            (json!({"sql": "select 1 from air"}), "not both"),
            (json!({"where": ["pm25"]}), "not understood"),
            (json!({"measures": ["median(x)"]}), "not understood"),
            (json!({"join": "cross"}), "cross"),
            (json!({"combine": true}), "combine"),
        ] {
            let told = doc(bad.clone()).unwrap_err().to_string();
            assert!(told.contains(why), "{bad}: {told}");
        }
        let one = json!({"sources": [{"name": "a", "from": "own"}]});
        let one: QuestionDoc = serde_json::from_value(one).unwrap();
        assert!(one.check(ME).unwrap_err().to_string().contains("2 to 16"));
    }
}
