//! The main job: three agencies, three nodes, three processes; a dataset found, asked for, governed, signed, recorded on
//! both sides, and judged by a stranger who has nothing but files.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ledger::receipt::Receipt;
use serde_json::{Value, json};
use tests::scene::{Got, Shared, ask, get, publish, receipts, word};
use tests::{Rules, TestNode, pair, tram};

const AIR: &str = "urn:agency:vn:test-env/air-hourly";
const CASES: &str = "urn:agency:vn:test-health/dengue-cases";
const CLEAN_AIR: [&str; 4] = ["--purpose", "air-quality-management", "--basis", "law"];
const EPIDEMIOLOGY: [&str; 4] = ["--purpose", "epidemiology", "--basis", "law"];
const APPRAISAL: [&str; 4] = ["--purpose", "staff-appraisal", "--basis", "law"];
/// Most rows that the environment agency lets go at once.
const ROWS_MAX: usize = 100;
/// Fewest patients in a cell that the health centre lets go.
const GROUP_MIN: usize = 5;

struct Agencies {
    ward: TestNode,
    environment: TestNode,
    health: TestNode,
}

/// One hour at one station, as the environment agency has it.
struct Reading {
    station: String,
    time: String,
    pm25: f64,
    status: &'static str,
    inspector: String,
    phone: String,
}

fn readings() -> Vec<Reading> {
    let reading = |n: usize| Reading {
        station: format!("Trạm số {}", n % 3 + 1),
        time: format!("2026-11-{:02} {:02}:00:00", n / 24 + 1, n % 24),
        pm25: f64::from(u32::try_from(n * 37 % 160).unwrap()) + 0.5,
        status: if n.is_multiple_of(7) { "hieu_chuan" } else { "binh_thuong" },
        inspector: format!("CB-{}", n % 4),
        phone: format!("09{:08}", n * 7_919),
    };
    (0..240).map(reading).collect()
}

fn air_csv() -> String {
    let mut csv = "station,measured_at,pm25,status,device,inspector,phone,note\n".to_owned();
    for (n, r) in readings().iter().enumerate() {
        let Reading { station, time, pm25, status, inspector, phone } = r;
        writeln!(csv, "{station},{time},{pm25:.1},{status},SN-{n:04},{inspector},{phone},\"nội bộ, {n}\"")
            .unwrap();
    }
    csv
}

/// Case number, patient, ward, month. In one cell six cases are three patients; another has four patients.
fn cases() -> Vec<(usize, String, &'static str, &'static str)> {
    let mut all = Vec::new();
    let mut cell = |ward, month, cases: usize, patients: usize| {
        for n in 0..cases {
            all.push((all.len(), format!("BN-{ward}-{month}-{}", n % patients), ward, month));
        }
    };
    cell("Nghĩa Đô", "2026-08", 12, 11);
    cell("Nghĩa Đô", "2026-09", 6, 3);
    cell("Tây Hồ", "2026-08", 4, 4);
    cell("Tây Hồ", "2026-09", 5, 5);
    cell("Xuân Phương", "2026-09", 9, 8);
    all
}

fn cases_csv() -> String {
    let mut csv = "case_no,patient,ward,month,address\n".to_owned();
    for (n, patient, ward, month) in cases() {
        writeln!(csv, "{n},{patient},{ward},{month},\"Số {n}, phố Minh Hoạ\"").unwrap();
    }
    csv
}

fn agencies() -> Arc<Agencies> {
    static SHARED: Shared<Agencies> = Shared::new();
    SHARED.get(|| {
        let ward = TestNode::up("urn:agency:vn:test-ward", "Phường Nghĩa Đô");
        let environment = TestNode::up("urn:agency:vn:test-env", "Chi cục Bảo vệ môi trường");
        let health = TestNode::up("urn:agency:vn:test-health", "Trung tâm Y tế");
        environment_goods(&environment);
        health_goods(&health);
        ward_goods(&ward);
        pair(&environment, &ward);
        pair(&health, &ward);
        Agencies { ward, environment, health }
    })
}

