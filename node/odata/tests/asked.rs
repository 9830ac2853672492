//! What programs ask, and what they are told.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use odata::answer::Shape;
use odata::carry::{Clause, Op, Test, carry};
use odata::{
    Accept, Column, ColumnKind, EntitySet, Kind, Metadata, Model, Options, Value, csdl, filter, service,
};
use serde_json::{Value as Json, json};

fn set() -> EntitySet {
    let column = |name: &str, kind, nullable, description: &str| Column {
        name: name.into(),
        kind,
        nullable,
        description: description.into(),
    };
    EntitySet::new(
        "air-hourly",
        "Không khí \"theo giờ\" & <khác>",
        vec![
            column("Local Time", ColumnKind::Timestamp, false, "giờ đo"),
            column("ward", ColumnKind::Text, true, ""),
            column("n", ColumnKind::Integer, true, ""),
            column("pm25", ColumnKind::Number, true, "µg/m³"),
            column("ok", ColumnKind::Boolean, true, ""),
            column("day", ColumnKind::Date, true, ""),
        ],
    )
}

fn row(cells: &[Json]) -> Vec<Value> {
    set().properties.iter().zip(cells).map(|(p, cell)| Value::read(p.column.kind, cell).unwrap()).collect()
}

fn full() -> Vec<Value> {
    row(&[
        json!("2023-03-08T01:30:00"),
        json!("Nghĩa Đô"),
        json!(5),
        json!(2.5),
        json!(true),
        json!("2023-03-08"),
    ])
}

fn empty() -> Vec<Value> {
    row(&[json!("2024-01-01T00:00:00.5"), Json::Null, Json::Null, Json::Null, Json::Null, Json::Null])
}

#[test]
fn filters_hold_as_the_standard_says_missing_values_too() {
    for (text, of_full, of_empty) in [
        ("n eq 5", true, false),
        ("n ne 5", false, true),
        ("n ne null", true, false),
        ("null eq n", false, true),
        ("not (n gt 5)", true, true),
        ("n gt 4.5 and n le 5", true, false),
        ("n in (1, 5)", true, false),
        ("not (n in (1,5))", false, true),
        ("ward in ('a', null)", false, true),
        ("startswith(ward,'Ngh')", true, false),
        ("not startswith(ward,'Ngh')", false, false),
        ("not startswith(ward,'Tây')", true, false),
        ("contains(ward,'ĩa') eq true", true, false),
        ("endswith(tolower(ward),'đô')", true, false),
        ("length(ward) eq 8", true, false),
        ("indexof(ward,'Đ') eq 6", true, false),
        ("substring(ward,6) eq 'Đô'", true, false),
        ("substring(ward,0,3) eq 'Ngh'", true, false),
        ("concat(trim(' x '),ward) eq 'xNghĩa Đô'", true, false),
        ("ok", true, false),
        ("not ok", false, false),
        ("ok eq false or n eq 5", true, false),
        ("n eq 5 or ward eq null", true, true),
        ("n eq null or ward eq 'a' and pm25 gt 9", false, true),
        ("year(Local_Time) eq 2023 and month(day) eq 3 and day(day) eq 8", true, false),
        ("hour(Local_Time) eq 1 and minute(Local_Time) eq 30 and second(Local_Time) eq 0", true, false),
        ("date(Local_Time) eq day", true, false),
        ("Local_Time ge 2023-03-08T08:30:00+07:00", true, true),
        ("Local_Time lt 2023-03-08T01:30:00.5Z", true, false),
        ("day ge 2023-03-08 and day lt 2023-03-09", true, false),
        ("round(pm25) eq 3 and floor(pm25) eq 2 and ceiling(pm25) eq 3", true, false),
        ("n gt pm25", true, false),
        ("5 le n", true, false),
        ("ward eq 'it''s'", false, false),
        ("pm25 lt INF and pm25 gt -INF and pm25 ne NaN", true, false),
        ("(n gt 1) eq true", true, false),
    ] {
        let set = set();
        let read = filter(text, &set).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((read.holds(&full()), read.holds(&empty())), (of_full, of_empty), "{text}");
        assert_eq!(filter(&read.text(&set), &set).unwrap().text(&set), read.text(&set), "{text}");
    }
}

