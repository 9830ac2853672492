//! Datasets as CKAN's packages, distributions as its resources.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Call, Outcome, Problem};
use crate::limits::CKAN_LIST_MAX;
use crate::model::{Agent, Catalog, Dataset, Distribution, Form, Theme};
use crate::rdf::statements::media_type;
use crate::slug;
use crate::text::{ckan_time, keywords as tags};
use crate::vocabulary;

/// An id in the form of a UUID (RFC 9562 §5.8, version 8: from SHA-256 of a name). CKAN's harvesters keep it for ever, so it
/// comes from what never changes: what kind of thing it is, and what others know it by.
pub(super) fn id(kind: &str, name: &str) -> String {
    let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize();
    let mut hex: Vec<char> =
        digest.iter().take(16).flat_map(|byte| format!("{byte:02x}").chars().collect::<Vec<_>>()).collect();
    if let Some(version) = hex.get_mut(12) {
        *version = '8';
    }
    if let Some(variant) = hex.get_mut(16) {
        *variant = ['8', '9', 'a', 'b'][usize::from(digest[8] >> 6)];
    }
    for at in [20, 16, 12, 8] {
        hex.insert(at, '-');
    }
    hex.into_iter().collect()
}

pub(super) fn package_id(dataset: &Dataset) -> String {
    id("package", &dataset.identifier)
}

/// A dataset as `package_show` gives it.
pub(super) fn package(catalog: &Catalog, dataset: &Dataset) -> Value {
    let package_id = package_id(dataset);
    let resources: Vec<Value> = dataset
        .distributions
        .iter()
        .enumerate()
        .map(|(at, d)| resource_of(dataset, &package_id, d, at))
        .collect();
    let tags: Vec<Value> = tags(dataset).iter().map(|tag| tag_dict(tag)).collect();
    let groups: Vec<Value> = dataset.theme.iter().map(group_in_package).collect();
    let (licence_id, licence_title, licence_url) = licence(dataset);
    json!({
        "id": package_id,
        "name": dataset.name,
        "title": dataset.title.first(),
        "type": "dataset",
        "notes": dataset.description.or(&dataset.title).first(),
        "url": catalog.dataset_url(&dataset.name),
        "version": dataset.version.to_string(),
        "author": dataset.publisher.title.first(),
        "author_email": Value::Null,
        "maintainer": Value::Null,
        "maintainer_email": Value::Null,
        "license_id": licence_id,
        "license_title": licence_title,
        "license_url": licence_url,
        "isopen": licence_id.as_deref().is_some_and(|id| vocabulary::LICENCES.iter().any(|l| l.ckan == id)),
        "owner_org": organization_id(&dataset.publisher),
        "organization": organization_in_package(&dataset.publisher),
        "groups": groups,
        "num_resources": resources.len(),
        "num_tags": tags.len(),
        "resources": resources,
        "tags": tags,
        "extras": extras(catalog, dataset),
        "metadata_created": ckan_time(dataset.issued),
        "metadata_modified": ckan_time(dataset.modified),
        "private": false,
        "state": "active",
        "relationships_as_subject": [],
        "relationships_as_object": [],
    })
}

fn extras(catalog: &Catalog, dataset: &Dataset) -> Vec<Value> {
    let mut extras = vec![
        ("access_rights", dataset.rights.word().to_owned()),
        ("identifier", dataset.identifier.clone()),
        ("publisher_uri", dataset.publisher.id.clone()),
        ("uri", catalog.dataset_url(&dataset.name)),
    ];
    if let Some(sharing) = &dataset.sharing {
        extras.push(("sharing", sharing.clone()));
    }
    if let Some(title) = dataset.title.second() {
        extras.push(("title_en", title.to_owned()));
    }
    if let Some(description) = dataset.description.second() {
        extras.push(("notes_en", description.to_owned()));
    }
    if let Some(theme) = &dataset.theme {
        extras.push(("theme_title", theme.title.clone()));
    }
    extras.sort();
    extras.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

fn resource_of(dataset: &Dataset, package_id: &str, distribution: &Distribution, position: usize) -> Value {
    let format = format_word(distribution.form);
    json!({
        "id": resource_id(dataset, distribution),
        "package_id": package_id,
        "name": distribution.title.first(),
        "description": "",
        "url": distribution.download_url.as_ref().unwrap_or(&distribution.access_url),
        "format": format,
        "mimetype": media_type(distribution.form),
        "hash": distribution.sha256.as_ref().map_or("", |sum| sum.0.as_str()),
        "size": distribution.bytes,
        "created": ckan_time(dataset.issued),
        "last_modified": ckan_time(dataset.modified),
        "metadata_modified": ckan_time(dataset.modified),
        "position": position,
        "resource_type": Value::Null,
        "url_type": Value::Null,
        "datastore_active": false,
        "state": "active",
    })
}

fn resource_id(dataset: &Dataset, distribution: &Distribution) -> String {
    id("resource", &format!("{}#{}", dataset.identifier, distribution.name))
}

/// The word by which CKAN's pages sort forms.
pub(super) fn format_word(form: Form) -> &'static str {
    match form {
        Form::OData => "OData",
        Form::DeltaSharing => "Delta Sharing",
        Form::Page => "HTML",
        Form::Csv => "CSV",
        Form::Json => "JSON",
        Form::Parquet => "Parquet",
    }
}

