//! Questions to a ledger: which statements an auditor wants to see.
//!
//! Words are compared folded: without marks and case, composed or not, so that `so y te` finds `Sở Y tế`. Names of
//! agencies stand in no statement; they come from the registry, where one is known.

use catalog::fold;
use ledger::source::Entry;
use ledger::statement::{Decision, Deed, SignedStatement, Statement};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::trust::Trust;
use crate::error::{Error, Result};

/// Days, both included, in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Period {
    /// First second, Unix.
    from: Option<u64>,
    /// First second after it, Unix.
    end: Option<u64>,
    words: (String, String),
}

impl Period {
    /// From words such as `2026-11-01`; a moment (RFC 3339) counts to the second.
    pub fn new(from: Option<&str>, to: Option<&str>) -> Result<Self> {
        let words = (from.unwrap_or("-").to_owned(), to.unwrap_or("-").to_owned());
        let from = from.map(|text| moment(text, false)).transpose()?;
        let end = to.map(|text| moment(text, true)).transpose()?;
        if let (Some(from), Some(end)) = (from, end)
            && from >= end
        {
            return Err(Error::usage(format!("the period {}..{} ends before it begins", words.0, words.1)));
        }
        Ok(Self { from, end, words })
    }

    /// From `FROM..TO`, either of which may be left out.
    pub fn parse(text: &str) -> Result<Self> {
        let (from, to) = text
            .split_once("..")
            .ok_or_else(|| Error::usage(format!("`{text}` is no period; write 2026-11-01..2026-11-30")))?;
        Self::new(Some(from).filter(|t| !t.is_empty()), Some(to).filter(|t| !t.is_empty()))
    }

    /// Whether a moment (Unix seconds) is in it.
    pub fn holds(&self, seconds: u64) -> bool {
        self.from.is_none_or(|from| seconds >= from) && self.end.is_none_or(|end| seconds < end)
    }

    /// As it was asked for.
    pub fn days(&self) -> (String, String) {
        self.words.clone()
    }
}

/// The first second of a day, or of the day after it; a moment as it is (its own second included at an end).
fn moment(text: &str, end: bool) -> Result<u64> {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]"));
    let at = match day {
        Ok(day) => {
            let day = if end { day.next_day() } else { Some(day) };
            day.map(|day| day.midnight().assume_utc().unix_timestamp())
        }
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok().map(|t| t.unix_timestamp() + i64::from(end)),
    };
    at.and_then(|at| u64::try_from(at).ok()).ok_or_else(|| {
        Error::usage(format!("`{text}` is no day; write it as 2026-11-23, or as 2026-11-23T08:00:00Z"))
    })
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// An agency: its id, or a part of its name.
    pub agency: Option<String>,
    /// A dataset: with or without its owner and version.
    pub dataset: Option<String>,
    /// A purpose's code.
    pub purpose: Option<String>,
    /// `permit` or `deny`.
    pub effect: Option<&'static str>,
    /// Of which time.
    pub period: Period,
    /// Kinds, `exchange` or `tram/exchange@v1`.
    pub kinds: Vec<String>,
    /// Words that must all occur.
    pub text: Option<String>,
}

impl Filter {
    /// Whether an entry is asked for. One that is no statement is found only when nothing is asked, or by its words.
    pub fn wants(&self, trust: &Trust, entry: &Entry, signed: Option<&SignedStatement>) -> bool {
        let Some(signed) = signed else {
            return self.is_bare() && self.has_words(&String::from_utf8_lossy(&entry.bytes));
        };
        let said = signed.statement();
        let parts = Parts::of(said);
        self.period.holds(said.time().get())
            && self.effect.is_none_or(|wanted| parts.effect == Some(wanted))
            && self.purpose.as_deref().is_none_or(|wanted| parts.purpose == Some(wanted))
            && self
                .dataset
                .as_deref()
                .is_none_or(|wanted| parts.dataset.is_some_and(|d| is_dataset(d, wanted)))
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| is_kind(said, kind)))
            && self.agency.as_deref().is_none_or(|wanted| {
                parts.agencies.iter().chain([&signed.signer()]).any(|id| is_agency(trust, id, wanted))
            })
            && self
                .text
                .as_deref()
                .is_none_or(|_| self.has_words(&haystack(trust, said, &parts, signed.signer())))
    }

    fn is_bare(&self) -> bool {
        self.agency.is_none()
            && self.dataset.is_none()
            && self.purpose.is_none()
            && self.effect.is_none()
            && self.period == Period::default()
            && self.kinds.is_empty()
    }

    fn has_words(&self, text: &str) -> bool {
        let Some(words) = &self.text else { return true };
        let text = fold(text);
        fold(words).split_whitespace().all(|word| text.contains(word))
    }
}

/// What the filters look at.
#[derive(Default)]
struct Parts<'a> {
    agencies: Vec<&'a str>,
    dataset: Option<&'a str>,
    purpose: Option<&'a str>,
    effect: Option<&'static str>,
}

