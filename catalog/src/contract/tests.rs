//! Contracts held against the records they came from, against what people get wrong, and against the standard's schema.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use super::{digest, parse, read, write};
use crate::{
    Arguments, CatalogError, Classification, Column, ColumnKind, DataClass, DatasetId, DatasetRecord, Expect,
    Format, Frequency, Latency, Measure, Metric, Personal, Rule, RuleUnit, Severity, SharingKind, Source,
    Status, Subject, Text, TimeUnit, limits,
};

const NOW: i64 = 1_795_000_000;

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRAM_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("SKIPPED: `{}` is not there", found.display());
    None
}

fn csv(path: &str) -> Source {
    Source { path: path.to_owned(), format: Format::Csv, delimiter: Some(',') }
}

fn draft() -> DatasetRecord {
    let columns = vec![
        Column::new("ma_benh_nhan", ColumnKind::String, false),
        Column::new("Phường", ColumnKind::String, true),
        Column::new("cases", ColumnKind::Integer, false),
    ];
    DatasetRecord::draft(
        "dengue-cases".parse().unwrap(),
        "urn:agency:vn:health",
        csv("data/dengue.csv"),
        columns,
        NOW,
    )
}

/// Every field says something.
fn full() -> DatasetRecord {
    let mut record = draft();
    record.version = 3;
    record.title = Text::new("Ca sốt xuất huyết: theo phường", "Dengue cases # by ward");
    record.description = Text::new(
        "Dòng một.\n\n  Dòng hai: \"trích\"",
        "One line.\nAnother, a very long line that goes on and on beyond the eighty columns of a terminal, to see it stays whole",
    );
    record.keywords = vec!["y tế".to_owned(), "no".to_owned(), "1.0".to_owned()];
    record.theme = Some("health".to_owned());
    record.status = Status::Published;
    record.classification = Classification::try_from(3).unwrap();
    record.collections = vec!["co-health".to_owned()];
    record.tags = vec!["epidemic".to_owned()];
    record.subject = Some(Subject::Key("ma_benh_nhan".to_owned()));
    record.group_by = vec!["Phường".to_owned()];
    record.purposes = vec!["epidemiology".to_owned()];
    record.dpia = Some("DPIA-2026-07".to_owned());
    record.receipt_first = true;
    record.append_by = Some("so".to_owned());
    record.columns.push(Column::new("so", ColumnKind::Integer, false));
    record.data_class = DataClass::Important;
    record.licence = Some("CC-BY-4.0".to_owned());
    record.frequency = Some(Frequency { every: 1, unit: TimeUnit::Month });
    record.issued = NOW - 86_400;
    record.columns[0].description = Text::new("Mã bệnh nhân", "Patient code");
    record.columns[0].classification = Some(Classification::try_from(2).unwrap());
    promise(&mut record);
    record
}

fn rule(metric: Metric, expect: Expect) -> Rule {
    let measure = Measure::Library { metric, unit: RuleUnit::Rows, arguments: Arguments::default() };
    Rule { name: None, severity: Severity::Error, measure, expect }
}

fn promise(record: &mut DatasetRecord) {
    record.columns.push(Column::new("ngay", ColumnKind::Date, true));
    record.latency =
        Some(Latency { column: "ngay".to_owned(), within: Frequency { every: 40, unit: TimeUnit::Day } });
    let key = &mut record.columns[0].promises;
    (key.primary_key, key.key_position, key.unique) = (true, Some(1), true);
    (key.min_length, key.max_length) = (Some(1), Some(12));
    (key.id, key.pattern) = (Some("c-1".to_owned()), Some("^BN[0-9]+$".to_owned()));
    let arguments = Arguments {
        valid_values: vec!["1".to_owned(), "Hàng Bạc".to_owned()],
        pattern: Some("^.*$".to_owned()),
        missing_values: vec!["N/A".to_owned()],
        properties: Vec::new(),
    };
    let measure = Measure::Library { metric: Metric::InvalidValues, unit: RuleUnit::Percent, arguments };
    let expect = Expect::MustBeBetween([0.into(), serde_json::Number::from_f64(0.5).unwrap()]);
    record.columns[1].promises.codes = vec!["Hàng Bạc".to_owned(), "01".to_owned()];
    record.columns[1].promises.quality =
        vec![Rule { name: Some("ward".to_owned()), severity: Severity::Warning, measure, expect }];
    let cases = &mut record.columns[2].promises;
    cases.unit = Some("1".to_owned());
    (cases.minimum, cases.maximum) = (Some(0.into()), serde_json::Number::from_f64(1e6));
    let query = "select count(*) from t".to_owned();
    record.quality = vec![
        rule(Metric::RowCount, Expect::MustBeGreaterThan(0.into())),
        Rule { measure: Measure::Sql { query }, ..rule(Metric::RowCount, Expect::MustNotBe(0.into())) },
    ];
}

