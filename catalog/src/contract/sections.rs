//! A contract as a record: which key of the standard stands for which field, section by section.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::levels::levels;
use super::promises;
use super::reader::{Choices, Object, Piece, Reader, get, join};
use crate::{
    CatalogError, Classification, Column, ColumnKind, DataClass, DatasetId, DatasetRecord, Format, Personal,
    Problem, Rule, SharingKind, Source, Status, Subject, Text,
};

/// Keys of the standard at the top; those that no section below reads are passed over.
const ROOT: &[&str] = &[
    "apiVersion",
    "kind",
    "id",
    "name",
    "version",
    "status",
    "tenant",
    "domain",
    "tags",
    "description",
    "contractCreatedTs",
    "customProperties",
    "servers",
    "schema",
    "slaProperties",
    "support",
    "price",
    "team",
    "roles",
    "authoritativeDefinitions",
    "dataProduct",
    "slaDefaultElement",
];
const ELEMENT: &[&str] = &[
    "id",
    "name",
    "physicalType",
    "physicalName",
    "description",
    "businessName",
    "authoritativeDefinitions",
    "tags",
    "customProperties",
    "logicalType",
    "properties",
    "relationships",
    "quality",
    "dataGranularityDescription",
];
const COLUMN: &[&str] = &[
    "id",
    "name",
    "physicalType",
    "physicalName",
    "description",
    "businessName",
    "authoritativeDefinitions",
    "tags",
    "customProperties",
    "logicalType",
    "logicalTypeOptions",
    "relationships",
    "quality",
    "primaryKey",
    "primaryKeyPosition",
    "required",
    "unique",
    "partitioned",
    "partitionKeyPosition",
    "classification",
    "encryptedName",
    "transformSourceObjects",
    "transformLogic",
    "transformDescription",
    "examples",
    "criticalDataElement",
];
const SERVER: &[&str] =
    &["id", "server", "type", "path", "format", "description", "environment", "roles", "customProperties"];
const DESCRIPTION: &[&str] =
    &["purpose", "usage", "limitations", "authoritativeDefinitions", "customProperties"];
const CONTRACT_PROPERTIES: &[&str] = &[
    "titleEn",
    "descriptionEn",
    "classification",
    "personal",
    "dataClass",
    "sharing",
    "subject",
    "groupBy",
    "purposes",
    "collections",
    "policyTags",
    "licence",
    "dpia",
    "receiptFirst",
    "appendBy",
];

const STATUS: &Choices<Status> =
    &[("draft", Status::Draft), ("active", Status::Published), ("retired", Status::Withdrawn)];
const PERSONAL: &Choices<Personal> =
    &[("none", Personal::None), ("basic", Personal::Basic), ("sensitive", Personal::Sensitive)];
const DATA_CLASS: &Choices<DataClass> =
    &[("other", DataClass::Other), ("important", DataClass::Important), ("core", DataClass::Core)];
const SHARING: &Choices<SharingKind> = &[
    ("open", SharingKind::Open),
    ("default", SharingKind::Default),
    ("special", SharingKind::Special),
    ("secret", SharingKind::Secret),
];
const FORMAT: &Choices<Format> =
    &[("csv", Format::Csv), ("ndjson", Format::Ndjson), ("json", Format::Json), ("parquet", Format::Parquet)];
const KIND: &Choices<ColumnKind> = &[
    ("string", ColumnKind::String),
    ("integer", ColumnKind::Integer),
    ("number", ColumnKind::Number),
    ("boolean", ColumnKind::Boolean),
    ("date", ColumnKind::Date),
    ("timestamp", ColumnKind::Timestamp),
];
/// The record of a contract, or all problems with their places in the contract.
pub(super) fn record(document: &Value, modified: i64) -> Result<DatasetRecord, CatalogError> {
    let mut reader = Reader::default();
    let whole = Piece { value: document, path: String::new() };
    let record = match reader.object(&whole, ROOT) {
        Some(root) => root_section(&mut reader, root, modified),
        None => None,
    };
    let mut problems = reader.problems;
    match record {
        Some(record) if problems.is_empty() => {
            let at_yaml = |p: Problem| Problem { path: yaml_path(&p.path), what: p.what };
            problems.extend(record.problems().into_iter().map(at_yaml));
            if problems.is_empty() { Ok(record) } else { Err(invalid(problems)) }
        }
        _ => Err(invalid(problems)),
    }
}