fn put(node: &TestNode, name: &str, text: &str) -> std::path::PathBuf {
    let path = node.desk().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn environment_goods(node: &TestNode) {
    let obligations = json!({
        "mask": {
            "device": "drop",
            "note": "drop",
            "inspector": "hash",
            "phone": {"partial": {"last": 3}},
        },
        "row_filter": ["status != 'hieu_chuan'"],
        "max_rows": ROWS_MAX,
        "retention_days": 365,
    });
    Rules::new().allow("state", "query", "air-hourly", "air-quality-management", obligations).apply(node);
    let file = put(node, "air.csv", &air_csv());
    publish(node, &file, "air-hourly", &["--title", "Chất lượng không khí theo giờ"]);
}

fn health_goods(node: &TestNode) {
    let obligations = json!({"aggregate_k": GROUP_MIN});
    let why = [
        "Dữ liệu bệnh nhân không được dùng để đánh giá cán bộ.",
        "Patients' data is not used to appraise staff.",
    ];
    let basis = [
        "Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15, Điều 3",
        "Law on Personal Data Protection 91/2025/QH15, Art. 3",
    ];
    Rules::new()
        .allow("state", "query", "dengue-cases", "epidemiology", obligations)
        .deny("dengue-cases", "staff-appraisal", basis, why)
        .apply(node);
    let file = put(node, "cases.csv", &cases_csv());
    let words = "--title|Ca bệnh sốt xuất huyết|--kind|special|--class|3|--personal|sensitive|--dpia|DPIA-2026-07\
                 |--subject-key|patient|--group-by|ward,month";
    publish(node, &file, "dengue-cases", &words.split('|').collect::<Vec<_>>());
}

fn ward_goods(node: &TestNode) {
    Rules::new().apply(node);
    let file = put(node, "counts.csv", "nut_giao,luot_xe\nHoàng Quốc Việt,120\nNghĩa Tân,80\n");
    let words = ["--title", "Đếm lượt phương tiện", "--keyword", "giao thông,đô thị"];
    publish(node, &file, "counts", &words);
}

/// Header and rows of a CSV text, as another program reads them.
fn table(csv: &str) -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.deserialize().collect::<Result<_, _>>().unwrap();
    (header, rows)
}

#[test]
fn a_catalog_is_searched_without_marks_across_agencies() {
    let all = agencies();
    let search = |node: &TestNode, words: &[&str]| -> BTreeSet<String> {
        let found = node.json(&[&["catalog", "search"], words].concat());
        assert_eq!(found["unreached"], json!([]), "{found}");
        let entries = found["entries"].as_array().unwrap();
        entries.iter().map(|e| format!("{}/{}", word(e, "participant"), word(e, "dataset"))).collect()
    };
    let one = |what: &str| BTreeSet::from([what.to_owned()]);
    assert_eq!(search(&all.environment, &["giao", "thong"]), one("urn:agency:vn:test-ward/counts"));
    assert_eq!(search(&all.environment, &["giao thông"]), one("urn:agency:vn:test-ward/counts"));
    assert_eq!(search(&all.ward, &["chat", "luong", "khong", "khi"]), one(AIR));
    assert_eq!(search(&all.ward, &["sot xuat huyet"]), one(CASES));
    assert_eq!(search(&all.ward, &["không-có-gì-như-thế"]), BTreeSet::new());
    // The two that the ward knows do not know each other.
    assert_eq!(search(&all.environment, &["sot xuat huyet"]), BTreeSet::new());
    assert_eq!(search(&all.ward, &[]).len(), 3);
}

#[test]
fn a_permitted_exchange_gives_what_the_obligations_leave() {
    let all = agencies();
    let got = get(&all.ward, AIR, "air.csv", &CLEAN_AIR);
    let (header, rows) = table(got.text());
    assert_eq!(header, ["station", "measured_at", "pm25", "status", "inspector", "phone"]);
    let wanted: Vec<Reading> =
        readings().into_iter().filter(|r| r.status != "hieu_chuan").take(ROWS_MAX).collect();
    assert_eq!(rows.len(), wanted.len());
    for (row, r) in rows.iter().zip(&wanted) {
        assert_eq!(row["station"], r.station);
        assert_eq!(row["measured_at"], r.time.replace(' ', "T"));
        assert_eq!(row["pm25"].parse::<f64>().unwrap(), r.pm25);
        assert_eq!(row["phone"], format!("*******{}", &r.phone[7..]));
        assert!(
            row["inspector"].len() == 64 && row["inspector"].bytes().all(|b| b.is_ascii_hexdigit()),
            "{row:?}"
        );
    }
    let pseudonyms: BTreeSet<(&str, &str)> =
        rows.iter().zip(&wanted).map(|(row, r)| (r.inspector.as_str(), row["inspector"].as_str())).collect();
    assert_eq!(pseudonyms.len(), 4, "one pseudonym for each of four inspectors: {pseudonyms:?}");
    for hidden in ["SN-0", "nội bộ", "CB-", "hieu_chuan"] {
        assert!(!got.text().contains(hidden), "`{hidden}` left the agency");
    }
    told_as_it_was(&got, &all.ward);
    on_both_sides(&all.ward, &all.environment, &got.told);
    reused(&all, &got);
}