pub(super) fn tag_dict(tag: &str) -> Value {
    json!({ "id": id("tag", tag), "name": tag, "display_name": tag, "state": "active", "vocabulary_id": Value::Null })
}

/// Id, title and address of a dataset's licence, as far as there are such.
pub(super) fn licence(dataset: &Dataset) -> (Option<String>, Option<String>, Option<String>) {
    let Some(text) = &dataset.licence else { return (None, None, None) };
    if let Some(known) = vocabulary::licence(text) {
        return (Some(known.ckan.to_owned()), Some(known.title.to_owned()), Some(known.url.to_owned()));
    }
    let url = vocabulary::is_address(text).then(|| text.clone());
    (Some(slug(text)), Some(text.clone()), url)
}

pub(super) fn organization_id(agent: &Agent) -> String {
    id("organization", &agent.id)
}

fn organization_in_package(agent: &Agent) -> Value {
    json!({
        "id": organization_id(agent),
        "name": agent.name,
        "title": agent.title.first(),
        "type": "organization",
        "description": agent.title.second().unwrap_or_default(),
        "image_url": "",
        "is_organization": true,
        "approval_status": "approved",
        "state": "active",
    })
}

pub(super) fn group_id(theme: &Theme) -> String {
    id("group", &theme.name)
}

fn group_in_package(theme: &Theme) -> Value {
    json!({
        "id": group_id(theme),
        "name": theme.name,
        "title": theme.title,
        "display_name": theme.title,
        "description": "",
        "image_display_url": "",
    })
}

/// The part of a list that `offset` and `limit` name.
pub(super) fn window<'a, T>(call: &Call<'_>, all: &'a [T], most: usize) -> Result<&'a [T], Problem> {
    let offset = call.params.number("offset")?.unwrap_or(0).min(all.len());
    let limit = call.params.number("limit")?.unwrap_or(most).min(most);
    Ok(&all[offset..offset.saturating_add(limit).min(all.len())])
}

pub(super) fn names(call: &Call<'_>) -> Outcome {
    let mut names: Vec<&str> = call.catalog.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    names.sort_unstable();
    Ok(json!(window(call, &names, usize::MAX)?))
}

/// A dataset by id or name. One that is hidden and one that is not there are the same here.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    let wanted = call.params.text("id")?.or(call.params.text("name_or_id")?);
    let wanted = wanted.ok_or_else(|| super::params::invalid("id", "Missing value"))?;
    let fits = |dataset: &&Dataset| dataset.name == wanted || package_id(dataset) == wanted;
    let dataset = call.catalog.datasets.iter().find(fits);
    let dataset = dataset.ok_or_else(|| Problem::NotFound("Dataset".to_owned()))?;
    Ok(package(call.catalog, dataset))
}

pub(super) fn current(call: &Call<'_>) -> Outcome {
    let mut all: Vec<(i64, String, &Dataset)> = call
        .catalog
        .datasets
        .iter()
        .map(|dataset| (-dataset.modified, package_id(dataset), dataset))
        .collect();
    all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let page = window(call, &all, CKAN_LIST_MAX)?;
    Ok(page.iter().map(|(_, _, dataset)| package(call.catalog, dataset)).collect())
}

fn find_resource(call: &Call<'_>) -> Outcome {
    let wanted = call.params.demand("id")?;
    for dataset in &call.catalog.datasets {
        for (at, distribution) in dataset.distributions.iter().enumerate() {
            if resource_id(dataset, distribution) == wanted {
                return Ok(resource_of(dataset, &package_id(dataset), distribution, at));
            }
        }
    }
    Err(Problem::NotFound("Resource".to_owned()))
}

pub(super) fn resource(call: &Call<'_>) -> Outcome {
    find_resource(call)
}

/// No resource has a view; but one must be there to have none.
pub(super) fn views(call: &Call<'_>) -> Outcome {
    find_resource(call).map(|_| json!([]))
}