fn invalid(problems: Vec<Problem>) -> CatalogError {
    CatalogError::Invalid { of: "data contract", problems }
}

/// `None` only where a problem was noted.
fn root_section(reader: &mut Reader, root: &Object, modified: i64) -> Option<DatasetRecord> {
    standard(reader, root);
    let id = dataset_id(reader, root);
    let version = version(reader, root);
    let mut need = |key: &str| reader.needed(get(root, key, ""), key);
    let (name, status, tenant) = (need("name"), need("status"), need("tenant"));
    let title_vi = reader.text(name);
    let status = reader.choice(status, STATUS);
    let publisher = reader.text(tenant);
    let custom = reader.custom(get(root, "customProperties", ""), CONTRACT_PROPERTIES);
    let own = |name: &str| custom.get(name).cloned();
    let mut need = |name: &str| reader.needed(own(name), &join("customProperties", name));
    let (class, personal, sharing) = (need("classification"), need("personal"), need("sharing"));
    let classification = classification(reader, class);
    let personal = reader.choice(personal, PERSONAL);
    let kind = reader.choice(sharing, SHARING);
    let source = source(reader, root);
    let (columns, quality) = columns(reader, root);
    let (frequency, latency) = levels(reader, root);
    let issued = issued(reader, root, modified);
    let title_en = reader.text(own("titleEn")).unwrap_or_default();
    let description =
        Text { vi: description(reader, root), en: reader.text(own("descriptionEn")).unwrap_or_default() };
    Some(DatasetRecord {
        keywords: reader.texts(get(root, "tags", "")),
        theme: reader.text(get(root, "domain", "")),
        collections: reader.texts(own("collections")),
        tags: reader.texts(own("policyTags")),
        subject: subject(reader, own("subject")),
        group_by: reader.texts(own("groupBy")),
        purposes: reader.texts(own("purposes")),
        dpia: reader.text(own("dpia")),
        data_class: reader.choice(own("dataClass"), DATA_CLASS).unwrap_or_default(),
        receipt_first: reader.truth(own("receiptFirst")).unwrap_or_default(),
        append_by: reader.text(own("appendBy")),
        licence: reader.text(own("licence")),
        frequency,
        latency,
        quality,
        id: id?,
        version: version?,
        title: Text { vi: title_vi?, en: title_en },
        description,
        publisher: publisher?,
        status: status?,
        classification: classification?,
        personal: personal?,
        kind: kind?,
        source: source?,
        columns,
        issued,
        modified,
        contract_digest: None,
    })
}

fn standard(reader: &mut Reader, root: &Object) {
    let api = reader.needed(get(root, "apiVersion", ""), "apiVersion");
    if let Some(api) = reader.text(api)
        && !api.starts_with("v3.1.")
    {
        reader.add("apiVersion", "only version 3.1 of the standard is read; write `v3.1.0`");
    }
    let kind = reader.needed(get(root, "kind", ""), "kind");
    reader.choice(kind, &[("DataContract", ())]);
}

fn dataset_id(reader: &mut Reader, root: &Object) -> Option<DatasetId> {
    let id = reader.needed(get(root, "id", ""), "id");
    let text = reader.text(id)?;
    text.parse().map_err(|error: CatalogError| reader.add("id", error.to_string())).ok()
}