/// The command's JSON, `exchange show` and `exchange list` say the same, and it is true.
fn told_as_it_was(got: &Got, ward: &TestNode) {
    assert_eq!(got.told["effect"], "permit");
    assert_eq!(got.told["reasons"], json!([]));
    assert_eq!(got.told["purpose"], "air-quality-management");
    assert_eq!(got.told["basis"], "law");
    assert_eq!(got.told["rows"], ROWS_MAX);
    assert_eq!(got.told["bytes"], got.bytes.len());
    assert_eq!(got.word("sha256"), sha256(&got.bytes));
    assert_eq!(got.told["verified"], true);
    assert_eq!(got.told["obligations"]["mask"]["device"], "drop");
    assert_eq!(got.told["obligations"]["max_rows"], ROWS_MAX);
    assert_eq!(got.receipts().len(), 2);
    assert_eq!(got.told["receipt_file"], got.told["receipt_files"][0]);
    let id = got.word("id");
    let shown = ward.json(&["exchange", "show", &id]);
    let listed = ward.json(&["exchange", "list"]);
    let listed =
        listed["exchanges"].as_array().unwrap().iter().find(|e| e["id"] == id.as_str()).unwrap().clone();
    for key in [
        "stage",
        "peer",
        "dataset",
        "rows",
        "bytes",
        "sha256",
        "agreement",
        "transfer",
        "obligations",
        "entries",
    ] {
        assert!(!shown[key].is_null(), "`{key}` of {shown}");
        assert_eq!(shown[key], got.told[key], "{key}");
        assert_eq!(listed[key], shown[key], "{key}");
    }
    assert_eq!(shown["stage"], "completed");
}

/// The same statement and the same acknowledgement stand in both ledgers, byte for byte, and both ledgers verify.
fn on_both_sides(consumer: &TestNode, provider: &TestNode, told: &Value) {
    let id = word(told, "id");
    let statements = |node: &TestNode| -> BTreeMap<String, Value> {
        let listed = node.json(&["ledger", "list", "--limit", "1000"]);
        let of_it = listed["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|e| e["statement"]["exchange"] == id.as_str());
        let mut found = BTreeMap::new();
        for entry in of_it {
            let kind = word(&entry["statement"], "kind");
            let twice = found.insert(kind.clone(), entry.clone());
            // A question is decided for the agreement and again for the transfer.
            assert!(twice.is_none() || kind == "tram/decision@v1", "two entries `{kind}` for {id}: {listed}");
        }
        found
    };
    let (at_provider, at_consumer) = (statements(provider), statements(consumer));
    for kind in ["tram/exchange@v1", "tram/ack@v1"] {
        // A leaf hash is over all bytes of a signed statement.
        for key in ["text", "statement"] {
            assert_eq!(at_provider[kind][key], at_consumer[kind][key], "{kind} {key}");
        }
    }
    assert_eq!(at_provider["tram/exchange@v1"]["statement"]["signer"], provider.id());
    assert_eq!(at_provider["tram/ack@v1"]["statement"]["signer"], consumer.id());
    assert_eq!(
        at_provider["tram/ack@v1"]["statement"]["of_leaf"],
        at_provider["tram/exchange@v1"]["statement"]["leaf"]
    );
    let index = |entry: &Value| entry["index"].as_u64().unwrap();
    assert!(index(&at_provider["tram/intent@v1"]) < index(&at_provider["tram/exchange@v1"]), "intent first");
    for node in [consumer, provider] {
        let verified = node.json(&["ledger", "verify"]);
        assert_eq!(verified["ok"], true, "{verified}");
        assert!(verified["entries"].as_u64().unwrap() >= 2, "{verified}");
    }
    for file in receipts(told) {
        let receipt = Receipt::parse(&std::fs::read(file).unwrap()).unwrap();
        for node in [consumer, provider] {
            for (bytes, what) in
                [(receipt.statement.bytes(), "statement"), (receipt.ack.as_ref().unwrap().bytes(), "ack")]
            {
                assert!(
                    on_disk(&node.dir().join("ledger"), bytes),
                    "the {what} of {id} is not in {}",
                    node.id()
                );
            }
        }
    }
}

/// Whether some file of a ledger's folder holds these bytes in one piece.
fn on_disk(folder: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return on_disk(&path, wanted);
        }
        std::fs::read(path).is_ok_and(|bytes| bytes.windows(wanted.len()).any(|window| window == wanted))
    })
}

