//! The reading half of CKAN's Action API, version 3, over a [`Catalog`]: what `ckanapi`, `ckanext-harvest` and portals call.
//!
//! What clients rely on, and is kept here: each answer is an envelope with `success`; an error says its `__type`; a page past
//! the end is an empty page; lists have one order that does not change between pages; the id of a package never changes.
//! Actions that write do not exist. Whoever calls [`answer`] has already left out what the one who asks may not discover, so
//! that unknown and hidden are answered alike.

mod filter;
mod lists;
mod package;
mod params;
mod problem;
mod search;

pub use params::Params;
pub use problem::Problem;

use serde_json::{Value, json};

use crate::model::Catalog;

/// The version of CKAN whose answers these look like.
const CKAN_VERSION: &str = "2.11.0";

/// Finds datasets by words: their names, best first; none where the search failed.
pub type Find<'a> = dyn Fn(&str) -> Option<Vec<String>> + 'a;

/// What is sent back.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, JSON.
    pub body: Value,
}

type Outcome = Result<Value, Problem>;

/// One action: its name, what it gives, how.
struct Action {
    name: &'static str,
    help: &'static str,
    run: fn(&Call<'_>) -> Outcome,
}

/// One call of an action.
struct Call<'a> {
    catalog: &'a Catalog,
    params: &'a Params,
    find: &'a Find<'a>,
}

/// All there are.
const ACTIONS: [Action; 16] = [
    Action { name: "site_read", help: "Whether the site can be read: true.", run: |_| Ok(json!(true)) },
    Action { name: "status_show", help: "What this site is.", run: status },
    Action { name: "help_show", help: "What an action does. Parameter: name.", run: help },
    Action {
        name: "package_list",
        help: "Names of all packages. Parameters: limit, offset.",
        run: package::names,
    },
    Action { name: "package_show", help: "One package. Parameter: id (id or name).", run: package::show },
    Action {
        name: "package_search",
        help: "Packages that fit. Parameters: q, fq, fq_list, sort, rows, start, facet, facet.field, facet.limit, facet.mincount.",
        run: search::packages,
    },
    Action {
        name: "current_package_list_with_resources",
        help: "All packages, last changed first. Parameters: limit, offset.",
        run: package::current,
    },
    Action { name: "resource_show", help: "One resource. Parameter: id.", run: package::resource },
    Action { name: "resource_view_list", help: "Views of a resource: none.", run: package::views },
    Action {
        name: "organization_list",
        help: "Organizations. Parameters: all_fields, organizations, sort, limit, offset.",
        run: lists::organizations,
    },
    Action {
        name: "organization_show",
        help: "One organization. Parameters: id (id or name), include_datasets.",
        run: lists::organization,
    },
    Action {
        name: "group_list",
        help: "Groups: the sectors. Parameters as organization_list.",
        run: lists::groups,
    },
    Action {
        name: "group_show",
        help: "One group. Parameters: id (id or name), include_datasets.",
        run: lists::group,
    },
    Action { name: "tag_list", help: "Tags. Parameters: query, all_fields.", run: lists::tags },
    Action { name: "license_list", help: "Licences in use.", run: lists::licences },
    Action { name: "vocabulary_list", help: "Vocabularies of tags: none.", run: |_| Ok(json!([])) },
];

/// Answers a call.
pub fn answer(catalog: &Catalog, action: &str, params: &Params, find: &Find<'_>) -> Answer {
    let Some(known) = ACTIONS.iter().find(|known| known.name == action) else { return no_such(action) };
    match (known.run)(&Call { catalog, params, find }) {
        Ok(result) => Answer {
            status: 200,
            body: json!({ "help": help_url(&catalog.base, action), "success": true, "result": result }),
        },
        Err(problem) => refusal(&catalog.base, action, &problem),
    }
}

/// An error in the envelope that clients read.
pub fn refusal(base: &str, action: &str, problem: &Problem) -> Answer {
    if let Problem::BadRequest(text) = problem {
        return Answer { status: 400, body: json!(format!("Bad request - {text}")) };
    }
    Answer {
        status: problem.status(),
        body: json!({ "help": help_url(base, action), "success": false, "error": problem.body() }),
    }
}

/// What CKAN says of an action that it does not have.
pub fn no_such(action: &str) -> Answer {
    let named: String = action.chars().take(100).collect();
    Answer { status: 400, body: json!(format!("Bad request - Action name not known: {named}")) }
}

/// Whether there is an action of that name.
pub fn is_action(name: &str) -> bool {
    ACTIONS.iter().any(|action| action.name == name)
}

fn help_url(base: &str, action: &str) -> String {
    format!("{base}/api/3/action/help_show?name={}", crate::text::escaped(action))
}

fn status(call: &Call<'_>) -> Outcome {
    Ok(json!({
        "ckan_version": CKAN_VERSION,
        "site_url": call.catalog.base,
        "site_title": call.catalog.title.first(),
        "site_description": call.catalog.description.first(),
        "locale_default": "vi",
        "error_emails_to": Value::Null,
        "extensions": ["tram"],
    }))
}

fn help(call: &Call<'_>) -> Outcome {
    let name = call.params.demand("name")?;
    let action = ACTIONS.iter().find(|action| action.name == name);
    action.map(|action| json!(action.help)).ok_or_else(|| Problem::NotFound("Action".to_owned()))
}

#[cfg(test)]
mod tests;