/// Whole versions only: `3.0.0`, `3.0` or `3`.
fn version(reader: &mut Reader, root: &Object) -> Option<u32> {
    let piece = reader.needed(get(root, "version", ""), "version")?;
    let text = match piece.value {
        Value::Number(number) => number.to_string(),
        _ => reader.text(Some(piece))?,
    };
    let mut parts = text.split('.');
    let first = parts.next().and_then(|p| p.parse::<u32>().ok()).filter(|version| *version > 0);
    match first {
        Some(version) if text.len() <= 20 && parts.all(|part| part == "0") => Some(version),
        _ => {
            reader.add("version", "datasets count whole versions from 1; write for example `2.0.0`");
            None
        }
    }
}

fn classification(reader: &mut Reader, piece: Option<Piece<'_>>) -> Option<Classification> {
    let path = piece.as_ref().map(|piece| piece.path.clone())?;
    let number = reader.number(piece)?;
    Classification::try_from(number).map_err(|error| reader.add(&path, error.to_string())).ok()
}

fn description(reader: &mut Reader, root: &Object) -> String {
    let Some(piece) = get(root, "description", "") else { return String::new() };
    let Some(map) = reader.object(&piece, DESCRIPTION) else { return String::new() };
    reader.text(get(map, "purpose", "description")).unwrap_or_default()
}

fn issued(reader: &mut Reader, root: &Object, modified: i64) -> i64 {
    let Some(text) = reader.text(get(root, "contractCreatedTs", "")) else { return modified };
    match OffsetDateTime::parse(&text, &Rfc3339) {
        Ok(time) => time.unix_timestamp(),
        Err(_) => {
            reader.add("contractCreatedTs", "expected a time such as `2026-11-20T08:00:00Z`");
            modified
        }
    }
}

fn source(reader: &mut Reader, root: &Object) -> Option<Source> {
    let piece = reader.needed(get(root, "servers", ""), "servers")?;
    let servers = reader.items(Some(piece));
    let [server] = servers.as_slice() else {
        reader.add("servers", format!("{} servers; a dataset has exactly one source", servers.len()));
        return None;
    };
    let map = reader.object(server, SERVER)?;
    let path = &server.path;
    let mut need = |key: &str| reader.needed(get(map, key, path), &join(path, key));
    let (name, kind, file, format) = (need("server"), need("type"), need("path"), need("format"));
    reader.text(name);
    reader.choice(kind, &[("local", ())]);
    let custom = reader.custom(get(map, "customProperties", path), &["delimiter"]);
    let delimiter = custom.get("delimiter").cloned();
    let delimiter_path = delimiter.as_ref().map(|piece| piece.path.clone()).unwrap_or_default();
    let delimiter = reader.text(delimiter).and_then(|text| {
        let mut chars = text.chars();
        let only = chars.next().filter(|_| chars.next().is_none());
        if only.is_none() {
            reader.add(&delimiter_path, "expected one character");
        }
        only
    });
    let (file, format) = (reader.text(file), reader.choice(format, FORMAT));
    Some(Source { path: file?, format: format?, delimiter })
}

fn columns(reader: &mut Reader, root: &Object) -> (Vec<Column>, Vec<Rule>) {
    let piece = reader.needed(get(root, "schema", ""), "schema");
    let Some(piece) = piece else { return Default::default() };
    let tables = reader.items(Some(piece));
    let [table] = tables.as_slice() else {
        reader.add("schema", format!("{} tables; a dataset has exactly one", tables.len()));
        return Default::default();
    };
    let Some(map) = reader.object(table, ELEMENT) else { return Default::default() };
    let path = &table.path;
    let name = reader.needed(get(map, "name", path), &join(path, "name"));
    reader.text(name);
    reader.choice(get(map, "logicalType", path), &[("object", ())]);
    let properties = reader.needed(get(map, "properties", path), &join(path, "properties"));
    let columns = reader.items(properties).into_iter().filter_map(|piece| column(reader, &piece)).collect();
    (columns, promises::rules(reader, get(map, "quality", path)))
}