fn with_digest(mut record: DatasetRecord, yaml: &str) -> DatasetRecord {
    record.contract_digest = Some(digest(yaml));
    record
}

#[test]
fn a_draft_is_strict_and_comes_back_as_it_was() {
    let record = draft();
    assert_eq!((record.kind, record.classification), (SharingKind::Special, Classification::MAX));
    assert_eq!((record.personal, record.columns[0].personal), (Personal::Sensitive, Personal::Sensitive));
    let yaml = write(&record).unwrap();
    assert!(
        !yaml.contains("receiptFirst") && !yaml.contains("appendBy") && !yaml.contains("dataClass"),
        "{yaml}"
    );
    assert_eq!(read(&yaml, NOW).unwrap(), with_digest(record, &yaml));
}

#[test]
fn a_dataset_grows_only_by_a_column_that_has_an_order_and_is_never_missing() {
    let bad = |name: &str, column: Column| {
        let mut record = draft();
        record.columns.push(column);
        record.append_by = Some(name.to_owned());
        record.check().unwrap_err().to_string()
    };
    let day = || Column::new("luc", ColumnKind::Timestamp, false);
    assert!(bad("gio", day()).contains("there is no column `gio`"));
    for kind in [ColumnKind::String, ColumnKind::Number, ColumnKind::Boolean] {
        let told = bad("luc", Column::new("luc", kind, false));
        assert!(told.contains("append_by") && told.contains("days"), "{told}");
    }
    assert!(bad("luc", Column::new("luc", ColumnKind::Date, true)).contains("required: true"));
    let mut good = draft();
    good.columns.push(day());
    good.append_by = Some("luc".to_owned());
    good.check().unwrap();
    // In the words of the contract.
    let yaml = write(&good).unwrap().replace("value: luc", "value: gio");
    let told = read(&yaml, NOW).unwrap_err().to_string();
    assert!(told.contains("customProperties.appendBy"), "{told}");
}

#[test]
fn a_full_record_comes_back_as_it_was() {
    let yaml = write(&full()).unwrap();
    assert_eq!(read(&yaml, NOW).unwrap(), with_digest(full(), &yaml), "{yaml}");
    assert_eq!(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn both_are_valid_under_the_standards_schema() {
    let Some(path) = shared("vectors/odcs/odcs-json-schema-v3.1.0.json") else { return };
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for record in [draft(), full()] {
        let document = parse(&write(&record).unwrap()).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    let mut wrong = parse(&write(&full()).unwrap()).unwrap();
    wrong["schema"][0]["properties"][0]["logicalType"] = "text".into();
    assert!(!validator.is_valid(&wrong), "the schema notices a wrong type");
    wrong = parse(&write(&full()).unwrap()).unwrap();
    wrong["classification"] = 3.into();
    assert!(!validator.is_valid(&wrong), "the schema notices a field that is not the standard's");
}

#[test]
fn the_contract_of_the_docs_is_valid_under_the_standards_schema_and_reads() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/contracts.md");
    let text = std::fs::read_to_string(docs).unwrap();
    let yaml = text.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let record = read(yaml, NOW).unwrap();
    assert_eq!(record.primary_key().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["tram", "luc"]);
    let Some(path) = shared("vectors/odcs/odcs-json-schema-v3.1.0.json") else { return };
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&parse(yaml).unwrap()));
}

/// Changes one thing in the full contract and gives the problems found.
fn problems_of(change: impl Fn(&mut Value)) -> Vec<String> {
    let mut document = parse(&write(&full()).unwrap()).unwrap();
    change(&mut document);
    let yaml = serde_json::to_string_pretty(&document).unwrap();
    match read(&yaml, NOW) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert!(!error.problems().is_empty(), "{error}");
            error.problems().iter().map(ToString::to_string).collect()
        }
    }
}

fn custom(document: &mut Value, name: &str, value: Option<Value>) {
    let list = document["customProperties"].as_array_mut().unwrap();
    list.retain(|p| p["property"] != name);
    list.extend(value.map(|value| serde_json::json!({"property": name, "value": value})));
}