/// The second exchange runs under the agreement that stands; what the consumer adds narrows the view and can't widen it.
fn reused(all: &Agencies, first: &Got) {
    let narrowed = [
        &CLEAN_AIR[..],
        &["--where", "pm25 > 50", "--columns", "station,pm25,inspector", "--format", "ndjson"],
    ];
    let second = get(&all.ward, AIR, "air-narrow.ndjson", &narrowed.concat());
    assert_eq!(second.told["agreement"], first.told["agreement"]);
    assert_ne!(second.told["transfer"], first.told["transfer"]);
    let rows: Vec<Value> = second.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let wanted: Vec<(String, f64)> = readings()
        .into_iter()
        .filter(|r| r.status != "hieu_chuan" && r.pm25 > 50.0)
        .take(ROWS_MAX)
        .map(|r| (r.station, r.pm25))
        .collect();
    let came: Vec<(String, f64)> =
        rows.iter().map(|r| (word(r, "station"), r["pm25"].as_f64().unwrap())).collect();
    assert_eq!(came, wanted);
    // Within one agreement a pseudonym stays the same, or data could not be joined.
    let before: BTreeSet<String> = table(first.text()).1.iter().map(|row| row["inspector"].clone()).collect();
    let now: BTreeSet<String> = rows.iter().map(|row| word(row, "inspector")).collect();
    assert_eq!(before, now);
    hidden_stays_hidden(&all.ward);
}

