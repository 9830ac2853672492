//! The real files of `../shared/data` through the whole way: added, governed, sent, received. What arrives is held against
//! what plain Rust over the file gives: bytes and digest where the form is fixed, sums where it is not.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::Digest;
use tests::scene::{Got, Shared, ask, get, publish, word};
use tests::{Rules, TestNode, pair, shared, skip};

const AIR: &str = "urn:agency:vn:real-provider/air";
const DENGUE: &str = "urn:agency:vn:real-provider/dengue";
const TRAFFIC: &str = "urn:agency:vn:real-provider/traffic";
const FOR: [&str; 4] = ["--purpose", "planning", "--basis", "law"];
/// Columns of the air file that the rules take away.
const AIR_HIDDEN: [&str; 2] = ["Timezone", "UV Index"];
/// Most millimetres of rain in an hour that the rules show.
const RAIN_MAX: f64 = 1.0;
/// Fewest cases in a group that the rules show.
const GROUP_MIN: i64 = 5;

struct Pair {
    provider: TestNode,
    consumer: TestNode,
}

/// Provider and consumer with those of the three files that are there.
fn agencies() -> Arc<Pair> {
    static SHARED: Shared<Pair> = Shared::new();
    SHARED.get(|| {
        let provider = TestNode::up("urn:agency:vn:real-provider", "Sở Khoa học và Công nghệ");
        let consumer = TestNode::up("urn:agency:vn:real-consumer", "Phường Tây Hồ");
        let masks: BTreeMap<&str, &str> = AIR_HIDDEN.map(|name| (name, "drop")).into();
        let rain = json!({"column": "Precipitation", "op": "le", "value": RAIN_MAX});
        Rules::new()
            .allow("state", "query", "air", "planning", json!({"mask": masks, "row_filter": [rain]}))
            .allow("state", "query", "dengue", "planning", json!({"aggregate_k": GROUP_MIN}))
            .allow("state", "download", "traffic", "planning", json!({"no_onward": true}))
            .apply(&provider);
        let groups = ["--subject-count", "cases", "--group-by", "province,year,month"];
        for (file, name, words) in [
            ("hanoi-air-quality", "air", &[][..]),
            ("dengue-districts", "dengue", &groups),
            ("traffic-provinces", "traffic", &[]),
        ] {
            if let Some(path) = shared(&format!("data/{file}.csv")) {
                publish(&provider, &path, name, words);
            }
        }
        Rules::new()
            .allow("state", "query", "air-back", "planning", json!({"no_onward": true}))
            .apply(&consumer);
        pair(&provider, &consumer);
        Pair { provider, consumer }
    })
}

/// A file of the shared data as a program that knows nothing of us reads it: header, rows.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Skips the test, loudly, when the file is not there.
    fn shared(name: &str) -> Option<Self> {
        let Some(path) = shared(&format!("data/{name}")) else {
            skip(&format!("../shared/data/{name} is not there"));
            return None;
        };
        Some(Self::read(&std::fs::read_to_string(path).unwrap()))
    }

    fn read(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let row = |record: Result<csv::StringRecord, csv::Error>| {
            record.unwrap().iter().map(str::to_owned).collect()
        };
        let rows = reader.records().map(row).collect();
        Self { header, rows }
    }

    fn at(&self, name: &str) -> usize {
        self.header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no `{name}`"))
    }

    fn column(&self, name: &str) -> impl Iterator<Item = &str> {
        let at = self.at(name);
        self.rows.iter().map(move |row| row[at].as_str())
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.column(name).map(|text| text.parse().unwrap()).collect()
    }

    /// Only the rows for which a column's text is as wanted.
    fn keep(mut self, name: &str, wanted: impl Fn(&str) -> bool) -> Self {
        let at = self.at(name);
        self.rows.retain(|row| wanted(&row[at]));
        self
    }

    /// Without these columns.
    fn without(&self, hidden: &[&str]) -> Self {
        let shown: Vec<usize> =
            (0..self.header.len()).filter(|at| !hidden.contains(&self.header[*at].as_str())).collect();
        let pick = |row: &Vec<String>| shown.iter().map(|at| row[*at].clone()).collect();
        Self { header: pick(&self.header), rows: self.rows.iter().map(pick).collect() }
    }

    /// The answer's form of CSV: times with `T`, numbers that have a fraction somewhere always with one.
    fn written(&self) -> String {
        let forms: Vec<Form> = self.header.iter().map(|name| Form::of(self.column(name))).collect();
        let mut out = self.header.join(",") + "\n";
        for row in &self.rows {
            let cells: Vec<String> = row.iter().zip(&forms).map(|(text, form)| form.write(text)).collect();
            writeln!(out, "{}", cells.join(",")).unwrap();
        }
        out
    }
}

/// How a column is written.
enum Form {
    AsItIs,
    Fraction,
    Time,
}

