//! Rules about sector, owner, place, route and network meet real requests: what the node itself knows decides.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;

use tests::scene::{ask, get, publish};
use tests::{Rules, TestNode, pair};

const FOR: [&str; 4] = ["--purpose", "health-planning", "--basis", "law"];

/// Lets `gr:state` query `object` under the condition of the last column.
fn rule(provider: &TestNode, object: &str, network: &str, when: &str) {
    let folder = provider.desk().join("rules");
    Rules::new().write(&folder);
    let row = format!(
        "p, T-ALLOW, 30, gr:state, {object}, query, *, *, +, {network}, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow{when}\n"
    );
    let file = folder.join("policy.csv");
    let rows = fs::read_to_string(&file).unwrap();
    fs::write(&file, rows + &row).unwrap();
    provider.ok(&["policy", "apply", &folder.to_string_lossy()]);
}

#[test]
fn what_a_node_knows_of_dataset_asker_and_way_decides() {
    let mut provider = TestNode::up("urn:agency:vn:y-te", "Trung tâm Y tế");
    let consumer = TestNode::up("urn:agency:vn:phuong", "Phường");
    pair(&provider, &consumer);
    let file = provider.desk().join("giuong.csv");
    fs::write(&file, "benh_vien,giuong\nA,120\n").unwrap();
    publish(&provider, &file, "giuong", &["--theme", "Y tế"]);
    let what = format!("{}/giuong", provider.id());
    let mut number = 0;
    let mut permits = |provider: &TestNode, object: &str, network: &str, when: &str| {
        rule(provider, object, network, when);
        number += 1;
        let asked = ask(&consumer, &what, &format!("{number}.csv"), &FOR);
        assert!([0, 3].contains(&asked.code), "{asked:?}");
        asked.code == 0
    };
    assert!(permits(&provider, "se:y-te", "net:gov", ""));
    assert!(!permits(&provider, "se:giao-thong", "*", ""));
    assert!(
        permits(&provider, "ow:urn:agency:vn:y-te", "*", ", place=pl:vn"),
        "the asker's country is its place"
    );
    assert!(!permits(&provider, "*", "*", ", place=pl:la"));
    assert!(!permits(&provider, "*", "*", ", role=ro:doctor"), "nobody stated a role");
    assert!(!permits(&provider, "*", "*", ", route=via:platform"));

    // Behind a platform, and in another network: the node's own configuration says so.
    provider.stop();
    let config = provider.dir().join("tram.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replacen("[peer]\n", "[peer]\nnetwork = \"city\"\nroute = \"platform\"\n", 1))
        .unwrap();
    provider.start();
    assert!(permits(&provider, "*", "net:city", ", route=via:platform"));
    assert!(!permits(&provider, "*", "net:gov", ""));
    assert!(!permits(&provider, "*", "*", ", route=via:direct"));

    // What the asker states of its people counts as stated, request by request.
    rule(&provider, "*", "*", ", unit=un:khoa-noi role=ro:doctor clearance=3-9 place=pl:vn");
    let doctor = ["--unit", "khoa-noi", "--role", "ro:doctor", "--clearance", "4"];
    get(&consumer, &what, "doctor.csv", &[&FOR[..], &doctor].concat());
    ask(&consumer, &what, "nobody.csv", &FOR).expect_code(3);
    ask(&consumer, &what, "low.csv", &[&FOR[..], &doctor[..4]].concat()).expect_code(3);
    ask(&consumer, &what, "abroad.csv", &[&FOR[..], &doctor, &["--place", "la"]].concat()).expect_code(3);
    let told = ask(&consumer, &what, "bad.csv", &[&FOR[..], &["--clearance", "12"]].concat()).expect_code(2);
    assert!(told.stderr.contains("clearance"), "{told:?}");
    rule(&provider, "*", "*", "");
    get(&consumer, &what, "last.csv", &FOR);
}
