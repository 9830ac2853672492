//! Catalogs of peers, crawled and searched: words without marks, facets, orders; what has not changed is not sent again;
//! what an unreachable peer showed stays, with its age; and each entry with what its publisher signed.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::fs;

use serde_json::{Value, json};
use store::{OpenOptions, Space, Store, Tx};
use tests::scene::{publish, word};
use tests::{Rules, TestNode, pair};

const WARD: &str = "urn:agency:vn:tim-phuong";
const CITY: &str = "urn:agency:vn:tim-thanh-pho";

/// Name, title, keywords, way of sharing.
const DATASETS: [(&str, &str, &str, &str); 5] = [
    ("luu-luong", "Lưu lượng giao thông theo giờ", "giao thông", "open"),
    ("giao-dich", "Giao dịch thông tin đất đai", "đất đai", "default"),
    ("an-toan", "An toàn thực phẩm", "y tế", "open"),
    ("anh-ve-tinh", "Ảnh vệ tinh", "bản đồ", "open"),
    ("an-ninh", "Ăn uống nơi công cộng", "y tế", "open"),
];

fn add(node: &TestNode, (name, title, keywords, kind): (&str, &str, &str, &str)) {
    let file = node.desk().join(format!("{name}.csv"));
    fs::write(&file, "so,gia_tri\n1,2\n").unwrap();
    let class = if kind == "open" { "0" } else { "1" };
    publish(node, &file, name, &["--title", title, "--keyword", keywords, "--kind", kind, "--class", class]);
}

fn nodes() -> (TestNode, TestNode) {
    let ward = TestNode::up(WARD, "Phường");
    let city = TestNode::up(CITY, "Thành phố");
    Rules::new().apply(&city);
    Rules::new().apply(&ward);
    DATASETS.into_iter().for_each(|dataset| add(&city, dataset));
    pair(&city, &ward);
    (ward, city)
}