impl Form {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let texts: Vec<&str> = texts.collect();
        let is_time =
            |text: &&str| text.len() == 19 && text.as_bytes()[4] == b'-' && text.as_bytes()[13] == b':';
        let number = |text: &&str| text.parse::<f64>().is_ok();
        if texts.iter().all(is_time) {
            return Self::Time;
        }
        if texts.iter().all(number) && texts.iter().any(|text| text.contains('.')) {
            Self::Fraction
        } else {
            Self::AsItIs
        }
    }

    fn write(&self, text: &str) -> String {
        assert!(!text.contains([',', '"', '\n']), "`{text}` would have to be quoted");
        match self {
            Self::AsItIs => text.to_owned(),
            Self::Time => text.replace(' ', "T"),
            Self::Fraction => format!("{:?}", text.parse::<f64>().unwrap()),
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The command's own figures are those of the file that came.
#[track_caller]
fn figures(got: &Got, rows: usize) {
    assert_eq!(got.told["rows"], rows, "{}", got.told);
    assert_eq!(got.told["bytes"], got.bytes.len());
    assert_eq!(got.word("sha256"), sha256(&got.bytes));
    assert_eq!(got.told["verified"], true);
}

fn air_shown() -> Option<Table> {
    Some(
        Table::shared("hanoi-air-quality.csv")?
            .keep("Precipitation", |rain| rain.parse::<f64>().unwrap() <= RAIN_MAX),
    )
}

#[test]
fn hanoi_air_arrives_whole_byte_for_byte() {
    let Some(table) = air_shown() else { return };
    let agencies = agencies();
    let got = get(&agencies.consumer, AIR, "air.csv", &FOR);
    let wanted = table.without(&AIR_HIDDEN);
    assert!(
        wanted.rows.len() > 8_000 && wanted.rows.len() < 8_785,
        "the filter hides some: {}",
        wanted.rows.len()
    );
    figures(&got, wanted.rows.len());
    assert_eq!(got.text().lines().next(), Some(wanted.header.join(",").as_str()));
    assert_eq!(got.word("sha256"), sha256(wanted.written().as_bytes()));
}

#[test]
fn hanoi_air_is_narrowed_by_names_with_spaces_and_by_times() {
    let Some(table) = air_shown() else { return };
    let agencies = agencies();
    let columns = "Local Time,UTC Time,PM25,Relative Humidity";
    let more = [
        "--where",
        "Local Time >= 2023-12-01 00:00:00",
        "--where",
        "Relative Humidity > 90",
        "--columns",
        columns,
    ];
    let got =
        get(&agencies.consumer, AIR, "winter.ndjson", &[&FOR[..], &more, &["--format", "ndjson"]].concat());
    let table = table
        .keep("Local Time", |t| t >= "2023-12-01")
        .keep("Relative Humidity", |h| h.parse::<i64>().unwrap() > 90);
    assert!(!table.rows.is_empty());
    figures(&got, table.rows.len());
    let rows: Vec<Value> = got.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(","), columns);
    for (row, local) in rows.iter().zip(table.column("Local Time")) {
        assert_eq!(word(row, "Local Time"), local.replace(' ', "T"));
    }
    assert!(rows.iter().map(|r| word(r, "UTC Time")).eq(table.column("UTC Time").map(str::to_owned)));
    let came: f64 = rows.iter().map(|row| row["PM25"].as_f64().unwrap()).sum();
    assert_eq!(came, table.numbers("PM25").iter().sum::<f64>());
}

#[test]
fn hanoi_air_is_summed_up_at_the_provider() {
    let Some(table) = air_shown() else { return };
    let agencies = agencies();
    let more =
        ["--group-by", "City", "--measure", "count,sum(AQI),avg(PM25),min(Temperature),max(Wind Speed)"];
    let got = get(&agencies.consumer, AIR, "sums.csv", &[&FOR[..], &more].concat());
    figures(&got, 1);
    let sums = Table::read(got.text());
    let one = |name: &str| sums.column(name).next().unwrap().parse::<f64>().unwrap();
    let pm25 = table.numbers("PM25");
    assert_eq!(sums.column("City").next(), Some("Hanoi"));
    assert_eq!(one("count"), table.rows.len() as f64);
    assert_eq!(one("sum_AQI"), table.numbers("AQI").iter().sum::<f64>());
    assert!((one("avg_PM25") - pm25.iter().sum::<f64>() / pm25.len() as f64).abs() < 1e-9);
    assert_eq!(
        one("min_Temperature"),
        table.numbers("Temperature").into_iter().fold(f64::INFINITY, f64::min)
    );
    assert_eq!(one("max_Wind Speed"), table.numbers("Wind Speed").into_iter().fold(0.0, f64::max));
    // What the rules hide can't be counted either.
    let hidden = [&FOR[..], &["--measure", "max(UV Index)"]].concat();
    ask(&agencies.consumer, AIR, "hidden.csv", &hidden).expect_code(1);
}

#[test]
fn binary_forms_hold_the_same_rows() {
    let Some(table) = air_shown() else { return };
    let agencies = agencies();
    let wanted = table.without(&AIR_HIDDEN);
    let arrow = get(&agencies.consumer, AIR, "air.arrow", &[&FOR[..], &["--format", "arrow"]].concat());
    figures(&arrow, wanted.rows.len());
    // The stream begins with a continuation mark and ends with one and a length of nothing (Arrow IPC format).
    assert_eq!(arrow.bytes[..4], [0xff; 4]);
    assert_eq!(arrow.bytes[arrow.bytes.len() - 8..], [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let holds = |text: &str| arrow.bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("Relative Humidity") && !holds("UV Index") && !holds("Asia/Ho_Chi_Minh"));
    let parquet = get(&agencies.consumer, AIR, "air.parquet", &[&FOR[..], &["--format", "parquet"]].concat());
    figures(&parquet, wanted.rows.len());
    assert!(parquet.bytes.starts_with(b"PAR1") && parquet.bytes.ends_with(b"PAR1"));
    // Read back by a node that only has the file: offered by the consumer, taken home by the provider as CSV.
    publish(&agencies.consumer, &parquet.file, "air-back", &[]);
    let back = get(&agencies.provider, "urn:agency:vn:real-consumer/air-back", "back.csv", &FOR);
    assert_eq!(back.word("sha256"), sha256(wanted.written().as_bytes()));
}

/// Cases per group, where they are counted at all, and how many rows the group has.
fn cases_by(table: &Table, columns: &[&str]) -> BTreeMap<Vec<String>, (i64, i64)> {
    let (cases, by) = (table.at("cases"), columns.iter().map(|name| table.at(name)).collect::<Vec<_>>());
    let mut groups: BTreeMap<Vec<String>, (i64, i64)> = BTreeMap::new();
    for row in &table.rows {
        let group = groups.entry(by.iter().map(|at| row[*at].clone()).collect()).or_default();
        group.0 += row[cases].parse().unwrap_or(0);
        group.1 += 1;
    }
    groups
}

fn dengue(agencies: &Pair, file: &str, more: &[&str]) -> Table {
    let got = get(&agencies.consumer, DENGUE, file, &[&FOR[..], more].concat());
    let table = Table::read(got.text());
    figures(&got, table.rows.len());
    table
}

#[test]
fn dengue_leaves_as_groups_of_five_cases_or_more() {
    let Some(table) = Table::shared("dengue-districts.csv") else { return };
    let agencies = agencies();
    let measures = ["--measure", "sum(cases),count"];
    for by in [&["province", "year"][..], &["province", "month"], &["month"], &["province", "year", "month"]]
    {
        let came = dengue(&agencies, "groups.csv", &[&["--group-by", &by.join(",")][..], &measures].concat());
        let mut came: Vec<Vec<String>> = came.rows;
        came.sort();
        let all = cases_by(&table, by);
        let shown = all.iter().filter(|(_, (cases, _))| *cases >= GROUP_MIN);
        let mut wanted: Vec<Vec<String>> = shown
            .map(|(group, (cases, rows))| [&group[..], &[cases.to_string(), rows.to_string()]].concat())
            .collect();
        wanted.sort();
        assert_eq!(came, wanted, "{by:?}");
        if by.len() == 3 {
            assert!(wanted.len() < all.len(), "no group is small enough to be withheld");
        }
    }
    let one = dengue(
        &agencies,
        "one.csv",
        &["--group-by", "month", "--where", "province = Ha Noi", "--measure", "sum(cases)"],
    );
    let hanoi = table.keep("province", |name| name == "Ha Noi");
    let wanted: i64 = cases_by(&hanoi, &["month"]).values().map(|(cases, _)| cases).sum();
    assert_eq!(one.numbers("sum_cases").iter().sum::<f64>(), wanted as f64);
}

#[test]
fn dengue_rows_and_finer_groups_do_not_leave() {
    if Table::shared("dengue-districts.csv").is_none() {
        return;
    }
    let agencies = agencies();
    let asked = [
        ["--columns", "district"],
        ["--group-by", "district"],
        ["--where", "district = Soc Son"],
        ["--where", "cases > 0"],
        ["--measure", "max(cases)"],
    ];
    for more in asked {
        let output = ask(&agencies.consumer, DENGUE, "fine.csv", &[&FOR[..], &more].concat()).expect_code(1);
        assert!(output.stderr.contains("the query cannot be answered"), "{more:?}: {output:?}");
    }
    let file: PathBuf = agencies.consumer.desk().join("fine.csv");
    assert!(!file.exists());
}

#[test]
fn traffic_is_taken_home_whole() {
    let Some(table) = Table::shared("traffic-provinces.csv") else { return };
    let agencies = agencies();
    let got = get(&agencies.consumer, TRAFFIC, "traffic.csv", &[&FOR[..], &["--download"]].concat());
    figures(&got, table.rows.len());
    assert_eq!(got.told["action"], "download");
    assert_eq!(got.word("sha256"), sha256(table.written().as_bytes()));
    let came = Table::read(got.text());
    assert_eq!(came.numbers("traffic_milperskm"), table.numbers("traffic_milperskm"));
    // Allowed was the copy, not the query.
    ask(&agencies.consumer, TRAFFIC, "query.csv", &FOR).expect_code(3);
}