#[test]
fn faults_say_what_is_wrong() {
    use Kind::{Bad, NotImplemented};
    for (text, kind, told) in [
        ("", Bad, "ends where"),
        ("n eq", Bad, "ends where"),
        ("n", Bad, "a filter takes true or false"),
        ("secret eq 1", Bad, "`air_hourly` has no property `secret`"),
        ("_row eq 1", NotImplemented, "numbers the rows"),
        ("n eq 'a'", Bad, "cannot be compared"),
        ("n eq 1 n", Bad, "`n` is not expected"),
        ("n add 1 eq 2", NotImplemented, "`add` is not done"),
        ("ward eq 'a", Bad, "no closing quote"),
        ("geo.distance(n,n) lt 1", NotImplemented, "paths"),
        ("items/any(x:x eq 1)", NotImplemented, "paths"),
        ("cast(n,'Edm.String') eq '5'", NotImplemented, "the function `cast`"),
        ("contains(ward)", Bad, "takes 2 values"),
        ("contains(n,'a')", Bad, "`contains` takes a text"),
        ("year(ward) eq 1", Bad, "a day or a time"),
        ("n in (ward)", NotImplemented, "values only"),
        ("n in ()", Bad, "not expected"),
        ("n in ('a')", Bad, "takes a whole number"),
        ("day eq 2023-13-01", Bad, "no value"),
        ("day eq 2023-03-08T00:00:00Z", Bad, "cannot be compared"),
        ("ward eq duration'PT1H'", NotImplemented, "`duration'…'`"),
        ("n eq @p", NotImplemented, "aliases"),
        ("not n", Bad, "`not` takes true or false"),
        ("n eq 1 and ward", Bad, "`and` takes true or false"),
    ] {
        let fault = filter(text, &set()).unwrap_err();
        assert_eq!(fault.kind, kind, "{text}: {fault}");
        assert!(fault.message.contains(told), "{text}: {fault}");
        assert_eq!(fault.body()["error"]["target"], "$filter");
    }
    for deep in [format!("{}n eq 1{}", "(".repeat(40), ")".repeat(40)), "not ".repeat(40) + "ok"] {
        assert!(filter(&deep, &set()).unwrap_err().message.contains("nested deeper"));
    }
    let long = vec!["n eq 1"; 1_000].join(" or ");
    assert!(filter(&long, &set()).unwrap_err().message.contains("in several requests"));
}

