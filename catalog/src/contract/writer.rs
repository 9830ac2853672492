//! A record as a contract. Leaves out what is empty, so that the file stays short enough to read.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{API_VERSION, FREQUENCY, LATENCY, promises};
use crate::{CatalogError, Column, DatasetRecord, Format, Latency, Personal, Problem, Status};

const HEADING: &str = "\
# Hợp đồng dữ liệu (ODCS 3.1). Sửa tệp này rồi chạy `tram dataset validate`.
#   personal: none = không có dữ liệu cá nhân, basic = cơ bản, sensitive = nhạy cảm
#   sharing:  open = mở, default = chia sẻ mặc định, special = theo yêu cầu đặc thù, secret = bí mật
#   classification: 0 (mở) đến 9 (hạn chế nhất)
# Data contract (ODCS 3.1). Edit this file, then run `tram dataset validate`.
";

pub(super) fn write(record: &DatasetRecord) -> Result<String, CatalogError> {
    record.check()?;
    let document = document(record)?;
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut text = String::from(HEADING);
    serde_saphyr::to_fmt_writer_with_options(&mut text, &document, options)
        .map_err(|error| CatalogError::Unwritable { what: error.to_string() })?;
    Ok(text)
}

fn document(record: &DatasetRecord) -> Result<Value, CatalogError> {
    let mut root = Map::new();
    let mut set = |key: &str, value: Value| {
        if !is_empty(&value) {
            root.insert(key.to_owned(), value);
        }
    };
    set("apiVersion", json!(API_VERSION));
    set("kind", json!("DataContract"));
    set("id", json!(record.id));
    set("name", json!(record.title.vi));
    set("version", json!(format!("{}.0.0", record.version)));
    set("status", json!(status(record.status)));
    set("tenant", json!(record.publisher));
    set("domain", json!(record.theme));
    set("tags", json!(record.keywords));
    set("description", compact(json!({"purpose": record.description.vi})));
    set("contractCreatedTs", json!(timestamp(record.issued)?));
    set("customProperties", contract_properties(record));
    set("servers", json!([server(record)]));
    set("schema", json!([table(record)]));
    set("slaProperties", Value::Array(levels(record)));
    Ok(Value::Object(root))
}

fn levels(record: &DatasetRecord) -> Vec<Value> {
    let frequency =
        record.frequency.map(|f| json!({"property": FREQUENCY, "value": f.every, "unit": f.unit}));
    let latency = record.latency.as_ref().map(|latency| {
        let Latency { column, within } = latency;
        json!({"property": LATENCY, "value": within.every, "unit": within.unit, "element": format!("{}.{column}", record.id)})
    });
    frequency.into_iter().chain(latency).collect()
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Draft => "draft",
        Status::Published => "active",
        Status::Withdrawn => "retired",
    }
}

fn timestamp(unix_s: i64) -> Result<String, CatalogError> {
    OffsetDateTime::from_unix_timestamp(unix_s).ok().and_then(|t| t.format(&Rfc3339).ok()).ok_or_else(|| {
        let problems = vec![Problem::new("issued", format!("`{unix_s}` is no time a calendar can show"))];
        CatalogError::Invalid { of: "dataset record", problems }
    })
}

fn contract_properties(record: &DatasetRecord) -> Value {
    properties([
        ("titleEn", json!(record.title.en)),
        ("descriptionEn", json!(record.description.en)),
        ("classification", json!(record.classification)),
        ("personal", json!(record.personal)),
        // Written only where it is so, like `receiptFirst`.
        ("dataClass", json!((!record.data_class.is_other()).then_some(record.data_class))),
        ("sharing", json!(record.kind)),
        ("subject", json!(record.subject)),
        ("groupBy", json!(record.group_by)),
        ("purposes", json!(record.purposes)),
        ("collections", json!(record.collections)),
        ("policyTags", json!(record.tags)),
        ("licence", json!(record.licence)),
        ("dpia", json!(record.dpia)),
        // Written only where it is so: contracts of other datasets stay as they were.
        ("receiptFirst", json!(record.receipt_first.then_some(true))),
        ("appendBy", json!(record.append_by)),
    ])
}

fn server(record: &DatasetRecord) -> Value {
    compact(json!({
        "server": "source",
        "type": "local",
        "path": record.source.path,
        "format": format_name(record.source.format),
        "customProperties": properties([("delimiter", json!(record.source.delimiter))]),
    }))
}

pub(super) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Csv => "csv",
        Format::Ndjson => "ndjson",
        Format::Json => "json",
        Format::Parquet => "parquet",
    }
}

fn table(record: &DatasetRecord) -> Value {
    let columns: Vec<Value> = record.columns.iter().map(column).collect();
    compact(json!({
        "name": record.id,
        "physicalType": "file",
        "logicalType": "object",
        "properties": columns,
        "quality": promises::write_rules(&record.quality),
    }))
}

fn column(column: &Column) -> Value {
    let personal = (column.personal != Personal::None).then_some(column.personal);
    let mut value = compact(json!({
        "name": column.name,
        "logicalType": column.kind,
        "description": column.description.vi,
        "classification": column.classification.map(|class| class.get().to_string()),
        "customProperties": properties([
            ("descriptionEn", json!(column.description.en)),
            ("personal", json!(personal)),
            ("unit", json!(column.promises.unit)),
            ("codes", json!(column.promises.codes)),
        ]),
    }));
    if let Some(map) = value.as_object_mut() {
        if !column.nullable {
            map.insert("required".to_owned(), json!(true));
        }
        promises::write_column(column, map);
    }
    value
}

fn properties<const N: usize>(list: [(&str, Value); N]) -> Value {
    let kept = list.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Array(kept.map(|(property, value)| json!({"property": property, "value": value})).collect())
}

/// An object without its empty members.
pub(super) fn compact(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(_, value)| !is_empty(value)).collect()),
        other => other,
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
