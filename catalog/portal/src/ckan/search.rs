//! `package_search`: words, filters, one stable order, a page, facets.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::filter::{self, Field, Filter};
use super::package::{package, package_id};
use super::{Call, Outcome, Problem};
use crate::limits::{
    CKAN_FACET_FIELDS_MAX, CKAN_FACET_VALUES_MAX, CKAN_FACETS, CKAN_FILTERS_MAX, CKAN_ROWS, CKAN_ROWS_MAX,
    CKAN_SORTS_MAX,
};
use crate::model::Dataset;

/// A dataset with what it is sorted by.
struct Candidate<'a> {
    dataset: &'a Dataset,
    id: String,
    /// How well it fits: 0 is best.
    rank: usize,
}

pub(super) fn packages(call: &Call<'_>) -> Outcome {
    let rows = call.params.number("rows")?.unwrap_or(CKAN_ROWS).min(CKAN_ROWS_MAX);
    let start = call.params.number("start")?.unwrap_or(0);
    let order = Order::read(&call.params.text("sort")?.unwrap_or_default())?;
    let mut found = found(call)?;
    found.sort_by(|a, b| order.compare(a, b));
    let from = start.min(found.len());
    let page = &found[from..from.saturating_add(rows).min(found.len())];
    let (facets, search_facets) = facets(call, &found)?;
    Ok(json!({
        "count": found.len(),
        "sort": order.text(),
        "facets": facets,
        "search_facets": search_facets,
        "results": page.iter().map(|one| package(call.catalog, one.dataset)).collect::<Vec<_>>(),
    }))
}

/// All that fit words and filters.
fn found<'a>(call: &Call<'a>) -> Result<Vec<Candidate<'a>>, Problem> {
    let mut filters = Vec::new();
    for name in ["fq", "fq_list"] {
        for text in call.params.queries(name)? {
            if filters.len() >= CKAN_FILTERS_MAX {
                return Err(Problem::SearchQuery(format!("more than {CKAN_FILTERS_MAX} filter queries")));
            }
            filters.push(filter::read(&text).map_err(Problem::SearchQuery)?);
        }
    }
    let words = call.params.text("q")?.unwrap_or_default();
    let ranks = match words.trim() {
        "" | "*" | "*:*" => None,
        text => match as_filter(text)? {
            Some(filter) => {
                filters.push(filter);
                None
            }
            None => Some(ranks(call, text)?),
        },
    };
    let rank = |dataset: &Dataset| match &ranks {
        None => Some(0),
        Some(ranks) => ranks.get(dataset.name.as_str()).copied(),
    };
    let fits = |dataset: &&Dataset| filters.iter().all(|filter| filter.fits(dataset));
    let candidate =
        |dataset: &'a Dataset| rank(dataset).map(|rank| Candidate { dataset, id: package_id(dataset), rank });
    Ok(call.catalog.datasets.iter().filter(fits).filter_map(candidate).collect())
}

/// Words with a field that there is (`title:giao`, `organization:a`) are a filter; others are looked for.
fn as_filter(text: &str) -> Result<Option<Filter>, Problem> {
    let has_field = text
        .split(|c: char| c.is_whitespace() || "(+-!".contains(c))
        .any(|word| word.split_once(':').is_some_and(|(field, _)| Field::of(field).is_some()));
    if has_field { filter::read(text).map(Some).map_err(Problem::SearchQuery) } else { Ok(None) }
}

fn ranks(call: &Call<'_>, text: &str) -> Result<HashMap<String, usize>, Problem> {
    let names = (call.find)(text).ok_or_else(|| Problem::Search("the search did not answer".to_owned()))?;
    Ok(names.into_iter().enumerate().map(|(rank, name)| (name, rank)).collect())
}

/// By what is sorted: fields with their direction. The id comes last, so that two pages never hold the same package.
struct Order(Vec<(Key, bool)>);

#[derive(Clone, Copy)]
enum Key {
    Id,
    Name,
    Title,
    Modified,
    Created,
    Score,
}

impl Key {
    const WORDS: [(&'static str, Key); 8] = [
        ("id", Key::Id),
        ("name", Key::Name),
        ("title_string", Key::Title),
        ("title", Key::Title),
        ("metadata_modified", Key::Modified),
        ("metadata_created", Key::Created),
        ("score", Key::Score),
        ("relevance", Key::Score),
    ];

    fn compare(self, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
        match self {
            Key::Id => a.id.cmp(&b.id),
            Key::Name => a.dataset.name.cmp(&b.dataset.name),
            Key::Title => crate::fold(a.dataset.title.first()).cmp(&crate::fold(b.dataset.title.first())),
            Key::Modified => a.dataset.modified.cmp(&b.dataset.modified),
            Key::Created => a.dataset.issued.cmp(&b.dataset.issued),
            // A better score is a lower rank.
            Key::Score => b.rank.cmp(&a.rank),
        }
    }

    fn word(self) -> &'static str {
        let same = |key: Key| std::mem::discriminant(&key) == std::mem::discriminant(&self);
        Key::WORDS.iter().find(|(_, key)| same(*key)).map_or("id", |(word, _)| word)
    }
}