fn hidden_stays_hidden(ward: &TestNode) {
    let with = |more: &[&str]| ask(ward, AIR, "hidden.csv", &[&CLEAN_AIR[..], more].concat());
    let hidden = with(&["--columns", "note"]).expect_code(1);
    let missing = with(&["--columns", "nowhere"]).expect_code(1);
    assert!(hidden.stderr.contains("no column `note` is visible"), "{hidden:?}");
    let same = |output: &tests::Output, name: &str| {
        let text = output.stderr.lines().last().unwrap().replace(name, "X");
        text.split_whitespace().filter(|w| !w.starts_with("01")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        same(&hidden, "note"),
        same(&missing, "nowhere"),
        "hidden and missing columns can be told apart"
    );
    with(&["--where", "device = SN-0001"]).expect_code(1);
    let none = get(ward, AIR, "none.csv", &[&CLEAN_AIR[..], &["--where", "status = hieu_chuan"]].concat());
    assert_eq!(none.told["rows"], 0);
    assert_eq!(none.text().lines().count(), 1, "{}", none.text());
}

#[test]
fn a_refusal_says_why_and_leaves_evidence_on_both_sides() {
    let all = agencies();
    let refused = ask(&all.ward, CASES, "appraisal.csv", &APPRAISAL).expect_code(3);
    let told = refused.json();
    assert_eq!(told["effect"], "deny");
    assert_eq!(told["reasons"].as_array().unwrap().len(), 1, "{told}");
    let reason = &told["reasons"][0];
    assert_eq!(reason["code"], "RULE-DENIES");
    assert!(word(reason, "legal_basis").contains("91/2025/QH15"), "{reason}");
    assert!(word(reason, "text_vi").contains("không được dùng để đánh giá cán bộ"), "{reason}");
    assert!(word(reason, "text_en").contains("not used to appraise staff"), "{reason}");
    assert_eq!(told["verified"], true);
    assert!(told["rows"].is_null() && told["sha256"].is_null(), "{told}");
    assert!(!all.ward.desk().join("appraisal.csv").exists(), "rows of a refused exchange");
    assert!(refused.stderr.contains("91/2025/QH15"), "{refused:?}");
    let files = receipts(&told);
    assert_eq!(files.len(), 2, "{told}");
    for file in &files {
        let judged = stranger(file, None);
        assert_eq!(judged["statement"]["decision"], "deny");
        assert_eq!(judged["statement"]["purpose"], "staff-appraisal");
    }
    for node in [&all.ward, &all.health] {
        assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
    }
    let unexplained = ask(&all.ward, CASES, "none.csv", &["--purpose", "curiosity", "--basis", "law"])
        .expect_code(3)
        .json();
    assert_eq!(unexplained["reasons"][0]["code"], "NO-RULE");
}

#[test]
fn sensitive_cases_leave_as_large_groups_only() {
    let all = agencies();
    let got = get(&all.ward, CASES, "cases.csv", &EPIDEMIOLOGY);
    let mut patients: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (_, patient, ward, month) in cases() {
        patients.entry((ward, month)).or_default().insert(patient);
        *counts.entry((ward, month)).or_default() += 1;
    }
    let mut wanted = "ward,month,count\n".to_owned();
    for (cell, _) in patients.iter().filter(|(_, who)| who.len() >= GROUP_MIN) {
        writeln!(wanted, "{},{},{}", cell.0, cell.1, counts[cell]).unwrap();
    }
    assert_eq!(got.text(), wanted);
    assert_eq!(wanted.lines().count(), 4, "two of five cells are too small");
    on_both_sides(&all.ward, &all.health, &got.told);
    for more in [
        ["--columns", "patient"],
        ["--group-by", "patient"],
        ["--where", "patient = BN-1"],
        ["--measure", "min(case_no)"],
    ] {
        let output = ask(&all.ward, CASES, "rows.csv", &[&EPIDEMIOLOGY[..], &more].concat());
        assert!([1, 3].contains(&output.code), "{more:?}: {output:?}");
        assert!(!all.ward.desk().join("rows.csv").exists(), "{more:?} gave rows");
    }
}

#[test]
fn receipts_convince_a_stranger_who_has_nothing_but_files() {
    let all = agencies();
    let got = get(&all.ward, AIR, "for-the-auditor.csv", &CLEAN_AIR);
    let (mut leaves, mut origins) = (BTreeSet::new(), BTreeSet::new());
    for file in got.receipts() {
        let judged = stranger(&file, Some(&got.file));
        assert_eq!(judged["verdict"], "valid");
        assert_eq!(judged["signer"], all.environment.id());
        let said = &judged["statement"];
        assert_eq!(said["exchange"], got.told["id"]);
        assert_eq!(
            (&said["provider"], &said["consumer"]),
            (&json!(all.environment.id()), &json!(all.ward.id()))
        );
        assert_eq!((&said["purpose"], &said["basis"]), (&json!("air-quality-management"), &json!("law")));
        assert_eq!(said["agreement"], got.told["agreement"]);
        assert_eq!(said["decision"], "permit");
        assert!(!judged["acknowledged"].is_null(), "{judged}");
        assert_eq!(judged["answer"]["sha256"], got.told["sha256"]);
        leaves.insert(word(&judged, "leaf"));
        origins.insert(word(&judged["ledger"], "of"));
    }
    assert_eq!(leaves.len(), 1, "one statement");
    assert_eq!(origins.len(), 2, "two ledgers");
    let mut other = got.bytes.clone();
    other[10] ^= 1;
    let altered = all.ward.desk().join("altered.csv");
    std::fs::write(&altered, other).unwrap();
    let output = alone(&got.receipts()[0], Some(&altered));
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("other data"), "{output:?}");
}

/// What `tram receipt verify` says in a place with nothing but the files.
#[track_caller]
fn stranger(receipt: &Path, data: Option<&Path>) -> Value {
    let output = alone(receipt, data);
    assert_eq!(output.status.code(), Some(0), "{}: {output:?}", receipt.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Copies the files into an empty folder and runs `tram receipt verify` there: no environment, no node, and where the
/// system lets us take it away, no network.
fn alone(receipt: &Path, data: Option<&Path>) -> std::process::Output {
    let desk = tempfile::tempdir().unwrap();
    std::fs::copy(receipt, desk.path().join("receipt")).unwrap();
    let mut words = vec!["receipt", "verify", "receipt", "--json"];
    if let Some(data) = data {
        std::fs::copy(data, desk.path().join("data")).unwrap();
        words.extend(["--data", "data"]);
    }
    let cut_off = Command::new("unshare").args(["-rn", "true"]).output().is_ok_and(|o| o.status.success());
    let mut command = if cut_off {
        let mut command = Command::new("unshare");
        command.arg("-rn").arg(tram());
        command
    } else {
        Command::new(tram())
    };
    command.args(words).env_clear().current_dir(desk.path()).output().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