fn column(reader: &mut Reader, piece: &Piece<'_>) -> Option<Column> {
    let map = reader.object(piece, COLUMN)?;
    let path = &piece.path;
    let mut need = |key: &str| reader.needed(get(map, key, path), &join(path, key));
    let (name, kind) = (need("name"), need("logicalType"));
    let (name, kind) = (reader.text(name), reader.choice(kind, KIND));
    let custom =
        reader.custom(get(map, "customProperties", path), &["descriptionEn", "personal", "unit", "codes"]);
    let own = |name: &str| custom.get(name).cloned();
    let mut promised = promises::column(reader, map, path, kind);
    promised.unit = reader.text(own("unit"));
    promised.codes = reader.texts(own("codes"));
    let vi = reader.text(get(map, "description", path)).unwrap_or_default();
    let en = reader.text(own("descriptionEn")).unwrap_or_default();
    let required = reader.truth(get(map, "required", path)).unwrap_or(false);
    Some(Column {
        nullable: !required,
        description: Text { vi, en },
        personal: reader.choice(own("personal"), PERSONAL).unwrap_or_default(),
        classification: classification(reader, get(map, "classification", path)),
        promises: promised,
        name: name?,
        kind: kind?,
    })
}

fn subject(reader: &mut Reader, piece: Option<Piece<'_>>) -> Option<Subject> {
    let piece = piece?;
    let map = reader.object(&piece, &["key", "count"])?;
    let key = reader.text(get(map, "key", &piece.path));
    let count = reader.text(get(map, "count", &piece.path));
    match (key, count) {
        (Some(column), None) => Some(Subject::Key(column)),
        (None, Some(column)) => Some(Subject::Count(column)),
        _ => {
            reader.add(&piece.path, "name one column, as `{key: column}` or `{count: column}`");
            None
        }
    }
}

/// The place in the contract of a field of the record.
fn yaml_path(field: &str) -> String {
    const PLACES: &[(&str, &str)] = &[
        ("title.vi", "name"),
        ("title.en", "customProperties.titleEn"),
        ("description.vi", "description.purpose"),
        ("description.en", "customProperties.descriptionEn"),
        ("keywords", "tags"),
        ("publisher", "tenant"),
        ("theme", "domain"),
        ("kind", "customProperties.sharing"),
        ("classification", "customProperties.classification"),
        ("personal", "customProperties.personal"),
        ("data_class", "customProperties.dataClass"),
        ("subject", "customProperties.subject"),
        ("group_by", "customProperties.groupBy"),
        ("purposes", "customProperties.purposes"),
        ("collections", "customProperties.collections"),
        ("tags", "customProperties.policyTags"),
        ("licence", "customProperties.licence"),
        ("dpia", "customProperties.dpia"),
        ("receipt_first", "customProperties.receiptFirst"),
        ("append_by", "customProperties.appendBy"),
        ("frequency", "slaProperties"),
        ("latency", "slaProperties"),
        ("quality", "schema[0].quality"),
        ("modified", "contractCreatedTs"),
        ("source.delimiter", "servers[0].customProperties.delimiter"),
        ("source", "servers[0]"),
        ("columns", "schema[0].properties"),
    ];
    let renamed = PLACES.iter().find_map(|(ours, theirs)| {
        let rest = field.strip_prefix(ours)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{theirs}{rest}"))
    });
    let path = renamed.unwrap_or_else(|| field.to_owned());
    // Below a column our names differ once more.
    if let Some((column, name)) = path.split_once("].promises.") {
        return format!("{column}].{}{name}", promises::place(name));
    }
    match path.rsplit_once("].") {
        Some((column, "description.vi")) => format!("{column}].description"),
        Some((column, "description.en")) => format!("{column}].customProperties.descriptionEn"),
        Some((column, "personal")) => format!("{column}].customProperties.personal"),
        _ => path,
    }
}