#[test]
fn each_mistake_is_named_by_its_place() {
    type Change = fn(&mut Value);
    let cases: &[(Change, &str)] = &[
        (|d| d["apiVersion"] = "v2.2.0".into(), "`apiVersion`: only version 3.1"),
        (|d| d["kind"] = "DataProduct".into(), "`kind`: `DataProduct` is not known here; use `DataContract`"),
        (|d| d["id"] = "Dengue".into(), "`id`: `Dengue` is no dataset name"),
        (|d| d["name"] = "".into(), "`name`: the Vietnamese title is missing"),
        (|d| d["version"] = "1.2.0".into(), "`version`: datasets count whole versions"),
        (|d| d["version"] = "0.0.0".into(), "`version`: datasets count whole versions"),
        (|d| d["status"] = "published".into(), "use `draft`, `active`, `retired`"),
        (|d| d["tenant"] = Value::Null, "`tenant`: it is missing"),
        (|d| d["tags"] = "health".into(), "`tags`: expected a list"),
        (|d| d["tags"][0] = 5.into(), "`tags[0]`: expected a text; put it in quotes"),
        (|d| d["tags"][0] = " ".into(), "`tags[0]`: write 1 to 100 characters"),
        (|d| d["tags"][1] = "y tế".into(), "`tags[1]`: `y tế` is listed twice"),
        (|d| d["description"]["goal"] = "x".into(), "`description.goal`: unknown key"),
        (|d| d["contractCreatedTs"] = "yesterday".into(), "`contractCreatedTs`: expected a time"),
        (
            |d| d["contractCreatedTs"] = "2999-01-01T00:00:00Z".into(),
            "`contractCreatedTs`: it is before `issued`",
        ),
        (|d| d["shema"] = 1.into(), "`shema`: unknown key (did you mean `schema`?)"),
        (|d| custom(d, "classification", None), "`customProperties.classification`: it is missing"),
        (
            |d| custom(d, "classification", Some(10.into())),
            "`customProperties.classification`: `10` is no classification",
        ),
        (|d| custom(d, "classification", Some("high".into())), "expected a whole number"),
        (|d| custom(d, "personal", None), "`customProperties.personal`: it is missing"),
        (|d| custom(d, "sharing", None), "`customProperties.sharing`: it is missing"),
        (|d| custom(d, "sharing", Some("public".into())), "use `open`, `default`, `special`, `secret`"),
        (
            |d| custom(d, "sharing", Some("open".into())),
            "`customProperties.sharing`: personal data cannot be open",
        ),
        (
            |d| custom(d, "personal", Some("none".into())),
            "`schema[0].properties[0].customProperties.personal`: `ma_benh_nhan` is stricter",
        ),
        (
            |d| custom(d, "classification", Some(1.into())),
            "`schema[0].properties[0].classification`: `ma_benh_nhan` is above",
        ),
        (
            |d| custom(d, "groupby", Some("x".into())),
            "`customProperties.groupby`: unknown property (did you mean `groupBy`?)",
        ),
        (
            |d| custom(d, "groupBy", Some(serde_json::json!(["ward"]))),
            "`customProperties.groupBy[0]`: there is no column `ward`",
        ),
        (
            |d| custom(d, "groupBy", Some(serde_json::json!(["ma_benh_nhan"]))),
            "`customProperties.groupBy`: `ma_benh_nhan` tells people apart",
        ),
        (
            |d| custom(d, "subject", Some(serde_json::json!({"key": "x"}))),
            "`customProperties.subject`: there is no column `x`",
        ),
        (
            |d| custom(d, "subject", Some(serde_json::json!({"key": "cases", "count": "cases"}))),
            "name one column",
        ),
        (|d| d["servers"] = serde_json::json!([]), "`servers`: 0 servers"),
        (|d| d["servers"][0]["type"] = "postgres".into(), "`servers[0].type`: `postgres` is not known here"),
        (|d| d["servers"][0]["format"] = "xls".into(), "`servers[0].format`: `xls` is not known here"),
        (|d| d["servers"][0]["format"] = "json".into(), "`servers[0].customProperties.delimiter`: only CSV"),
        (|d| d["servers"][0]["path"] = "".into(), "`servers[0].path`: write 1 to 1024 bytes"),
        (|d| d["servers"][0]["customProperties"][0]["value"] = ";;".into(), "expected one character"),
        (|d| d["schema"] = Value::Null, "`schema`: it is missing"),
        (|d| d["schema"][0]["properties"] = serde_json::json!([]), "`schema[0].properties`: 0 columns"),
        (
            |d| d["schema"][0]["properties"][2]["logicalType"] = "int".into(),
            "`schema[0].properties[2].logicalType`: `int` is not known here; use `string`, `integer`",
        ),
        (
            |d| d["schema"][0]["properties"][2]["name"] = "Phường".into(),
            "`schema[0].properties[2].name`: `Phường` comes twice",
        ),
        (|d| d["schema"][0]["properties"][2]["requierd"] = true.into(), "(did you mean `required`?)"),
        (
            |d| d["schema"][0]["properties"][2]["logicalTypeOptions"]["maximun"] = 5.into(),
            "`schema[0].properties[2].logicalTypeOptions.maximun`: unknown key (did you mean `maximum`?)",
        ),
        (
            |d| d["schema"][0]["properties"][2]["logicalTypeOptions"]["minLength"] = 2.into(),
            "`schema[0].properties[2].logicalTypeOptions.minLength`: unknown key",
        ),
        (
            |d| d["schema"][0]["properties"][2]["required"] = "yes".into(),
            "`schema[0].properties[2].required`: expected `true` or `false`",
        ),
        (
            |d| d["schema"][0]["properties"][0]["customProperties"][1]["property"] = "personl".into(),
            "`schema[0].properties[0].customProperties.personl`: unknown property (did you mean `personal`?)",
        ),
        (|d| d["slaProperties"][0]["unit"] = "fortnight".into(), "`slaProperties[0].unit`"),
        (|d| d["slaProperties"][0]["value"] = 0.into(), "`slaProperties`: every 0 units is never"),
        (
            |d| d["slaProperties"][1]["element"] = "cases".into(),
            "`slaProperties`: `cases` is no column of days",
        ),
        (
            |d| d["slaProperties"][1]["property"] = "frequency".into(),
            "`slaProperties[1]`: this service level is there twice",
        ),
        (
            |d| d["schema"][0]["quality"][0]["metric"] = "rowcount".into(),
            "`schema[0].quality[0].metric`: `rowcount` is not known here; use `nullValues`",
        ),
        (
            |d| d["schema"][0]["quality"][0]["mustBe"] = 1.into(),
            "`schema[0].quality[0]`: say once what the number must be",
        ),
        (
            |d| d["schema"][0]["quality"][0]["mustBeGreaterThan"] = "many".into(),
            "`schema[0].quality[0].mustBeGreaterThan`: expected a number",
        ),
        (
            |d| d["schema"][0]["quality"][0]["arguments"] = serde_json::json!({"properties": ["no"]}),
            "`schema[0].quality[0].arguments.properties`: there is no column `no`",
        ),
        (
            |d| d["schema"][0]["properties"][1]["quality"][0]["mustBeBetween"] = serde_json::json!([3, 1]),
            "expected two numbers, the smaller one first",
        ),
        (
            |d| d["schema"][0]["properties"][2]["logicalTypeOptions"]["minimum"] = 1e7.into(),
            "`schema[0].properties[2].logicalTypeOptions.minimum`: it is above the maximum",
        ),
        (
            |d| {
                d["schema"][0]["properties"][2]["logicalType"] = "string".into();
                d["schema"][0]["properties"][2]["logicalTypeOptions"] = serde_json::json!({});
            },
            "`schema[0].properties[2].customProperties.unit`: only a number has a unit",
        ),
        (
            |d| {
                let codes = serde_json::json!(["a", "a"]);
                d["schema"][0]["properties"][1]["customProperties"][0]["value"] = codes;
            },
            "`schema[0].properties[1].customProperties.codes[1]`: `a` is listed twice",
        ),
        (
            |d| d["schema"][0]["properties"][1]["id"] = "c-1".into(),
            "`schema[0].properties[1].id`: `c-1` comes twice",
        ),
        (|d| d["slaProperties"][1]["value"] = 0.into(), "`slaProperties`: an age of 0 units"),
        (|d| *d = Value::Array(Vec::new()), "expected a mapping"),
    ];
    for (i, (change, expected)) in cases.iter().enumerate() {
        let problems = problems_of(change);
        assert!(
            problems.iter().any(|p| p.contains(expected)),
            "case {i}: `{expected}` is not in {problems:#?}"
        );
    }
}