impl<'a> Parts<'a> {
    fn of(said: &'a Statement) -> Self {
        let question = |q: &'a ledger::statement::Question| Self {
            agencies: vec![q.provider.as_str(), q.consumer.as_str()],
            dataset: Some(q.dataset.as_str()),
            purpose: q.purpose.as_ref().map(|word| word.as_str()),
            effect: None,
        };
        match said {
            Statement::Intent(intent) => question(&intent.question),
            Statement::Exchange(exchange) => {
                let effect = match exchange.decision {
                    Decision::Permit { .. } => "permit",
                    Decision::Deny { .. } => "deny",
                };
                Self { effect: Some(effect), ..question(&exchange.question) }
            }
            Statement::Ack(ack) => Self {
                agencies: [ack.provider.log.as_str(), ack.consumer.log.as_str()]
                    .map(|log| log.strip_suffix("/ledger").unwrap_or(log))
                    .to_vec(),
                ..Self::default()
            },
            Statement::Interrupted(_) => Self::default(),
            Statement::Own(own) => Self::of_own(own),
        }
    }

    fn of_own(own: &'a ledger::statement::Own) -> Self {
        let agency = own.agency.as_str();
        match &own.deed {
            Deed::Decided(decided) => Self {
                agencies: vec![agency, decided.subject.as_str()],
                dataset: Some(decided.dataset.as_str()),
                purpose: decided.purpose.as_ref().map(|word| word.as_str()),
                effect: Some(if decided.refused.is_none() { "permit" } else { "deny" }),
            },
            Deed::Read(read) => Self {
                agencies: vec![agency, read.reader.as_str()],
                purpose: read.purpose.as_ref().map(|word| word.as_str()),
                ..Self::default()
            },
            Deed::OwnRead(read) => Self {
                agencies: vec![agency],
                dataset: Some(read.dataset.as_str()),
                purpose: read.purpose.as_ref().map(|word| word.as_str()),
                effect: Some("permit"),
            },
            Deed::Linkage(act) => Self {
                agencies: act.holders.as_str().split('|').chain([agency]).collect(),
                ..Self::default()
            },
            _ => Self { agencies: vec![agency], ..Self::default() },
        }
    }
}

fn is_kind(said: &Statement, wanted: &str) -> bool {
    let line = said.kind().first_line();
    line == wanted || line.strip_prefix("tram/").is_some_and(|l| l.split('@').next() == Some(wanted))
}

/// `urn:a/air@7` is `urn:a/air@7`, `urn:a/air` and `air`.
fn is_dataset(found: &str, wanted: &str) -> bool {
    let bare = found.rsplit_once('@').map_or(found, |(bare, _)| bare);
    let name = bare.rsplit_once('/').map_or(bare, |(_, name)| name);
    found == wanted || bare == wanted || name == wanted
}

/// An id counts whole, so that `urn:a` is not `urn:ab`; anything else is looked for in the names.
fn is_agency(trust: &Trust, id: &str, wanted: &str) -> bool {
    if id == wanted {
        return true;
    }
    let wanted = fold(wanted);
    let names = trust.names(id);
    !wanted.contains(':')
        && names.is_some_and(|(vi, en)| fold(&vi).contains(&wanted) || fold(&en).contains(&wanted))
}

fn haystack(trust: &Trust, said: &Statement, parts: &Parts<'_>, signer: &str) -> String {
    let names = parts.agencies.iter().chain([&signer]).filter_map(|id| trust.names(id));
    names.fold(format!("{}\n{signer}\n", said.to_text()), |text, (vi, en)| format!("{text}{vi}\n{en}\n"))
}

/// An entry as JSON, with what a bundle opened of it.
pub fn view(entry: &Entry, signed: Option<&SignedStatement>, opened: &[super::bundle::Opened]) -> Value {
    let Some(signed) = signed else {
        return serde_json::json!({"index": entry.index, "unreadable": "no statement that this program knows",
            "bytes": entry.bytes.len()});
    };
    let mut view =
        serde_json::json!({"index": entry.index, "statement": crate::statement_view::signed(signed)});
    let fields: serde_json::Map<String, Value> = opened
        .iter()
        .filter(|o| o.index == entry.index)
        .map(|o| (o.field.clone(), o.text().into()))
        .collect();
    if let (false, Some(view)) = (fields.is_empty(), view.as_object_mut()) {
        view.insert("opened".to_owned(), Value::Object(fields));
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_holds_both_its_days() {
        let period = Period::parse("1970-01-02..1970-01-03").unwrap();
        let day = 86_400;
        for (at, inside) in [(day - 1, false), (day, true), (3 * day - 1, true), (3 * day, false)] {
            assert_eq!(period.holds(at), inside, "{at}");
        }
        assert!(Period::parse("..1970-01-01").unwrap().holds(0));
        for bad in ["1970-01-01", "1970-13-01..", "..x", "1970-01-03..1970-01-01"] {
            assert!(Period::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dataset_is_found_by_each_of_its_spellings_and_an_id_only_whole() {
        for good in ["urn:a/air@7", "urn:a/air", "air"] {
            assert!(is_dataset("urn:a/air@7", good), "{good}");
        }
        for bad in ["ai", "urn:a", "air@6", "7"] {
            assert!(!is_dataset("urn:a/air@7", bad), "{bad}");
        }
        assert!(is_agency(&Trust::default(), "urn:a", "urn:a"));
        assert!(!is_agency(&Trust::default(), "urn:ab", "urn:a"));
    }

    #[test]
    fn words_are_found_without_marks_and_in_any_form() {
        let filter = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
        let decomposed = "So\u{31b}\u{309} Y te\u{302}\u{301}";
        for text in ["Sở Y tế Hà Nội", decomposed] {
            assert!(filter("so y te").has_words(text), "{text}");
            assert!(filter("SỞ TẾ").has_words(text), "{text}");
            assert!(!filter("so tai chinh").has_words(text), "{text}");
        }
    }
}