/// A peer that has just started refuses what may be older than its memory of messages, so who is told so asks again.
fn search(node: &TestNode, words: &[&str]) -> Value {
    for _ in 0..40 {
        let found = node.json(&[&["catalog", "search"], words].concat());
        if !found["unreached"].to_string().contains("sign it again") {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("the peer's memory of messages does not begin");
}

fn names(found: &Value) -> Vec<String> {
    found["entries"].as_array().unwrap().iter().map(|entry| word(entry, "dataset")).collect()
}

/// What reading the city's catalog took, in this answer.
fn read(found: &Value, key: &str) -> u64 {
    assert_eq!(found["unreached"], json!([]), "{found}");
    assert_eq!(found["read"][0]["id"], CITY, "{found}");
    found["read"][0][key].as_u64().unwrap()
}

#[test]
fn a_peers_catalog_is_found_crawled_once_and_proven() {
    let (mut ward, mut city) = nodes();
    let first = search(&ward, &["giao", "thong"]);
    assert_eq!(names(&first), ["luu-luong", "giao-dich"]);
    assert_eq!((read(&first, "pages"), read(&first, "unchanged"), read(&first, "changed")), (1, 0, 5));
    let pieces = &first["entries"][0]["marks"]["title"]["vi"];
    assert_eq!(pieces[1], json!({"text": "giao thông", "hit": true}), "{pieces}");

    facets_filters_and_orders(&ward);
    what_has_not_changed_is_not_sent_again(&ward, &city, read(&first, "bytes"));
    proven(&ward);
    damaged_pages_are_fetched_again(&mut ward);
    offline_entries_stay(&mut ward, &mut city);
}

fn facets_filters_and_orders(ward: &TestNode) {
    let all = search(ward, &["--cached", "--facets", "--sort", "title"]);
    assert_eq!(names(&all), ["an-toan", "anh-ve-tinh", "an-ninh", "giao-dich", "luu-luong"], "{all}");
    assert_eq!(all["facets"]["publisher"], json!([{"value": CITY, "count": 5}]));
    assert_eq!(all["facets"]["keyword"][0], json!({"value": "y tế", "count": 2}));
    assert_eq!(all["facets"]["sharing"][0], json!({"value": "open", "count": 4}));
    let special = search(ward, &["--cached", "--sharing", "default"]);
    assert_eq!(names(&special), ["giao-dich"]);
    let health = search(ward, &["--cached", "--keyword", "y te", "an"]);
    assert_eq!(health["total"], 2, "{health}");
    let refused = ward.cmd(&["catalog", "search", "--cached", "--sharing", "geheim"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}

fn what_has_not_changed_is_not_sent_again(ward: &TestNode, city: &TestNode, whole: u64) {
    let again = search(ward, &["giao", "thong"]);
    assert_eq!((read(&again, "pages"), read(&again, "unchanged"), read(&again, "changed")), (1, 1, 0));
    let short = read(&again, "bytes");
    assert!(short * 20 < whole, "{short} bytes of a catalog of {whole}");
    add(city, ("cay-xanh", "Cây xanh đường phố", "cây xanh", "open"));
    city.ok(&["dataset", "withdraw", "anh-ve-tinh"]);
    let changed = search(ward, &[]);
    assert_eq!((read(&changed, "unchanged"), read(&changed, "changed"), read(&changed, "gone")), (0, 1, 1));
    assert_eq!(names(&search(ward, &["cay xanh"])), ["cay-xanh"]);
    assert_eq!(search(ward, &["anh ve tinh", "--cached"])["total"], 0);
    // The word that the page is still so comes with the next.
    assert_eq!(read(&search(ward, &[]), "unchanged"), 1);
}

fn proven(ward: &TestNode) {
    let id = format!("{CITY}/cay-xanh");
    let shown = ward.json(&["catalog", "show", &id, "--evidence"]);
    assert_eq!(shown["entry"]["title"]["vi"], "Cây xanh đường phố");
    for part in ["page", "confirmed"] {
        let said = &shown["evidence"][part];
        assert!(word(said, "key").starts_with(&format!("{CITY}#")), "{said}");
        assert!(word(&said["said"], "base").contains(&word(said, "url")), "{said}");
    }
    assert!(word(&shown["evidence"]["page"], "body").contains(&id));
    assert!(word(&shown["evidence"]["confirmed"], "url").contains("known="));
    let unknown = ward.cmd(&["catalog", "show", &format!("{CITY}/khong-co")]);
    assert_eq!(unknown.code, 1, "{}", unknown.stderr);
    assert!(ward.json(&["catalog", "show", &id]).get("evidence").is_none());
}

fn damaged_pages_are_fetched_again(ward: &mut TestNode) {
    ward.stop();
    let store = Store::open(&ward.dir().join("store"), OpenOptions::default()).unwrap();
    let kept = store.scan(Space::Meta, b"crawl/", store::prefix_end(b"crawl/").as_deref(), 100).unwrap();
    let bodies: Vec<_> = kept.records.iter().filter(|record| record.key.ends_with(b"/body")).collect();
    assert_eq!(bodies.len(), 1, "one page is kept");
    let damaged = Tx::new().put(Space::Meta, bodies[0].key.to_vec(), &b"damaged"[..]);
    store.commit_blocking(damaged).unwrap();
    store.close();
    ward.start();
    assert_eq!(search(ward, &["--cached"])["total"], 0, "a damaged page shows nothing");
    let mended = search(ward, &["cay xanh"]);
    assert_eq!((read(&mended, "unchanged"), read(&mended, "changed")), (0, 5));
    assert_eq!(names(&mended), ["cay-xanh"]);
}

fn offline_entries_stay(ward: &mut TestNode, city: &mut TestNode) {
    city.stop();
    ward.restart();
    let alone = search(ward, &["cay xanh"]);
    assert_eq!(alone["unreached"][0]["id"], CITY, "{alone}");
    assert_eq!(names(&alone), ["cay-xanh"]);
    assert!(alone["entries"][0]["age_s"].is_u64());
    let before = word(&alone["entries"][0], "seen");
    city.start();
    let back = search(ward, &["cay xanh"]);
    assert_eq!(read(&back, "unchanged"), 1, "what was kept is known after a restart");
    assert!(word(&back["entries"][0], "seen") >= before);
    // A peer that is gone for good is found no more.
    ward.ok(&["peer", "revoke", CITY]);
    assert_eq!(search(ward, &["--cached"])["total"], 0);
    assert_ne!(ward.cmd(&["catalog", "show", &format!("{CITY}/cay-xanh")]).code, 0);
}
