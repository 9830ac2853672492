#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::{Column, Format, Limits, Op, OutputFormat, Predicate, Query, Restriction, Schema, Source, Value};

const KEY: [&str; 1] = ["ten"];

fn job(path: &Path) -> Job {
    let column = |name: &str, kind| Column::new(name, kind, false);
    let columns = vec![
        column("so", ColumnKind::Integer),
        column("ten", ColumnKind::String),
        column("an", ColumnKind::String),
    ];
    Job {
        source: Source { path: path.to_owned(), format: Format::Csv { delimiter: ',', null_text: None } },
        schema: Schema::new(columns).unwrap(),
        // Without `an`, and without the rows of X.
        restriction: Restriction {
            columns: Some(vec!["so".into(), "ten".into()]),
            row_filter: vec![Predicate::new("ten", Op::Ne, vec![Value::Text("X".into())])],
            ..Restriction::default()
        },
        query: Query::default(),
        format: OutputFormat::Parquet,
        limits: Limits::default(),
        correlation: "x".into(),
    }
}

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is made of these rows (`NUMBER,NAME,SECRET`) for who holds `known`.
    fn grown(&self, name: &str, rows: &str, known: Option<Known>) -> (String, Grown) {
        let raw = self.path("raw");
        fs::write(&raw, format!("so,ten,an\n{rows}")).unwrap();
        let target = self.path(name);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let key = KEY.map(str::to_owned);
        let made = runtime.block_on(grown(job(&raw), ("so", &key), known, &target)).unwrap();
        let left: Vec<_> = fs::read_dir(self.0.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(!left.iter().any(|n| n.to_string_lossy().contains(".run")), "{left:?}");
        (fs::read_to_string(target).unwrap(), made)
    }
}

fn known(grown: &Grown) -> Option<Known> {
    let Copy { rows, bytes, sha256 } = grown.whole;
    Some(Known { bytes, rows, sha256 })
}

const FIRST: &str = "9,Bình,s\n9,An,s\n9,X,s\n10,An,s\n";

#[test]
fn only_the_rows_behind_the_known_copy_are_made_and_the_digest_is_that_of_the_whole() {
    let scene = Scene::new();
    let (text, first) = scene.grown("a", FIRST, None);
    assert_eq!(text, "so,ten\n9,An\n9,Bình\n10,An\n", "numbers are sorted as numbers, then by the key");
    assert_eq!((first.added, first.whole.rows, first.whole.bytes), (None, 3, text.len() as u64));
    assert_eq!(first.whole.sha256, Sha256::of(text.as_bytes()));
    // Others of the newest value may come, as long as they are behind it in order.
    let more = format!("{FIRST}10,Em,s\n100,\"A, \"\"b\"\"\",s\n");
    let (tail, second) = scene.grown("b", &more, known(&first));
    assert_eq!(tail, "so,ten\n10,Em\n100,\"A, \"\"b\"\"\"\n");
    assert_eq!((second.added, second.whole.rows), (Some(2), 5));
    let (read, written) = append(&scene.path("a"), &scene.path("b"), &scene.path("c")).unwrap();
    assert_eq!((read, written), (first.whole.sha256, second.whole.sha256));
    let whole = fs::read(scene.path("c")).unwrap();
    assert_eq!(Sha256::of(&whole), written);
    assert_eq!(
        scene.grown("d", &more, None),
        (String::from_utf8(whole).unwrap(), Grown { added: None, ..second })
    );
}

#[test]
fn of_a_view_in_order_the_new_rows_alone_are_written_down() {
    let scene = Scene::new();
    let (_, first) = scene.grown("a", FIRST, None);
    let places = || vec![Place { at: 0, number: true }, Place::text(1)];
    let target = scene.path("b");
    let look = |rows: &str| {
        let _ = fs::remove_file(&target);
        in_order(format!("so,ten\n{rows}").as_bytes(), places(), known(&first), &target).unwrap()
    };
    assert!(matches!(look("9,Bình\n9,An\n10,An\n11,Em\n"), Pass::Made(Grown { added: Some(1), .. })));
    assert_eq!(fs::read_to_string(&target).unwrap(), "so,ten\n11,Em\n");
    // Before the beginning is proven, nothing is.
    assert!(matches!(look("9,Bình\n9,Anh\n10,An\n11,Em\n"), Pass::Rewritten));
    assert!(!target.exists());
    assert!(matches!(look("10,An\n9,An\n"), Pass::Unordered));
    assert!(!target.exists());
}

#[test]
fn nothing_new_is_nothing_whatever_is_hidden() {
    let scene = Scene::new();
    let (_, first) = scene.grown("a", FIRST, None);
    let hidden = "1,X,t\n9,Bình,t\n9,An,u\n10,An,v\n11,X,w\n";
    assert_eq!(
        scene.grown("b", hidden, known(&first)),
        ("so,ten\n".to_owned(), Grown { added: Some(0), ..first.clone() })
    );
}

