use std::path::PathBuf;
use std::sync::Arc;

use certs::NodeKeys;
use ledger::timestamp::files::Pair;
use ledger::{KeyName, Signer};
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::stamps::{self, TOKEN};
use super::write::{Order, Plan};
use super::{Bundle, Manifest};
use crate::audit::filter::Period;
use crate::audit::place::{Access, Opened, Place};
use crate::audit::record::{Act, Reading, record};
use crate::node::Node;

/// A node with statements of reads at indexes `said`, and something that is no statement everywhere else.
async fn node(size: u64, said: &[u64]) -> (TempDir, Arc<Node>) {
    let (dir, node) = crate::testing::node().await;
    for index in node.ledger.size()..size {
        if said.contains(&index) {
            let reading =
                Reading { reader: "x".into(), act: Act::Query, purpose: None, from: 0, to: 0, opened: 0 };
            assert_eq!(record(&node, &reading).await.unwrap(), Some(index));
        } else {
            node.ledger.append(format!("entry {index}")).await.unwrap();
        }
    }
    node.ledger.checkpoint_covering(size - 1).await.unwrap();
    (dir, node)
}

fn order() -> Order {
    let period = Period::new(None, None).unwrap();
    Order { made_for: "A".into(), purpose: None, period, exchanges: vec![], open: vec![] }
}

fn opened(place: &Place) -> Opened {
    Opened::open(place, &Access::plain(Handle::current())).unwrap()
}

fn exported(node: &Node) -> (PathBuf, Manifest) {
    let log = opened(&Place::Node(node.dir.clone()));
    let plan = Plan::make(&node.dir, &log, order()).unwrap();
    let signing = NodeKeys::load(&node.dir.join("keys")).unwrap().signing.clone();
    let signer = Signer::new(KeyName::new(&log.owner()).unwrap(), signing);
    let file = node.dir.with_file_name("x.tar");
    let manifest = plan.write(&log, &signer, 2_000_000, &file).unwrap();
    (file, manifest)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_late_entries_carries_what_makes_the_root_of_an_earlier_stamped_tree() {
    let (_dir, node) = node(300, &[]).await;
    let published = node.ledger.checkpoint().unwrap();
    let size = published.checkpoint().size;
    let pair = Pair::at(&node.dir.join("ledger"), size);
    std::fs::create_dir(pair.token.parent().unwrap()).unwrap();
    std::fs::write(&pair.checkpoint, published.signed.to_bytes()).unwrap();
    std::fs::write(&pair.token, "no token").unwrap();
    for index in size..900 {
        node.ledger.append(format!("entry {index}")).await.unwrap();
    }
    let deed = ledger::statement::Deed::Anchored(ledger::statement::Anchored {
        size,
        root: published.checkpoint().root,
        token: [0; 32],
        stamped: ledger::statement::Seconds::new(1).unwrap(),
    });
    let (_, index) = crate::flow::statement::own(&node, 2_000_000, None, deed).await.unwrap();
    node.ledger.checkpoint_covering(index).await.unwrap();
    let (file, manifest) = exported(&node);
    assert!(manifest.files.contains_key(&stamps::name(size, TOKEN)), "{:?}", manifest.files.keys());
    let bundle = opened(&Place::Bundle(file.clone()));
    assert!(bundle.ranges.iter().all(|range| range.start >= 900), "{:?}", bundle.ranges);
    assert_eq!(bundle.reader.root_at(size).unwrap(), published.checkpoint().root);
    // What is no token of RFC 3161 is found, in the bundle as in the folder, and named.
    let told = crate::audit::stamps::check(&bundle, &Bundle::open(&file).unwrap(), None, 2_000_000);
    assert!(told.unwrap_err().to_string().contains(&stamps::name(size, TOKEN)));
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_cannot_be_read_are_left_out_by_name() {
    let (_dir, node) = node(6, &[2, 4]).await;
    let (file, manifest) = exported(&node);
    let left: Vec<u64> = manifest.unreadable.iter().map(|left| left.index).collect();
    let raw: Vec<u64> =
        (0..6).filter(|index| !manifest.entries.iter().any(|(a, b)| (a..b).contains(&index))).collect();
    assert!(left.contains(&3) && left.contains(&5), "{left:?}");
    assert_eq!(left, raw, "what is not given was not readable, and each of it is named");
    assert!(manifest.unreadable.iter().all(|left| !left.reason.is_empty()), "{:?}", manifest.unreadable);
    // Who verifies the bundle is told the same.
    let access = Access::plain(Handle::current());
    let checked = crate::audit::check::check(&Place::Bundle(file), &access);
    let told = tokio::task::block_in_place(|| checked).unwrap();
    assert_eq!(told["ok"], true, "{told}");
    assert_eq!(told["bundle"]["unreadable"][0]["index"], left[0], "{told}");
}
