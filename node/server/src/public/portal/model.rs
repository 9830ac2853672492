//! What the caller may see, in the words of the crate `portal`.

use ::portal::model::{
    AccessRights, Agent, Catalog, Column, Dataset, Distribution, Every, Form, Service, Text, Theme,
};
use catalog::{ColumnKind, DatasetId, Frequency, SharingKind, TimeUnit};

use crate::error::Result;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::public::{Caller, endpoint};
use crate::shown::{self, Shown};

/// All that the caller may discover.
///
/// # Errors
/// Any dataset that cannot be read or judged.
pub(super) fn shown(node: &Node, caller: &Caller) -> Result<Vec<Shown>> {
    shown::all(node, &Operation::begin(Actor::Node, &node.clock), caller)
}

/// One dataset; none where there is none, or the caller may not discover it.
pub(super) fn one(node: &Node, caller: &Caller, name: &str) -> Result<Option<Shown>> {
    // Only what is a name reaches the store.
    let Ok(name) = name.parse::<DatasetId>() else { return Ok(None) };
    shown::one(node, &Operation::begin(Actor::Node, &node.clock), caller, name.as_str())
}

/// The catalog with these datasets in it.
pub(super) fn catalog<'a>(node: &Node, datasets: impl IntoIterator<Item = &'a Shown>) -> Result<Catalog> {
    let base = endpoint(node)?.to_owned();
    let publisher = agency(node);
    let title = Text::new(
        format!("Danh mục dữ liệu của {}", publisher.title.first()),
        format!(
            "Data catalog of {}",
            if publisher.title.en.is_empty() { &publisher.title.vi } else { &publisher.title.en }
        ),
    );
    let description = Text::new(
        "Các bộ dữ liệu mà cơ quan công bố; ai được dùng gì do quy tắc của cơ quan quyết định.",
        "Datasets that the agency shows; who may have which is decided by the agency's rules.",
    );
    let datasets: Vec<Dataset> =
        datasets.into_iter().map(|shown| dataset(node, &base, &publisher, shown)).collect();
    let services = services(&base, &datasets);
    Ok(Catalog { base, publisher, title, description, services, datasets })
}

/// The services through which some of these datasets are had.
fn services(base: &str, datasets: &[Dataset]) -> Vec<Service> {
    let used = |name: &str| datasets.iter().flat_map(|one| &one.distributions).any(|d| d.name == name);
    let odata = Service {
        name: ODATA.to_owned(),
        title: Text::new("Truy vấn OData", "OData queries"),
        form: Form::OData,
        endpoint_url: format!("{base}/odata/v4/"),
        description_url: Some(format!("{base}/odata/v4/$metadata")),
    };
    let delta = Service {
        name: DELTA.to_owned(),
        title: Text::new("Chia sẻ Delta", "Delta Sharing"),
        form: Form::DeltaSharing,
        endpoint_url: format!("{base}/delta-sharing"),
        description_url: None,
    };
    [odata, delta].into_iter().filter(|service| used(&service.name)).collect()
}

const ODATA: &str = "odata";
const DELTA: &str = "delta";

fn agency(node: &Node) -> Agent {
    let section = &node.config.node;
    Agent {
        id: section.id.clone(),
        name: ::portal::slug(&section.id),
        title: Text::new(&section.name_vi, &section.name_en),
    }
}

/// Of a dataset that may be discovered and no more, only what [`Shown`] allows: title, description, keywords, theme, dates.
fn dataset(node: &Node, base: &str, publisher: &Agent, shown: &Shown) -> Dataset {
    let record = &shown.dataset.record;
    let more = shown.columns || shown.access.any();
    let public = record.kind == SharingKind::Open && shown.access.any();
    Dataset {
        name: record.id.to_string(),
        identifier: format!("{}/{}", node.config.node.id, record.id),
        title: text(&record.title),
        description: text(&record.description),
        keywords: record.keywords.clone(),
        publisher: publisher.clone(),
        theme: record.theme.as_deref().map(theme),
        version: record.version,
        rights: if public { AccessRights::Public } else { AccessRights::Restricted },
        sharing: more.then(|| sharing(record.kind).to_owned()),
        licence: record.licence.clone().filter(|_| more),
        every: record.frequency.filter(|_| more).map(every),
        issued: record.issued,
        modified: record.modified,
        distributions: distributions(node, base, shown),
        columns: if shown.columns { record.columns.iter().map(column).collect() } else { Vec::new() },
    }
}

/// Ways to the rows, for those who may go them.
fn distributions(node: &Node, base: &str, shown: &Shown) -> Vec<Distribution> {
    let new = |name: &str, title: Text, form: Form, access_url: String| Distribution {
        name: name.to_owned(),
        title,
        form,
        access_url,
        download_url: None,
        bytes: None,
        sha256: None,
    };
    let mut ways = Vec::new();
    if shown.access.query {
        let address = format!("{base}/odata/v4/{}", entity_set(shown.name()));
        ways.push(new(ODATA, Text::new("Truy vấn OData", "OData query"), Form::OData, address));
    }
    if shown.access.any() {
        let share = share(&node.config.node.id);
        let address = format!("{base}/delta-sharing/shares/{share}/schemas/datasets/tables/{}", shown.name());
        ways.push(new(DELTA, Text::new("Chia sẻ Delta", "Delta Sharing"), Form::DeltaSharing, address));
    }
    ways
}

/// The dataset's name as OData can say it, as the OData door has it: hyphens become `_`, a digit in front gets one before it.
fn entity_set(name: &str) -> String {
    let set = name.replace('-', "_");
    if set.starts_with(|c: char| c.is_ascii_digit()) { format!("_{set}") } else { set }
}

/// The share of this agency, as the door of Delta Sharing has it: the last word of its id.
fn share(id: &str) -> String {
    let last = id.rsplit(':').next().unwrap_or_default();
    DatasetId::suggest(last).map_or_else(|| "agency".to_owned(), String::from)
}

fn text(text: &catalog::Text) -> Text {
    Text::new(&text.vi, &text.en)
}

fn theme(title: &str) -> Theme {
    Theme { name: ::portal::slug(title), title: title.to_owned() }
}

fn sharing(kind: SharingKind) -> &'static str {
    match kind {
        SharingKind::Open => "open",
        SharingKind::Default => "default",
        SharingKind::Special => "special",
        SharingKind::Secret => "secret",
    }
}

fn every(frequency: Frequency) -> Every {
    match (frequency.every, frequency.unit) {
        (1, TimeUnit::Hour) => Every::Hour,
        (1, TimeUnit::Day) => Every::Day,
        (1, TimeUnit::Week) => Every::Week,
        (1, TimeUnit::Month) => Every::Month,
        (3, TimeUnit::Month) => Every::Quarter,
        (1, TimeUnit::Year) => Every::Year,
        _ => Every::Other,
    }
}

fn column(column: &catalog::Column) -> Column {
    let kind = match column.kind {
        ColumnKind::String => "string",
        ColumnKind::Integer => "integer",
        ColumnKind::Number => "number",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Date => "date",
        ColumnKind::Timestamp => "timestamp",
    };
    Column { name: column.name.clone(), kind: kind.to_owned(), description: text(&column.description) }
}
