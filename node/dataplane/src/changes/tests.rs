#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::rows::{Row, fields, key_of};
use super::*;
use crate::limits::SORT_BYTES;
use crate::{
    Column, ColumnKind, Format, Limits, Mask, Op, Predicate, Query, Restriction, Schema, Source, Value,
};

const COLUMNS: [&str; 4] = ["id", "ten", "phuong", "bi_mat"];

fn job(path: &Path, restriction: Restriction) -> Job {
    let columns = COLUMNS.iter().map(|name| Column::new(*name, ColumnKind::String, true));
    Job {
        source: Source { path: path.to_owned(), format: Format::Csv { delimiter: ',', null_text: None } },
        schema: Schema::new(columns.collect()).unwrap(),
        restriction,
        query: Query::default(),
        format: OutputFormat::Parquet,
        limits: Limits::default(),
        correlation: "x".into(),
    }
}

/// Without `bi_mat`, and without the rows of `phuong` X.
fn restriction() -> Restriction {
    Restriction {
        columns: Some(COLUMNS[..3].iter().map(|c| (*c).to_owned()).collect()),
        row_filter: vec![Predicate::new("phuong", Op::Ne, vec![Value::Text("X".into())])],
        ..Restriction::default()
    }
}

struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn view(&self, name: &str, rows: &str, restriction: Restriction, key: &[String]) -> (PathBuf, Copy) {
        let raw = self.path(&format!("{name}.raw"));
        fs::write(&raw, format!("{}\n{rows}", COLUMNS.join(","))).unwrap();
        let target = self.path(name);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let copy = runtime.block_on(ordered(job(&raw, restriction), key, &target)).unwrap();
        assert_eq!(copy.sha256, Sha256::of(&fs::read(&target).unwrap()));
        (target, copy)
    }

    /// What changed, and that applying it makes of the old copy the new one.
    fn changed(&self, old: &Path, new: &Path, key: &[String]) -> String {
        let (changes, target) = (self.path("changes"), self.path("applied"));
        let told = difference(old, new, key, &changes).unwrap();
        let text = fs::read_to_string(&changes).unwrap();
        assert_eq!(told.sha256, Sha256::of(text.as_bytes()));
        let (read, written) = apply(old, &changes, key, &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), fs::read(new).unwrap());
        assert_eq!(read.sha256, Sha256::of(&fs::read(old).unwrap()));
        assert_eq!(written.sha256, Sha256::of(&fs::read(new).unwrap()));
        text
    }
}

fn id() -> Vec<String> {
    vec!["id".to_owned()]
}

const OLD: &str = "2,An,A,s\n1,Bình,A,s\n3,\"Chi, \"\"C\"\"\",B,s\n9,Ẩn,X,s\n";

#[test]
fn a_copy_is_the_view_in_an_order_of_its_own() {
    let scene = Scene::new();
    let (path, copy) = scene.view("a", OLD, restriction(), &id());
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        "id,ten,phuong\n1,Bình,A\n2,An,A\n3,\"Chi, \"\"C\"\"\",B\n"
    );
    assert_eq!(copy.rows, 3);
    let shuffled = "9,Ẩn,X,s\n3,\"Chi, \"\"C\"\"\",B,s\n1,Bình,A,s\n2,An,A,s\n";
    assert_eq!(scene.view("b", shuffled, restriction(), &id()).1, copy);
    let unknown = scene.path("a.raw");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hidden = ["bi_mat".to_owned()];
    let told = runtime.block_on(ordered(job(&unknown, restriction()), &hidden, &scene.path("c")));
    assert!(matches!(told, Err(DataError::Query(_))), "{told:?}");
}

#[test]
fn rows_that_came_changed_and_went_are_told_by_their_key() {
    let scene = Scene::new();
    let (old, _) = scene.view("a", OLD, restriction(), &id());
    let (new, _) =
        scene.view("b", "1,Bình,B,s\n3,\"Chi, \"\"C\"\"\",B,s\n10,Dũng,C,s\n", restriction(), &id());
    assert_eq!(
        scene.changed(&old, &new, &id()),
        "id,ten,phuong,tram_change\n1,Bình,B,update\n10,Dũng,C,insert\n2,An,A,delete\n"
    );
    // Without a key an update is what went and what came.
    let (old, _) = scene.view("a", OLD, restriction(), &[]);
    let (new, _) = scene.view("b", "1,Bình,B,s\n2,An,A,s\n3,\"Chi, \"\"C\"\"\",B,s\n", restriction(), &[]);
    let told = scene.changed(&old, &new, &[]);
    assert_eq!(told, "id,ten,phuong,tram_change\n1,Bình,A,delete\n1,Bình,B,insert\n");
}

#[test]
fn a_feed_tells_an_update_as_what_was_and_what_is() {
    let scene = Scene::new();
    let (old, _) = scene.view("a", OLD, restriction(), &id());
    let (new, _) =
        scene.view("b", "1,Bình,B,s\n3,\"Chi, \"\"C\"\"\",B,s\n10,Dũng,C,s\n", restriction(), &id());
    let told = scene.path("feed");
    feed(&old, &new, &id(), &told).unwrap();
    assert_eq!(
        fs::read_to_string(&told).unwrap(),
        "id,ten,phuong,_change_type\n1,Bình,A,update_preimage\n1,Bình,B,update_postimage\n10,Dũng,C,insert\n2,An,A,delete\n"
    );
    // Without a key there is nothing to say that two rows are one.
    feed(&old, &new, &[], &told).unwrap();
    assert!(!fs::read_to_string(&told).unwrap().contains("update"));
}

