//! Organizations (agencies), groups (sectors), tags and licences: those that some visible dataset has, and no others, since a
//! name that stands in a list alone would tell of a dataset that is hidden. The node's own agency is always there.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::package::{group_id, licence, organization_id, package, tag_dict, window};
use super::{Call, Outcome, Problem};
use crate::limits::CKAN_LIST_MAX;
use crate::model::{Agent, Dataset, Theme};
use crate::text::keywords as tags_of;

/// A group of datasets, of either kind.
struct Group<'a> {
    kind: &'static str,
    id: String,
    name: String,
    title: String,
    description: String,
    datasets: Vec<&'a Dataset>,
}

impl Group<'_> {
    fn dict(&self) -> Map<String, Value> {
        let created = self.datasets.iter().map(|dataset| dataset.issued).min().unwrap_or_default();
        let Value::Object(dict) = json!({
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "display_name": self.title,
            "description": self.description,
            "type": self.kind,
            "is_organization": self.kind == "organization",
            "approval_status": "approved",
            "state": "active",
            "created": crate::text::ckan_time(created),
            "image_url": "",
            "image_display_url": "",
            "num_followers": 0,
            "package_count": self.datasets.len(),
        }) else {
            return Map::new();
        };
        dict
    }
}

fn agencies<'a>(call: &Call<'a>) -> Vec<Group<'a>> {
    let new = |agent: &Agent| Group {
        kind: "organization",
        id: organization_id(agent),
        name: agent.name.clone(),
        title: agent.title.first().to_owned(),
        description: agent.title.second().unwrap_or_default().to_owned(),
        datasets: Vec::new(),
    };
    let own = &call.catalog.publisher;
    let mut found = BTreeMap::from([(own.name.clone(), new(own))]);
    for dataset in &call.catalog.datasets {
        let agent = &dataset.publisher;
        found.entry(agent.name.clone()).or_insert_with(|| new(agent)).datasets.push(dataset);
    }
    found.into_values().collect()
}

fn sectors<'a>(call: &Call<'a>) -> Vec<Group<'a>> {
    let new = |theme: &Theme| Group {
        kind: "group",
        id: group_id(theme),
        name: theme.name.clone(),
        title: theme.title.clone(),
        description: String::new(),
        datasets: Vec::new(),
    };
    let mut found = BTreeMap::new();
    for dataset in &call.catalog.datasets {
        if let Some(theme) = &dataset.theme {
            found.entry(theme.name.clone()).or_insert_with(|| new(theme)).datasets.push(dataset);
        }
    }
    found.into_values().collect()
}

fn list(call: &Call<'_>, mut groups: Vec<Group<'_>>, only: &str) -> Outcome {
    let wanted = call.params.list(only)?;
    if !wanted.is_empty() {
        groups.retain(|group| wanted.contains(&group.name) || wanted.contains(&group.id));
    }
    sort(&mut groups, &call.params.text("sort")?.unwrap_or_default())?;
    let page = window(call, &groups, usize::MAX)?;
    if call.params.flag("all_fields")?.unwrap_or(false) {
        return Ok(page.iter().map(|group| Value::Object(group.dict())).collect());
    }
    Ok(page.iter().map(|group| json!(group.name)).collect())
}

/// `name asc` and the like; by name where nothing is said or two are alike.
fn sort(groups: &mut [Group<'_>], by: &str) -> Result<(), Problem> {
    let mut words = by.split_whitespace();
    let field = words.next().unwrap_or("name");
    match field {
        "name" | "id" => groups.sort_by(|a, b| a.name.cmp(&b.name)),
        "title" => groups.sort_by(|a, b| (&a.title, &a.name).cmp(&(&b.title, &b.name))),
        "package_count" | "packages" => {
            groups.sort_by(|a, b| (a.datasets.len(), &a.name).cmp(&(b.datasets.len(), &b.name)));
        }
        other => {
            let message = format!("Cannot sort by field `{other}`: use name, title or package_count");
            return Err(super::params::invalid("sort", &message));
        }
    }
    if words.next().is_some_and(|word| word.eq_ignore_ascii_case("desc")) {
        groups.reverse();
    }
    Ok(())
}

fn show(call: &Call<'_>, groups: &[Group<'_>], what: &str) -> Outcome {
    let wanted = call.params.demand("id")?;
    let group = groups.iter().find(|group| group.name == wanted || group.id == wanted);
    let group = group.ok_or_else(|| Problem::NotFound(what.to_owned()))?;
    let mut dict = group.dict();
    for empty in ["users", "tags", "groups", "extras"] {
        dict.insert(empty.to_owned(), json!([]));
    }
    if call.params.flag("include_datasets")?.unwrap_or(false) {
        let packages =
            group.datasets.iter().take(CKAN_LIST_MAX).map(|dataset| package(call.catalog, dataset));
        dict.insert("packages".to_owned(), packages.collect());
    }
    Ok(Value::Object(dict))
}

pub(super) fn organizations(call: &Call<'_>) -> Outcome {
    list(call, agencies(call), "organizations")
}

pub(super) fn organization(call: &Call<'_>) -> Outcome {
    show(call, &agencies(call), "Organization")
}

pub(super) fn groups(call: &Call<'_>) -> Outcome {
    list(call, sectors(call), "groups")
}

pub(super) fn group(call: &Call<'_>) -> Outcome {
    show(call, &sectors(call), "Group")
}

pub(super) fn tags(call: &Call<'_>) -> Outcome {
    let mut all: Vec<String> = call.catalog.datasets.iter().flat_map(tags_of).collect();
    all.sort();
    all.dedup();
    if let Some(part) = call.params.text("query")? {
        let part = crate::fold(&part);
        all.retain(|tag| crate::fold(tag).contains(&part));
    }
    if call.params.flag("all_fields")?.unwrap_or(false) {
        return Ok(all.iter().map(|tag| tag_dict(tag)).collect());
    }
    Ok(json!(all))
}

pub(super) fn licences(call: &Call<'_>) -> Outcome {
    let mut found = BTreeMap::new();
    for dataset in &call.catalog.datasets {
        if let (Some(id), title, url) = licence(dataset) {
            found.entry(id).or_insert((title, url));
        }
    }
    let known = |id: &str| crate::vocabulary::LICENCES.iter().any(|licence| licence.ckan == id);
    let dict = |(id, (title, url)): (String, (Option<String>, Option<String>))| {
        let open = if known(&id) { "approved" } else { "not reviewed" };
        json!({
            "id": id,
            "title": title,
            "url": url,
            "status": "active",
            "od_conformance": open,
            "osd_conformance": "not reviewed",
            "domain_content": false,
            "domain_data": true,
            "domain_software": false,
            "family": "",
            "maintainer": "",
            "is_generic": false,
        })
    };
    Ok(found.into_iter().map(dict).collect())
}
