use store::Tx;

use super::*;
use crate::records::{Ask, Side};

const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const ROWS: &[u8] = b"id,v\n1,2\n";

/// Keeps an exchange at this stage, with its rows where they lie.
async fn exchange(node: &Node, stage: Stage) {
    let ask = Ask {
        action: "query".into(),
        purpose: None,
        basis: None,
        query: serde_json::Value::Null,
        stated: Default::default(),
    };
    let mut exchange = Exchange::new(ID.into(), Side::Consumer, "urn:agency:vn:b".into(), "x".into(), ask, 1);
    exchange.stage = stage;
    exchange.bytes = Some(ROWS.len() as u64);
    exchange.sha256 = Some(files::hex(&sha2::Sha256::digest(ROWS)));
    fs::write(consumer::received_file(node, ID), ROWS).unwrap();
    let tx = Tx::new().put_json(Space::Exchange, exchange.key(), &exchange).unwrap();
    node.store.commit(tx).await.unwrap();
}

/// As if the time of the next try had come.
fn at_once(node: &Node) {
    let wish = Wish { not_before: 0, ..of(&node.dir, ID).unwrap() };
    write(&path(&node.dir, ID).unwrap(), &wish).unwrap();
}

#[tokio::test]
async fn the_rows_come_into_the_file_when_they_are_here_and_whoever_wanted_them_is_gone() {
    let (desk, node) = crate::testing::node().await;
    let file = desk.path().join("rows.csv");
    exchange(&node, Stage::Receiving).await;
    let held = want(&node.dir, ID, &file).unwrap();
    drop(held);
    sweep(&node).await.unwrap();
    assert!(!file.exists() && of(&node.dir, ID).is_some(), "they are not here yet");
    exchange(&node, Stage::Completed).await;
    let held = want(&node.dir, ID, &file).unwrap();
    sweep(&node).await.unwrap();
    assert!(!file.exists(), "somebody still sees to it");
    // A process that is killed lets go of it in the same way.
    drop(held);
    sweep(&node).await.unwrap();
    assert_eq!((fs::read(&file).unwrap(), of(&node.dir, ID)), (ROWS.to_vec(), None));
    let left: Vec<_> = fs::read_dir(desk.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn a_kill_after_the_file_has_its_name_costs_nothing() {
    let (desk, node) = crate::testing::node().await;
    let file = desk.path().join("rows.csv");
    exchange(&node, Stage::Completed).await;
    drop(want(&node.dir, ID, &file).unwrap());
    fs::write(&file, ROWS).unwrap();
    sweep(&node).await.unwrap();
    assert_eq!(of(&node.dir, ID), None);
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn what_lay_there_when_it_was_wanted_is_replaced_and_what_came_since_is_not() {
    let (desk, node) = crate::testing::node().await;
    let file = desk.path().join("rows.csv");
    exchange(&node, Stage::Completed).await;
    fs::write(&file, "of last week").unwrap();
    drop(want(&node.dir, ID, &file).unwrap());
    fs::write(&file, "written by somebody meanwhile").unwrap();
    sweep(&node).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "written by somebody meanwhile");
    let problem = of(&node.dir, ID).unwrap().problem.unwrap();
    assert!(problem.contains("--out OTHER") && problem.contains("rows.csv"), "{problem}");
    drop(want(&node.dir, ID, &file).unwrap());
    sweep(&node).await.unwrap();
    assert_eq!(fs::read(&file).unwrap(), ROWS);
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_tried_again_and_rows_that_changed_are_not_handed_out() {
    let (desk, node) = crate::testing::node().await;
    let file = desk.path().join("later/rows.csv");
    exchange(&node, Stage::Completed).await;
    drop(want(&node.dir, ID, &file).unwrap());
    sweep(&node).await.unwrap();
    assert!(of(&node.dir, ID).unwrap().problem.is_some());
    fs::create_dir(desk.path().join("later")).unwrap();
    sweep(&node).await.unwrap();
    assert!(!file.exists(), "not before its time");
    at_once(&node);
    fs::write(consumer::received_file(&node, ID), b"id,v\n1,3\n").unwrap();
    sweep(&node).await.unwrap();
    assert!(!file.exists() && of(&node.dir, ID).unwrap().problem.unwrap().contains("not those"));
    assert_eq!(fs::read_dir(desk.path().join("later")).unwrap().count(), 0);
    at_once(&node);
    fs::write(consumer::received_file(&node, ID), ROWS).unwrap();
    sweep(&node).await.unwrap();
    assert_eq!(fs::read(&file).unwrap(), ROWS);
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn what_will_never_come_is_forgotten_and_no_wish_leads_out_of_its_folder() {
    let (desk, node) = crate::testing::node().await;
    exchange(&node, Stage::Completed).await;
    let key = records::consumer_key(ID);
    let erased = |e: &mut Exchange| {
        e.sha256 = None;
        Ok(((), Tx::new()))
    };
    records::update::<Exchange, ()>(&node.store, Space::Exchange, &key, erased).await.unwrap();
    drop(want(&node.dir, ID, &desk.path().join("rows.csv")).unwrap());
    sweep(&node).await.unwrap();
    assert_eq!(of(&node.dir, ID), None, "erased rows do not come back");
    exchange(&node, Stage::Refused).await;
    drop(want(&node.dir, ID, &desk.path().join("rows.csv")).unwrap());
    drop(want(&node.dir, "01UNKNOWN", &desk.path().join("other.csv")).unwrap());
    fs::write(node.dir.join(FOLDER).join("01BROKEN.json"), "{").unwrap();
    sweep(&node).await.unwrap();
    assert_eq!(fs::read_dir(node.dir.join(FOLDER)).unwrap().count(), 0);
    for id in ["../x", "", "a/b", "."] {
        assert!(want(&node.dir, id, &desk.path().join("rows.csv")).is_err(), "{id}");
    }
    crate::boot::close(&node).await;
}