#[test]
fn all_mistakes_are_found_at_once_up_to_a_limit() {
    let problems = problems_of(|d| {
        d["version"] = "x".into();
        d["schema"][0]["properties"][2]["logicalType"] = "int".into();
        custom(d, "sharing", None);
    });
    assert_eq!(problems.len(), 3, "{problems:?}");
    let many = problems_of(|d| {
        let columns: Vec<Value> = (0..200).map(|i| serde_json::json!({"name": i})).collect();
        d["schema"][0]["properties"] = columns.into();
    });
    assert_eq!(many.len(), limits::PROBLEMS_MAX);
}

#[test]
fn what_the_standard_and_other_tools_add_is_let_through() {
    let problems = problems_of(|d| {
        d["team"] = serde_json::json!({"name": "data-office"});
        d["schema"][0]["properties"][2]["logicalTypeOptions"] = serde_json::json!({"minimum": 0});
        d["schema"][0]["quality"] = serde_json::json!([
            {"metric": "rowCount", "mustBeGreaterThan": 1},
            {"type": "text", "description": "for people"},
            {"type": "custom", "engine": "soda", "implementation": "anything"},
        ]);
        d["slaProperties"]
            .as_array_mut()
            .unwrap()
            .push(serde_json::json!({"property": "latency", "value": 4, "unit": "d"}));
        custom(d, "x-other-tool", Some(serde_json::json!({"anything": [1]})));
    });
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn yaml_that_is_broken_twice_or_too_much_is_unreadable() {
    let full = write(&full()).unwrap();
    let unreadable = |text: &str, expected: &str| match read(text, NOW) {
        Err(CatalogError::Unreadable { what }) => assert!(what.contains(expected), "{what}"),
        other => panic!("{other:?}"),
    };
    unreadable("a: [1", "line");
    unreadable(&format!("{full}\nname: again\n"), "name");
    unreadable(&format!("a: &x 1\nb: *x\n{full}"), "");
    unreadable(&format!("{full}\n---\nkind: DataContract\n"), "");
    unreadable(&format!("deep: {}{}", "[".repeat(100), "]".repeat(100)), "");
    unreadable(&format!("{full}# {}", "x".repeat(limits::CONTRACT_BYTES_MAX)), "at most");
    for text in ["", "just text", "- a\n- list"] {
        let error = read(text, NOW).unwrap_err().to_string();
        assert!(error.contains("`the whole file`: expected a mapping"), "{error}");
    }
}

#[test]
fn the_columns_of_a_key_stand_in_its_order() {
    let mut record = draft();
    for (at, position) in [(0, None), (1, Some(2)), (2, Some(1))] {
        record.columns[at].promises.primary_key = true;
        record.columns[at].promises.key_position = position;
    }
    let names: Vec<&str> = record.primary_key().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["cases", "Phường", "ma_benh_nhan"], "those without a position come last");
    let position = |value: i64| {
        let mut document = parse(&write(&full()).unwrap()).unwrap();
        document["schema"][0]["properties"][0]["primaryKeyPosition"] = value.into();
        let record = read(&serde_json::to_string(&document).unwrap(), NOW).unwrap();
        record.columns[0].promises.key_position
    };
    assert_eq!((position(3), position(-1)), (Some(3), None), "-1 is the standard's word for none");
}