impl Order {
    fn read(text: &str) -> Result<Self, Problem> {
        let text = if text.trim().is_empty() { "score desc, metadata_modified desc" } else { text };
        let mut keys = Vec::new();
        for part in text.split(',') {
            let mut words = part.split_whitespace();
            let field = words.next().unwrap_or_default();
            let key = Key::WORDS.iter().find(|(word, _)| *word == field).map(|(_, key)| *key);
            let down = match words.next().unwrap_or("asc").to_lowercase().as_str() {
                "asc" => Some(false),
                "desc" => Some(true),
                _ => None,
            };
            if keys.len() >= CKAN_SORTS_MAX {
                return Err(Problem::SearchQuery(format!("more than {CKAN_SORTS_MAX} fields to sort by")));
            }
            match (key, down, words.next()) {
                (Some(key), Some(down), None) => keys.push((key, down)),
                _ => return Err(Problem::SearchQuery(format!("Invalid sort parameter: `{}`", part.trim()))),
            }
        }
        Ok(Order(keys))
    }

    fn compare(&self, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
        for (key, down) in &self.0 {
            let order = key.compare(a, b);
            let order = if *down { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        a.id.cmp(&b.id)
    }

    fn text(&self) -> String {
        let part =
            |(key, down): &(Key, bool)| format!("{} {}", key.word(), if *down { "desc" } else { "asc" });
        self.0.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

/// How many of all found have which value: the plain counts, and the same for people.
fn facets(call: &Call<'_>, found: &[Candidate<'_>]) -> Result<(Value, Value), Problem> {
    let mut plain = Map::new();
    let mut people = Map::new();
    if call.params.flag("facet")?.unwrap_or(true) {
        let limit = call.params.text("facet.limit")?.and_then(|text| text.parse::<i64>().ok());
        let limit = limit.map_or(CKAN_FACETS, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let limit = limit.min(CKAN_FACET_VALUES_MAX);
        let least = call.params.number("facet.mincount")?.unwrap_or(1);
        let mut names = call.params.list("facet.field")?;
        names.sort();
        names.dedup();
        if names.len() > CKAN_FACET_FIELDS_MAX {
            return Err(Problem::SearchQuery(format!("more than {CKAN_FACET_FIELDS_MAX} facets")));
        }
        for name in names {
            let field = Field::of(&name);
            let field = field.ok_or_else(|| Problem::SearchQuery(format!("undefined field {name}")))?;
            let counts = counts(field, found, limit, least);
            let items = counts.iter().map(|(value, count)| {
                json!({ "name": value, "display_name": display(call, field, value), "count": count })
            });
            let title = name.clone();
            people.insert(name.clone(), json!({ "title": title, "items": items.collect::<Vec<_>>() }));
            plain.insert(name, counts.into_iter().map(|(value, count)| (value, json!(count))).collect());
        }
    }
    Ok((Value::Object(plain), Value::Object(people)))
}

fn counts(field: Field, found: &[Candidate<'_>], limit: usize, least: usize) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for one in found {
        let mut values = match (field, &one.dataset.theme) {
            (Field::Groups, theme) => theme.iter().map(|theme| theme.name.clone()).collect(),
            _ => field.values(one.dataset),
        };
        values.sort();
        values.dedup();
        for value in values.into_iter().filter(|value| !value.is_empty()) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().filter(|(_, count)| *count >= least).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(limit);
    counts
}

fn display(call: &Call<'_>, field: Field, value: &str) -> String {
    let named = |dataset: &&Dataset| match field {
        Field::Organization => dataset.publisher.name == value,
        Field::Groups => dataset.theme.as_ref().is_some_and(|theme| theme.name == value),
        _ => false,
    };
    let title = |dataset: &Dataset| match field {
        Field::Organization => dataset.publisher.title.first().to_owned(),
        _ => dataset.theme.as_ref().map(|theme| theme.title.clone()).unwrap_or_default(),
    };
    if !matches!(field, Field::Organization | Field::Groups) {
        return value.to_owned();
    }
    call.catalog.datasets.iter().find(named).map_or_else(|| value.to_owned(), title)
}
