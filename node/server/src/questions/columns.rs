//! Whether the columns that a question speaks of are there: found out before anything is asked.
//!
//! What a source gives follows from its own query where that names its columns, groups and figures; otherwise from the columns
//! that the dataset is known to have. Where neither tells, nothing is said and the answer decides. The names of the result are
//! worked out as [`dataplane::join`] makes them.

use std::collections::BTreeSet;

use super::document::{QuestionDoc, SourceDoc};
use crate::error::{Error, Result};
use crate::query::QueryDoc;

/// Most names that an error lists.
const NAMES_SHOWN: usize = 20;
/// Letters that may differ between what was written and what was meant.
const SLIP_MAX: usize = 2;

/// A mistake in a question, Vietnamese and English.
pub fn mistake(vi: impl std::fmt::Display, en: impl std::fmt::Display) -> Error {
    Error::usage(format!("{vi} · {en}"))
}

/// The name that was probably meant.
pub fn meant<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let written = fold(written);
    let near = names.map(|name| (strsim::osa_distance(&written, &fold(name)), name));
    near.filter(|(far, name)| *far <= SLIP_MAX && *far < name.chars().count()).min().map(|(_, name)| name)
}

/// What to do about a name that is not among `names`: Vietnamese, English.
fn instead<'a>(written: &str, names: impl Iterator<Item = &'a str> + Clone) -> (String, String) {
    match meant(written, names.clone()) {
        Some(name) => (format!("có phải muốn viết `{name}`?"), format!("is `{name}` meant?")),
        None => {
            let shown = names.take(NAMES_SHOWN).collect::<Vec<_>>().join("`, `");
            (format!("có các cột `{shown}`"), format!("there are `{shown}`"))
        }
    }
}

/// Checks all columns that the question names. `known` has, for each source, the columns of its dataset where they are known.
///
/// # Errors
/// [`Error::Usage`] with the first mistake: where it is, and what to do.
pub fn check(doc: &QuestionDoc, me: &str, known: &[Option<Vec<String>>]) -> Result<()> {
    let mut result = Columns::default();
    for (at, source) in doc.sources.iter().enumerate() {
        let query = source.query(me)?;
        let of_dataset = known.get(at).and_then(Option::as_ref);
        if let Some(columns) = of_dataset {
            asked(source, &query, columns)?;
        }
        let gives = gives(&query).or_else(|| of_dataset.filter(|_| !groups(&query)).cloned());
        result.take(source, gives)?;
    }
    let mut seen = BTreeSet::new();
    for name in &doc.columns {
        if !seen.insert(name) {
            return Err(mistake(
                format!("`columns` nêu `{name}` hai lần; bỏ bớt một"),
                format!("`columns` names `{name}` twice; leave one out"),
            ));
        }
        if !result.open && !result.has(name) {
            let (vi, en) = instead(name, result.names());
            return Err(mistake(
                format!("`columns`: kết quả không có cột `{name}`; {vi}"),
                format!("`columns`: the result has no column `{name}`; {en}"),
            ));
        }
    }
    Ok(())
}

fn groups(query: &QueryDoc) -> bool {
    !query.group_by.is_empty() || !query.measures.is_empty()
}

/// The columns of an answer, as far as the query tells. Figures without groups may come with all groups that rules allow.
fn gives(query: &QueryDoc) -> Option<Vec<String>> {
    if groups(query) {
        let name = |m: &crate::query::Measure| {
            let word = serde_json::to_value(m.function).ok()?.as_str()?.to_owned();
            Some(m.name.clone().unwrap_or_else(|| match &m.column {
                Some(column) => format!("{word}_{column}"),
                None => word,
            }))
        };
        let figures: Option<Vec<String>> = query.measures.iter().map(name).collect();
        // Rules that let only figures leave add a count where none is asked.
        let whole = !query.group_by.is_empty() && !query.measures.is_empty();
        return figures
            .filter(|_| whole)
            .map(|figures| query.group_by.iter().cloned().chain(figures).collect());
    }
    Some(query.columns.clone()).filter(|columns| !columns.is_empty())
}

/// The columns that a source asks for are those of its dataset.
fn asked(source: &SourceDoc, query: &QueryDoc, columns: &[String]) -> Result<()> {
    let times: Vec<String> = query.times.iter().map(dataplane::TimePart::output_name).collect();
    let names = query
        .columns
        .iter()
        .chain(query.filter.iter().map(|condition| &condition.column))
        .chain(&query.group_by)
        .chain(query.measures.iter().filter_map(|measure| measure.column.as_ref()))
        .filter(|name| !times.contains(name));
    for name in names.chain(query.times.iter().map(|part| &part.column)) {
        if !columns.contains(name) && name != dataplane::WATERMARK {
            let (vi, en) = instead(name, columns.iter().map(String::as_str));
            return Err(mistake(
                format!("nguồn `{}`: bộ dữ liệu `{}` không có cột `{name}`; {vi}", source.name, source.from),
                format!(
                    "source `{}`: the dataset `{}` has no column `{name}`; {en}",
                    source.name, source.from
                ),
            ));
        }
    }
    Ok(())
}

/// The columns of the result so far.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
    /// Whether there may be others: a source gives what is not known.
    open: bool,
}

