//! Which delicate datasets a rule reaches: personal, special, important or core.

use std::collections::HashMap;

use super::context::{KnownDataset, LintContext};
use super::names::{Name, Names};
use super::survey::Survey;
use crate::explain::Field;
use crate::ids::DatasetId;
use crate::question::{DataClass, Personal, SharingKind};
use crate::rule::{Class, Pattern, Rule};

/// Datasets kept for one name and class: enough to find one that proves a point.
const EXAMPLES_MAX: usize = 64;

/// A dataset with its id.
pub(super) type Known<'a> = (&'a DatasetId, &'a KnownDataset);

/// Delicate datasets by every name that they stand under and by class.
pub(super) struct Reach<'a> {
    known: bool,
    by_name: HashMap<(Name, Class), Vec<Known<'a>>>,
}

/// How a rule comes to data of some sort.
#[derive(Debug, Clone)]
pub(super) enum Way<'a> {
    /// Its object column says so.
    Direct,
    /// Its object column holds datasets of this sort; none is listed when no dataset is known.
    Through(Vec<Known<'a>>),
}

impl<'a> Reach<'a> {
    pub fn of(context: &'a LintContext, names: &Names) -> Self {
        let mut by_name: HashMap<(Name, Class), Vec<Known<'a>>> = HashMap::new();
        for (id, dataset) in context.datasets.iter().flatten() {
            if !is_delicate(dataset) {
                continue;
            }
            let own = names.get(id.as_str());
            let above = own.map(|own| names.above(own)).unwrap_or_default();
            for name in own.iter().chain(above).chain(&[Names::ANY]) {
                let list = by_name.entry((*name, dataset.facts.class)).or_default();
                if list.len() < EXAMPLES_MAX {
                    list.push((id, dataset));
                }
            }
        }
        Self { known: context.datasets.is_some(), by_name }
    }

    /// How a rule comes to data that stands under `mark` or whose record fits `is`; `None` when it does not.
    pub fn way(
        &self,
        survey: &Survey<'a>,
        rule: &Rule,
        marks: &[&str],
        is: impl Fn(&KnownDataset) -> bool,
    ) -> Option<Way<'a>> {
        if let Pattern::Name(object) = &rule.object
            && marks.iter().any(|mark| survey.names.stands_under(object, mark))
        {
            return Some(Way::Direct);
        }
        let object = survey.names.boxed(rule).name(Field::Dataset);
        let classes = (rule.class_from.get()..=rule.class_to.get()).filter_map(Class::new);
        let lists = classes.filter_map(|class| self.by_name.get(&(object, class)));
        let found: Vec<Known<'a>> = lists.flatten().filter(|(_, dataset)| is(dataset)).copied().collect();
        let anything = !self.known && rule.object == Pattern::Any && rule.class_to.get() > 0;
        (anything || !found.is_empty()).then_some(Way::Through(found))
    }
}

fn is_delicate(dataset: &KnownDataset) -> bool {
    let facts = &dataset.facts;
    // A state secret is not part of the exchange at all.
    let shared = facts.kind != SharingKind::Secret && facts.class != Class::SECRET;
    shared
        && (facts.personal != Personal::None
            || facts.kind == SharingKind::Special
            || facts.data_class != DataClass::Other)
}

impl Way<'_> {
    pub fn is_direct(&self) -> bool {
        matches!(self, Self::Direct)
    }

    /// The datasets in words, at most three, with a blank before; nothing where none is known.
    pub fn shown(&self) -> String {
        let Self::Through(found) = self else { return String::new() };
        if found.is_empty() {
            return String::new();
        }
        let names: Vec<String> = found.iter().take(3).map(|(id, _)| format!("`{id}`")).collect();
        let more = if found.len() > 3 { ", …" } else { "" };
        format!(" ({}{more})", names.join(", "))
    }
}
