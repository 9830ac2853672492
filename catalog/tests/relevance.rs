//! How well searches find what people mean: questions of our own, each with the datasets that are right
//! (`tests/relevance/`), measured by the mean reciprocal rank of the first right one.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use std::collections::BTreeMap;

use catalog::{CatalogEntry, Query, SearchIndex, Text};

/// Below this, what people look for does not stand on top often enough.
const MRR_MIN: f64 = 0.9;
/// A corpus smaller than this says little.
const QUESTIONS_MIN: usize = 60;

fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split('|').map(str::trim).collect())
}

fn index() -> SearchIndex {
    let entries = lines(include_str!("relevance/datasets.txt")).map(|fields| CatalogEntry {
        participant: "urn:agency:vn:a".to_owned(),
        dataset: fields[0].to_owned(),
        title: Text::new(fields[1], ""),
        keywords: fields[2].split(',').map(|word| word.trim().to_owned()).collect(),
        description: Text::new(fields[3], ""),
        ..CatalogEntry::default()
    });
    let mut index = SearchIndex::new().unwrap();
    assert_eq!(index.put_all(entries.collect()).unwrap().left_out, 0);
    index
}

fn rank(index: &SearchIndex, question: &str, right: &[&str]) -> Option<usize> {
    let found = index.search(&Query::new(question)).unwrap();
    found.hits.iter().position(|hit| right.contains(&hit.entry.dataset.as_str())).map(|at| at + 1)
}

#[test]
fn what_people_mean_stands_on_top() {
    let index = index();
    let questions: BTreeMap<&str, Vec<&str>> = lines(include_str!("relevance/questions.txt"))
        .map(|fields| (fields[0], fields[1].split_whitespace().collect()))
        .collect();
    assert!(questions.len() >= QUESTIONS_MIN, "{} questions", questions.len());
    let mut sum = 0.0;
    for (question, right) in &questions {
        assert!(
            right.iter().all(|name| index.get("urn:agency:vn:a", name).is_some()),
            "`{question}` wants {right:?}"
        );
        let rank = rank(&index, question, right);
        sum += rank.map_or(0.0, |rank| 1.0 / rank as f64);
        if rank != Some(1) {
            let found = index.search(&Query::new(*question)).unwrap();
            let first: Vec<&str> = found.hits.iter().take(3).map(|h| h.entry.dataset.as_str()).collect();
            println!("`{question}`: {right:?} at {rank:?}, first {first:?}");
        }
    }
    let mrr = sum / questions.len() as f64;
    println!("mean reciprocal rank {mrr:.3} over {} questions", questions.len());
    assert!(mrr >= MRR_MIN, "mean reciprocal rank {mrr:.3}, wanted {MRR_MIN}");
}

#[test]
fn traffic_comes_before_deals_with_information() {
    let index = index();
    let found = index.search(&Query::new("giao thong")).unwrap();
    let names: Vec<&str> = found.hits.iter().map(|hit| hit.entry.dataset.as_str()).collect();
    assert_eq!(names.first(), Some(&"traffic-hourly"), "{names:?}");
    let deals = names.iter().position(|name| *name == "land-deals").unwrap();
    assert!(deals >= 3, "{names:?}");
}