impl Columns {
    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        name.ends_with(dataplane::WATERMARK) || self.names.iter().any(|known| known == name)
    }

    /// Adds what a source gives, under the names that the join gives them.
    fn take(&mut self, source: &SourceDoc, gives: Option<Vec<String>>) -> Result<()> {
        let keys = source.keys()?;
        for (ours, theirs) in &keys {
            if !self.open && !self.has(ours) {
                let (vi, en) = instead(ours, self.names());
                return Err(mistake(
                    format!(
                        "nguồn `{}`: ghép theo `{ours}` mà các nguồn trước không cho cột đó; {vi}",
                        source.name
                    ),
                    format!(
                        "source `{}` is joined on `{ours}`, which no source before it gives; {en}",
                        source.name
                    ),
                ));
            }
            if let Some(columns) = gives.as_ref().filter(|columns| !columns.contains(theirs)) {
                let (vi, en) = instead(theirs, columns.iter().map(String::as_str));
                return Err(mistake(
                    format!(
                        "nguồn `{}`: ghép theo `{theirs}` mà chính nguồn này không cho cột đó; {vi}",
                        source.name
                    ),
                    format!("source `{}` is joined on `{theirs}`, which it does not give; {en}", source.name),
                ));
            }
        }
        self.open |= gives.is_none();
        for column in gives.into_iter().flatten().filter(|c| !keys.iter().any(|(_, theirs)| theirs == c)) {
            let name = if self.has(&column) { format!("{}_{column}", source.name) } else { column };
            self.names.push(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn doc(columns: Value, first: Value, second: Value) -> QuestionDoc {
        let mut sources =
            [json!({"name": "a", "from": "x/a"}), json!({"name": "b", "from": "x/b", "on": ["nam"]})];
        for (source, more) in sources.iter_mut().zip([first, second]) {
            source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        serde_json::from_value(json!({"columns": columns, "sources": sources})).unwrap()
    }

    #[track_caller]
    fn told(doc: &QuestionDoc, known: &[Option<Vec<String>>]) -> String {
        check(doc, "me", known).unwrap_err().to_string()
    }

    fn grouped() -> [Value; 2] {
        [
            json!({"group_by": ["year(t) as nam"], "measures": ["sum(ca)"]}),
            json!({"sql": "select nam, avg(bui) as bui from b group by nam"}),
        ]
    }

    #[test]
    fn what_a_question_names_is_held_against_what_its_sources_give() {
        let [a, b] = grouped();
        check(&doc(json!(["nam", "sum_ca", "bui"]), a.clone(), b.clone()), "me", &[]).unwrap();
        let slip = told(&doc(json!(["nam", "sum_cas"]), a.clone(), b.clone()), &[]);
        assert!(
            slip.contains("`columns`") && slip.contains("is `sum_ca` meant?") && slip.contains("có phải"),
            "{slip}"
        );
        let strange = told(&doc(json!(["ngay_nhap_vien"]), a.clone(), b.clone()), &[]);
        assert!(strange.contains("there are `nam`, `sum_ca`, `bui`"), "{strange}");
        assert!(told(&doc(json!(["nam", "nam"]), a.clone(), b.clone()), &[]).contains("twice"));
        let mut on = b.clone();
        on["on"] = json!(["thang"]);
        assert!(told(&doc(json!([]), a.clone(), on.clone()), &[]).contains("no source before it gives"));
        on["on"] = json!(["nam = nm"]);
        let theirs = told(&doc(json!([]), a, on), &[]);
        assert!(theirs.contains("which it does not give") && theirs.contains("`nam`"), "{theirs}");
    }

    #[test]
    fn a_name_that_is_taken_stands_behind_its_source() {
        let (a, b) = (json!({"columns": ["nam", "ca"]}), json!({"columns": ["nam", "ca"]}));
        check(&doc(json!(["ca", "b_ca"]), a.clone(), b.clone()), "me", &[]).unwrap();
        assert!(told(&doc(json!(["a_ca"]), a, b), &[]).contains("`b_ca`"));
    }

    #[test]
    fn columns_of_the_dataset_count_where_they_are_known_and_nothing_is_guessed_where_not() {
        let names = |all: &[&str]| Some(all.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
        let plain = || doc(json!(["nam", "tinh"]), json!({}), json!({}));
        check(&plain(), "me", &[]).unwrap();
        check(&plain(), "me", &[names(&["nam", "tinh"]), None]).unwrap();
        check(&plain(), "me", &[names(&["nam"]), None]).unwrap();
        assert!(told(&plain(), &[names(&["nam"]), names(&["nam", "xa"])]).contains("no column `tinh`"));
        for wrong in [
            json!({"where": ["tnh = 'X'"]}),
            json!({"columns": ["nam", "tnh"]}),
            json!({"group_by": ["tnh"], "measures": ["count"]}),
            json!({"group_by": ["nam", "month(tnh) as thang"], "measures": ["count"]}),
            json!({"measures": ["sum(tnh)"]}),
        ] {
            let told = told(&doc(json!([]), wrong, json!({})), &[names(&["nam", "tinh"]), None]);
            assert!(told.contains("source `a`") && told.contains("is `tinh` meant?"), "{told}");
        }
        // Figures without groups may come with groups that the rules choose.
        check(&doc(json!(["nam"]), json!({"measures": ["count"]}), json!({})), "me", &[]).unwrap();
    }
}