#[test]
fn rows_that_come_in_another_order_are_sorted_and_still_told_alone() {
    let scene = Scene::new();
    let (_, first) = scene.grown("a", FIRST, None);
    let mixed = "10,An,s\n11,Em,s\n9,An,s\n9,Bình,s\n12,Em,s\n";
    let (tail, second) = scene.grown("b", mixed, known(&first));
    assert_eq!((tail.as_str(), second.added), ("so,ten\n11,Em\n12,Em\n", Some(2)));
    assert!(!scene.path("b.tail").exists());
}

#[test]
fn a_row_that_came_late_was_corrected_or_went_makes_the_whole() {
    let scene = Scene::new();
    let (_, first) = scene.grown("a", FIRST, None);
    for (rows, sorted) in [
        ("9,Bình,s\n9,An,s\n9,Anh,s\n10,An,s\n", "so,ten\n9,An\n9,Anh\n9,Bình\n10,An\n"),
        ("8,Z,s\n9,Bình,s\n9,An,s\n10,An,s\n11,A,s\n", "so,ten\n8,Z\n9,An\n9,Bình\n10,An\n11,A\n"),
        ("9,Bình,s\n9,Ân,s\n10,An,s\n11,A,s\n", "so,ten\n9,Bình\n9,Ân\n10,An\n11,A\n"),
        ("9,An,s\n10,An,s\n", "so,ten\n9,An\n10,An\n"),
        // Of the very length, and none at all.
        ("9,Binh2,s\n9,An,s\n10,An,s\n", "so,ten\n9,An\n9,Binh2\n10,An\n"),
        ("", "so,ten\n"),
        // The same out of order.
        ("10,An,s\n8,Z,s\n9,An,s\n", "so,ten\n8,Z\n9,An\n10,An\n"),
    ] {
        let (text, made) = scene.grown("b", rows, known(&first));
        assert_eq!((text.as_str(), made.added), (sorted, None), "{rows}");
        assert_eq!(made.whole.sha256, Sha256::of(text.as_bytes()));
    }
}

#[test]
fn a_tail_of_another_copy_gives_another_digest_or_is_refused() {
    let scene = Scene::new();
    let (a, b, out) = (scene.path("a"), scene.path("b"), scene.path("c"));
    fs::write(&a, "so,ten\n1,A\n").unwrap();
    fs::write(&b, "so,ten\n2,B\n").unwrap();
    let (read, _) = append(&a, &b, &out).unwrap();
    assert_eq!(read, Sha256::of(b"so,ten\n1,A\n"));
    assert_eq!(fs::read_to_string(&out).unwrap(), "so,ten\n1,A\n2,B\n");
    for bad in ["so,khac\n2,B\n", "", "2,B\n"] {
        fs::write(&b, bad).unwrap();
        assert!(matches!(append(&a, &b, &out), Err(DataError::Spool(_))), "{bad}");
    }
}

#[test]
fn rows_of_one_value_that_do_not_fit_in_memory_are_sorted_on_the_disk() {
    let scene = Scene::new();
    let long = "x".repeat(2_000);
    let rows: String =
        (0..20_000_u32).map(|i| format!("7,{}{long},s\n", i.wrapping_mul(2_654_435_761))).collect();
    let (text, first) = scene.grown("a", &rows, None);
    assert!(text.lines().skip(1).is_sorted() && first.whole.rows == 20_000);
    let (tail, made) = scene.grown("b", &format!("{rows}8,Z,s\n"), known(&first));
    assert_eq!((tail.as_str(), made.added), ("so,ten\n8,Z\n", Some(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever two views hold: what is told, put behind the copy or in its place, is the new view's whole.
    #[test]
    fn what_is_told_leads_from_any_copy_to_any_other(
        old in prop::collection::vec((-12_i64..12, "[ab]{1,2}"), 0..8),
        new in prop::collection::vec((-12_i64..12, "[ab]{1,2}"), 0..8),
        keep in any::<bool>(),
    ) {
        let scene = Scene::new();
        let rows = |all: &[(i64, String)]| -> String { all.iter().map(|(n, t)| format!("{n},{t},s\n")).collect() };
        let new = if keep { [&old[..], &new[..]].concat() } else { new };
        let (_, first) = scene.grown("a", &rows(&old), None);
        let (_, made) = scene.grown("b", &rows(&new), known(&first));
        let (whole, all) = scene.grown("d", &rows(&new), None);
        prop_assert_eq!(&made.whole, &all.whole);
        if made.added.is_some() {
            append(&scene.path("a"), &scene.path("b"), &scene.path("c")).unwrap();
            prop_assert_eq!(fs::read_to_string(scene.path("c")).unwrap(), whole);
        } else {
            prop_assert_eq!(fs::read_to_string(scene.path("b")).unwrap(), whole);
        }
    }
}