#[test]
fn a_record_that_cannot_be_is_not_written() {
    let mut record = full();
    record.columns.clear();
    record.version = 0;
    let error = write(&record).unwrap_err();
    assert!(error.to_string().contains("in the dataset record"), "{error}");
    assert!(error.problems().iter().any(|p| p.path == "version"));
    let mut record = full();
    (record.issued, record.modified) = (i64::MAX, i64::MAX);
    assert!(write(&record).unwrap_err().to_string().contains("no time a calendar can show"));
}

#[test]
fn limits_stand_where_they_say() {
    type Set = fn(&mut DatasetRecord, usize);
    let at_edge: &[(&str, usize, Set)] = &[
        ("title.vi", limits::TITLE_CHARS_MAX, |r, n| r.title.vi = "đ".repeat(n)),
        ("description.en", limits::DESCRIPTION_CHARS_MAX, |r, n| r.description.en = "đ".repeat(n)),
        ("keywords", limits::WORDS_MAX, |r, n| r.keywords = (0..n).map(|i| i.to_string()).collect()),
        ("tags[0]", limits::WORD_CHARS_MAX, |r, n| r.tags = vec!["đ".repeat(n)]),
        ("source.path", limits::REFERENCE_BYTES_MAX, |r, n| r.source.path = "p".repeat(n)),
        ("publisher", limits::REFERENCE_BYTES_MAX, |r, n| r.publisher = "p".repeat(n)),
        ("columns[1].name", limits::COLUMN_NAME_BYTES_MAX, |r, n| r.columns[1].name = "c".repeat(n)),
        ("columns", limits::COLUMNS_MAX, |r, n| {
            r.columns = (0..n).map(|i| Column::new(i.to_string(), ColumnKind::String, true)).collect();
        }),
    ];
    for (path, max, set) in at_edge {
        let mut record = draft();
        set(&mut record, *max);
        record.check().unwrap();
        set(&mut record, max + 1);
        let error = record.check().unwrap_err();
        assert_eq!(error.problems().iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), [*path]);
    }
}