/// The heart of it: nothing that the view hides moves a byte of what is told.
#[test]
fn what_the_view_hides_is_no_change() {
    let scene = Scene::new();
    let hashed =
        Restriction { masks: BTreeMap::from([("ten".to_owned(), Mask::ShowFirst(1))]), ..restriction() };
    for restriction in [restriction(), hashed] {
        for key in [id(), Vec::new()] {
            let (old, copy) = scene.view("a", OLD, restriction.clone(), &key);
            // Another secret in every row, other hidden rows, another order.
            let hidden = "9,Khác,X,t\n3,\"Chi, \"\"C\"\"\",B,t\n8,Thêm,X,\n2,An,A,u\n1,Bình,A,\n";
            let (new, same) = scene.view("b", hidden, restriction.clone(), &key);
            assert_eq!(copy, same);
            assert_eq!(scene.changed(&old, &new, &key), "id,ten,phuong,tram_change\n");
        }
    }
    // Behind the mask of `ten` another name of the same first letter is the same.
    let masked = Restriction {
        columns: Some(vec!["id".into(), "ten".into()]),
        masks: BTreeMap::from([("ten".to_owned(), Mask::Cut(1))]),
        ..Restriction::default()
    };
    let (old, _) = scene.view("a", "1,Bình,A,s\n", masked.clone(), &id());
    let (new, _) = scene.view("b", "1,Bảo,A,s\n", masked, &id());
    assert_eq!(scene.changed(&old, &new, &id()), "id,ten,tram_change\n");
}

#[test]
fn changes_are_applied_to_their_own_copy_alone() {
    let scene = Scene::new();
    let (old, _) = scene.view("a", OLD, restriction(), &id());
    let (new, _) = scene.view("b", "2,An,B,s\n4,Em,A,s\n", restriction(), &id());
    let (changes, out) = (scene.path("changes"), scene.path("out"));
    difference(&old, &new, &id(), &changes).unwrap();
    // To the new copy: the rows to delete are not there. To the old one a second time: likewise.
    assert!(matches!(apply(&new, &changes, &id(), &out), Err(DataError::Spool(_))));
    for bad in
        ["id,ten,phuong,tram_change\n1,Bình,A,drop\n", "id,ten,phuong\n", "", "id,tram_change\n1,insert\n"]
    {
        fs::write(&changes, bad).unwrap();
        assert!(apply(&old, &changes, &id(), &out).is_err(), "{bad}");
    }
    // An update needs a key to find its row by.
    fs::write(&changes, "id,ten,phuong,tram_change\n1,Bình,C,update\n").unwrap();
    assert!(apply(&old, &changes, &[], &out).is_err());
    // A copy that somebody edited gives figures that are not the expected ones.
    fs::write(&changes, "id,ten,phuong,tram_change\n").unwrap();
    let before = Sha256::of(&fs::read(&old).unwrap());
    let edited = fs::read_to_string(&old).unwrap().replace("Bình", "Bảo");
    fs::write(&old, edited).unwrap();
    assert_ne!(apply(&old, &changes, &id(), &out).unwrap().0.sha256, before);
}

#[test]
fn what_does_not_fit_in_memory_is_sorted_on_the_disk() {
    let scene = Scene::new();
    let long = "x".repeat(200);
    let rows: String =
        (0..150_000_u32).map(|i| format!("{},{long},A,s\n", i.wrapping_mul(2_654_435_761))).collect();
    assert!(rows.len() + 150_000 * size_of::<Row>() > SORT_BYTES, "nothing would be spilled");
    let (path, copy) = scene.view("a", &rows, restriction(), &id());
    assert_eq!(copy.rows, 150_000);
    let text = fs::read_to_string(&path).unwrap();
    let ids: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert!(ids.is_sorted() && ids.len() == 150_000);
    let left: Vec<_> = fs::read_dir(scene.dir.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".run")), "{left:?}");
}

#[test]
fn a_key_sorts_by_its_fields_and_not_by_their_quotes() {
    let key = |line: &str| key_of(line.as_bytes(), &[Place::text(0), Place::text(1)]);
    assert!(key("a,b") < key("\"a,\",b"));
    assert!(key("a,b") < key("ab,"));
    assert_eq!(key("\"a\",b"), key("a,b"));
    assert_ne!(key("a\0,b"), key("a,\0b"));
    assert_eq!(fields(b"\"x\"\"y\",,\"1\n2\""), [b"x\"y".to_vec(), Vec::new(), b"1\n2".to_vec()]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever two copies hold, repeated keys and rows included, the changes lead from one to the other.
    #[test]
    fn changes_lead_from_any_copy_to_any_other(
        old in prop::collection::vec(("[ab]{0,2}", "[a,\"\n]{0,2}"), 0..12),
        new in prop::collection::vec(("[ab]{0,2}", "[a,\"\n]{0,2}"), 0..12),
        keyed in any::<bool>(),
    ) {
        let scene = Scene::new();
        let key: Vec<String> = if keyed { vec!["k".into()] } else { Vec::new() };
        let write = |name: &str, rows: &[(String, String)]| {
            let path = scene.path(name);
            let text: String =
                rows.iter().map(|(k, v)| format!("{k},\"{}\"\n", v.replace('"', "\"\""))).collect();
            let places = if keyed { vec![Place::text(0)] } else { Vec::new() };
            sort(format!("k,v\n{text}").as_bytes(), places, &path).unwrap();
            path
        };
        let (old, new) = (write("a", &old), write("b", &new));
        scene.changed(&old, &new, &key);
        scene.changed(&new, &new, &key);
    }
}
