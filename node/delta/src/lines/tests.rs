use super::*;
use crate::hint::ColumnFacts;
use crate::schema::Kind;

fn metadata(kind: Kind) -> Metadata {
    Metadata {
        id: "air".into(),
        name: None,
        description: Some("Air\nquality".into()),
        columns: vec![Column { name: "n".into(), kind, nullable: true, comment: Some("how many".into()) }],
        version: Some(3),
        bytes: Some(573),
        files: Some(1),
        changes: true,
    }
}

fn file() -> File {
    File {
        url: "https://node.example/v1/files/a/0.parquet?X-Amz-Signature=00".into(),
        id: "a-0".into(),
        bytes: 573,
        facts: Facts {
            rows: 2,
            columns: vec![ColumnFacts {
                name: "n".into(),
                nulls: 1,
                range: Some([Literal::Whole(1), Literal::Whole(9)]),
            }],
        },
        version: Some(3),
        at: Some(1_652_140_000_000),
        expires: None,
    }
}

fn read(lines: Lines) -> Vec<Value> {
    let body = lines.finish();
    assert!(body.ends_with(b"\n"));
    let text = String::from_utf8(body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_older_form_is_as_the_specification_writes_it() {
    let mut lines = Lines::new(Form::Parquet, &metadata(Kind::Long));
    lines.file(&file());
    lines.change(Change::Cdf, &file());
    let lines = read(lines);
    assert_eq!(lines[0], json!({"protocol": {"minReaderVersion": 1}}));
    let meta = &lines[1]["metaData"];
    assert_eq!(meta["configuration"], json!({"enableChangeDataFeed": "true"}));
    assert_eq!(
        (&meta["partitionColumns"], &meta["version"], &meta["size"]),
        (&json!([]), &json!(3), &json!(573))
    );
    let schema: Value = serde_json::from_str(meta["schemaString"].as_str().unwrap()).unwrap();
    assert_eq!(
        schema,
        json!({"type": "struct", "fields": [
            {"name": "n", "type": "long", "nullable": true, "metadata": {"comment": "how many"}}]})
    );
    let stats: Value = serde_json::from_str(lines[2]["file"]["stats"].as_str().unwrap()).unwrap();
    assert_eq!(
        stats,
        json!({"numRecords": 2, "minValues": {"n": 1}, "maxValues": {"n": 9}, "nullCount": {"n": 1}})
    );
    assert_eq!(lines[3]["cdf"]["version"], 3);
    assert_eq!(lines[3]["cdf"]["timestamp"], 1_652_140_000_000_i64);
}

#[test]
fn the_newer_form_says_what_a_reader_must_know() {
    let mut lines = Lines::new(Form::Delta, &metadata(Kind::Timestamp));
    lines.file(&file());
    lines.change(Change::Remove, &file());
    let lines = read(lines);
    assert_eq!(lines[0]["protocol"]["deltaProtocol"]["readerFeatures"], json!(["timestampNtz"]));
    let meta = &lines[1]["metaData"]["deltaMetadata"];
    assert!(meta["schemaString"].as_str().unwrap().contains("timestamp_ntz"));
    assert_eq!(meta["configuration"], json!({"delta.enableChangeDataFeed": "true"}));
    let add = &lines[2]["file"]["deltaSingleAction"]["add"];
    assert_eq!((&add["path"], &add["dataChange"]), (&json!(file().url), &json!(true)));
    assert!(lines[3]["file"]["deltaSingleAction"]["remove"].is_object());
}