#[test]
fn what_a_person_says_wins_over_what_a_name_looks_like() {
    let mut record = draft();
    let lowered = record.set_personal(Personal::None);
    assert_eq!(lowered.len(), 1);
    assert!(lowered[0].path.contains("ma_benh_nhan"));
    record.check().unwrap();
    assert!(record.advice().iter().any(|p| p.what.contains("looks like personal data")));
    let json = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<DatasetRecord>(&json).unwrap(), record);
    let unknown = json.replacen('{', r#"{"surprise":1,"#, 1);
    assert!(
        serde_json::from_str::<DatasetRecord>(&unknown).is_err(),
        "unknown fields of our own files are refused"
    );
}

#[test]
fn real_headers_make_contracts_that_come_back() {
    for name in ["hanoi-air-quality", "dengue-districts", "traffic-provinces"] {
        let Some(path) = shared(&format!("data/{name}.csv")) else { return };
        let text = std::fs::read_to_string(path).unwrap();
        let header = text.lines().next().unwrap();
        let column = |name: &str| Column::new(name.trim_matches('"'), ColumnKind::String, true);
        let columns: Vec<Column> = header.split(',').map(column).collect();
        let id = DatasetId::suggest(name).unwrap();
        let record = DatasetRecord::draft(id, "urn:agency:vn:hanoi", csv(name), columns, NOW);
        assert_eq!(record.personal, Personal::None, "no column of {name} is about one person");
        let yaml = write(&record).unwrap();
        assert_eq!(read(&yaml, NOW).unwrap(), with_digest(record, &yaml));
    }
}

/// Texts that YAML writers and readers are known to get wrong, beside any text.
fn words() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        "no",
        "yes",
        "null",
        "~",
        "1",
        "1.0",
        "0x1f",
        "1e3",
        "- a",
        "a: b",
        "a # b",
        "#",
        "{a}",
        "[a]",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%",
        "@",
        "`",
        "\"",
        "'",
        "''",
        "a\\n",
        "2026-01-01",
        "12:30:00",
        "<<",
        "=",
        ".nan",
        "đường",
        "a\u{301}",
        "🚦",
    ]);
    prop_oneof![tricky.prop_map(str::to_owned), "[^\\p{C}]{1,40}"]
        .prop_filter("not blank", |text| !text.trim().is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_comes_back(
        title in words(), description in prop::collection::vec(words(), 0..4), keyword in words(), column in words(),
        path in words(),
    ) {
        let mut record = draft();
        record.title = Text::new(title.clone(), title);
        record.description = Text::new(description.join("\n"), format!("  {}\n", description.join("\n\n")));
        record.keywords = vec![keyword.clone()];
        record.theme = Some(keyword);
        record.columns[1].name = column.clone();
        record.columns[1].description.vi = column.clone();
        record.columns[1].nullable = false;
        prop_assume!(record.columns[0].name != column && record.columns[2].name != column);
        record.group_by = vec![column];
        record.source.path = path;
        let yaml = write(&record).unwrap();
        let back = read(&yaml, NOW);
        prop_assert!(back.is_ok(), "{:?}\n{}", back, yaml);
        prop_assert_eq!(back.unwrap(), with_digest(record, &yaml), "{}", yaml);
    }

    #[test]
    fn nothing_read_makes_it_panic(text in "[ -~\n]{0,200}", cut in 0usize..4000, flip in 0usize..4000) {
        drop(read(&text, NOW));
        let full = write(&full()).unwrap();
        let mut bytes = full.into_bytes();
        let (len, at) = (bytes.len(), flip % bytes.len());
        bytes[at] = b' ' + (flip % 90) as u8;
        bytes.truncate(len - cut % len);
        if let Ok(record) = read(&String::from_utf8_lossy(&bytes), NOW) {
            prop_assert!(record.check().is_ok(), "what is read is sound");
        }
    }
}