#[test]
fn what_the_query_of_the_node_carries_is_never_stronger_than_the_filter() {
    let clause = |property, tests: &[(Op, &[&str])]| {
        let test = |(op, values): &(Op, &[&str])| Test {
            op: *op,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        Clause { property, tests: tests.iter().map(test).collect() }
    };
    for (text, clauses, whole) in [
        ("n eq 5", vec![clause(2, &[(Op::Eq, &["5"])])], true),
        ("n ne 5", vec![clause(2, &[(Op::Ne, &["5"]), (Op::IsNull, &[])])], true),
        ("not (n ge 5)", vec![clause(2, &[(Op::Lt, &["5"]), (Op::IsNull, &[])])], true),
        (
            "n eq 5 and ward in ('a','b')",
            vec![clause(2, &[(Op::Eq, &["5"])]), clause(1, &[(Op::In, &["a", "b"])])],
            true,
        ),
        ("n eq 5 and contains(ward,'a')", vec![clause(2, &[(Op::Eq, &["5"])])], false),
        ("n eq 5 or ward eq 'a'", vec![], false),
        ("n lt 5 or n gt 9", vec![clause(2, &[(Op::Lt, &["5"]), (Op::Gt, &["9"])])], true),
        (
            "n gt 1 and n lt 5 or n eq 9",
            vec![
                clause(2, &[(Op::Gt, &["1"]), (Op::Eq, &["9"])]),
                clause(2, &[(Op::Lt, &["5"]), (Op::Eq, &["9"])]),
            ],
            true,
        ),
        (
            "not (n eq 5 or startswith(ward,'a'))",
            vec![
                clause(2, &[(Op::Ne, &["5"]), (Op::IsNull, &[])]),
                clause(1, &[(Op::NotStartsWith, &["a"])]),
            ],
            true,
        ),
        ("startswith(ward,'a') eq true", vec![clause(1, &[(Op::StartsWith, &["a"])])], true),
        ("not (startswith(ward,'a') eq true)", vec![], false),
        ("not ok", vec![clause(4, &[(Op::Eq, &["false"])])], true),
        ("n gt 5.5", vec![], false),
        ("pm25 gt 5", vec![clause(3, &[(Op::Gt, &["5"])])], true),
        ("pm25 eq NaN", vec![], false),
        ("2023-03-08 lt day", vec![clause(5, &[(Op::Gt, &["2023-03-08"])])], true),
        (
            "Local_Time eq 2023-03-08T08:00:00+07:00",
            vec![clause(0, &[(Op::Eq, &["2023-03-08T01:00:00"])])],
            true,
        ),
        ("Local_Time eq 2023-03-08T08:00:00.0000001Z", vec![], false),
    ] {
        let carried = carry(&filter(text, &set()).unwrap(), &set());
        assert_eq!((carried.clauses, carried.whole), (clauses, whole), "{text}");
    }
}

#[test]
fn options_are_read_from_the_address_as_programs_write_it() {
    let query = "$filter=ward%20eq%20'Ngh%C4%A9a+%C4%90%C3%B4'&$select=pm25,%20ward,pm25&$orderby=n+desc,ward,_row\
                 &$top=5&$skip=2&$count=true&api-version=1&%24format=json";
    let options = Options::parse(query, &set()).unwrap();
    assert!(options.filter.as_ref().unwrap().holds(&full()));
    assert_eq!((options.select.as_deref(), options.key), (Some(&[3, 1][..]), false));
    let order: Vec<(usize, bool)> = options.order.iter().map(|o| (o.property, o.descending)).collect();
    assert_eq!(order, [(2, true), (1, false)]);
    assert_eq!((options.paging.top, options.paging.skip, options.paging.count), (Some(5), 2, true));
    assert_eq!(options.format.as_deref(), Some("json"));
    let all = Options::parse("$select=*", &set()).unwrap();
    assert_eq!((all.columns(&set()).len(), all.key), (6, true));
    assert!(Options::parse("", &set()).unwrap().key);
    for (query, target, kind) in [
        ("$top=-1", "$top", Kind::Bad),
        ("$top=1&$top=2", "$top", Kind::Bad),
        ("$skip=9999999999999999", "$skip", Kind::Bad),
        ("$count=yes", "$count", Kind::Bad),
        ("$select=", "$select", Kind::Bad),
        ("$select=secret", "$select", Kind::Bad),
        ("$select=a/b", "$select", Kind::NotImplemented),
        ("$orderby=n%20up", "$orderby", Kind::Bad),
        ("$orderby=length(ward)", "$orderby", Kind::NotImplemented),
        ("$orderby=_row%20desc", "$orderby", Kind::NotImplemented),
        ("$expand=x", "$expand", Kind::NotImplemented),
        ("$apply=x", "$apply", Kind::NotImplemented),
        ("$nothing=x", "$nothing", Kind::NotImplemented),
        ("@p=1", "@p", Kind::NotImplemented),
        ("$filter=%FF", "query", Kind::Bad),
    ] {
        let fault = Options::parse(query, &set()).unwrap_err();
        assert_eq!((fault.target.as_str(), fault.kind), (target, kind), "{query}: {fault}");
    }
    assert!(odata::answer::format("$top=1").is_err());
    assert_eq!(odata::answer::format("$format=json&x=1").unwrap().as_deref(), Some("json"));
}

fn written(query: &str, accept: &str, cells: &[Json]) -> Json {
    let set = set();
    let options = Options::parse(query, &set).unwrap();
    let offered = [Accept::Json { metadata: Metadata::Minimal, ieee754: false }];
    let shape = Shape::new(&set, &options, Accept::read(Some(accept), None, &offered).unwrap());
    let mut out = Vec::new();
    shape.begin(&mut out, "https://x.vn/odata/v4/", Some(7));
    shape.row(&mut out, true, 1, cells);
    shape.row(&mut out, false, 2, &vec![Json::Null; cells.len()]);
    shape.end(&mut out, Some("https://x.vn/odata/v4/air_hourly?$skiptoken=a"));
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn rows_are_written_in_the_form_that_was_asked_for() {
    let cells = [
        json!("2023-03-08T01:30:00"),
        json!("a\"b"),
        json!(5),
        json!("inf"),
        json!(true),
        json!("2023-03-08"),
    ];
    let minimal = written("", "application/json", &cells);
    assert_eq!(minimal["@odata.context"], "https://x.vn/odata/v4/$metadata#air_hourly");
    assert_eq!(minimal["@odata.count"], 7);
    assert_eq!(
        minimal["value"][0],
        json!({"_row": 1, "Local_Time": "2023-03-08T01:30:00Z", "ward": "a\"b", "n": 5, "pm25": "INF", "ok": true,
               "day": "2023-03-08"})
    );
    assert_eq!((&minimal["value"][1]["_row"], &minimal["value"][1]["n"]), (&json!(2), &Json::Null));
    assert_eq!(minimal["@odata.nextLink"], "https://x.vn/odata/v4/air_hourly?$skiptoken=a");
    let part = written(
        "$select=n,ward",
        "application/json;odata.metadata=full;IEEE754Compatible=true",
        &[json!(5), json!("a")],
    );
    assert_eq!(part["@odata.context"], "https://x.vn/odata/v4/$metadata#air_hourly(n,ward)");
    assert_eq!(part["@odata.count"], "7");
    assert_eq!(
        part["value"][0],
        json!({"@odata.type": "#tram.air_hourly", "@odata.id": null, "n@odata.type": "#Int64", "n": "5", "ward": "a"})
    );
    let none = written("", "application/json;odata.metadata=none", &cells);
    assert!(none.get("@odata.context").is_none() && none.get("@odata.nextLink").is_some());
}

#[test]
fn metadata_and_service_document_say_the_same_model() {
    let model = Model { sets: vec![set(), EntitySet::new("2020-dan-so", "", Vec::new())] };
    let xml = csdl::xml(&model).unwrap();
    for piece in [
        "<edmx:Edmx Version=\"4.0\"",
        "<EntityType Name=\"air_hourly\"><Key><PropertyRef Name=\"_row\"/></Key>",
        "<Property Name=\"Local_Time\" Type=\"Edm.DateTimeOffset\" Nullable=\"false\" Precision=\"6\">",
        "String=\"Local Time — giờ đo\"",
        "<Property Name=\"n\" Type=\"Edm.Int64\"/>",
        "<EntitySet Name=\"_2020_dan_so\" EntityType=\"tram._2020_dan_so\">",
        "Không khí &quot;theo giờ&quot; &amp; &lt;khác&gt;",
        "<String>startswith</String>",
    ] {
        assert!(xml.contains(piece), "{piece} is missing in {xml}");
    }
    let json = csdl::json(&model);
    assert_eq!(json["$EntityContainer"], "tram.Datasets");
    assert_eq!(json["tram"]["air_hourly"]["$Key"], json!(["_row"]));
    assert_eq!(json["tram"]["air_hourly"]["pm25"]["$Nullable"], true);
    assert_eq!(json["tram"]["Datasets"]["_2020_dan_so"]["$Type"], "tram._2020_dan_so");
    let document = service::document(&model, "https://x.vn/odata/v4/", Metadata::Minimal);
    assert_eq!(document["@odata.context"], "https://x.vn/odata/v4/$metadata");
    assert_eq!(
        document["value"][1],
        json!({"name": "_2020_dan_so", "kind": "EntitySet", "url": "_2020_dan_so"})
    );
}
