//! Disclosure control against those who would undo it: oracle values by the definitions, one contributor among few,
//! differences, means of repeated answers, the same cell by other ways.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use dataplane::{
    Added, AggregateOnly, Column, ColumnKind, Disclosure, Dominance, Function, HashKey, Job, Measure, Noise,
    Op, Order, Predicate, Query, RoundTo, Schema, Subject, Value,
};

use crate::common::{csv, job, text};

fn dominance(largest: &[(u8, u8)], p: Option<u8>) -> Disclosure {
    let mut dominance = Dominance::default();
    for (n, percent) in largest {
        dominance = dominance.and_largest(*n, *percent).unwrap();
    }
    if let Some(p) = p {
        dominance = dominance.and_p_percent(p).unwrap();
    }
    Disclosure { dominance, ..Disclosure::default() }
}

fn noise(key: u8, counts: u8, sums: u8) -> Disclosure {
    let noise = Noise::new(HashKey::new([key; 32]), counts, sums).unwrap();
    Disclosure { noise: Some(Added::Cell(noise)), ..Disclosure::default() }
}

/// A table of these columns, shown as aggregates by `by`.
fn view(
    dir: &Path,
    columns: &[(&str, ColumnKind)],
    rows: &str,
    by: &[&str],
    k: u64,
    subject: Subject,
) -> Job {
    let path = dir.join("t.csv");
    let header: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    std::fs::write(&path, format!("{}\n{rows}", header.join(","))).unwrap();
    let schema = columns.iter().map(|(name, kind)| Column::new(*name, *kind, true)).collect();
    let mut job = job(csv(&path), Schema::new(schema).unwrap());
    job.restriction.aggregate_only = Some(AggregateOnly {
        k,
        subject,
        group_by: by.iter().map(|n| (*n).to_owned()).collect(),
        disclosure: Disclosure::default(),
    });
    job
}

fn under(job: &Job, disclosure: &Disclosure) -> Job {
    let mut job = job.clone();
    job.restriction.aggregate_only.as_mut().unwrap().disclosure = disclosure.clone();
    job
}

fn by(names: &[&str], measures: &[(Function, Option<&str>)]) -> Query {
    Query {
        group_by: names.iter().map(|n| (*n).to_owned()).collect(),
        measures: measures.iter().map(|(f, c)| Measure::new(*f, *c)).collect(),
        ..Query::default()
    }
}

fn only(query: Query, column: &str, value: &str) -> Query {
    let value = value.parse().map_or_else(|_| Value::Text(value.to_owned()), Value::Integer);
    Query { filter: vec![Predicate::new(column, Op::Eq, vec![value])], ..query }
}

/// The rows of an answer, without its header.
async fn ask(job: &Job, query: Query) -> Vec<String> {
    let answer = text(Job { query, ..job.clone() }).await.unwrap();
    answer.lines().skip(1).map(str::to_owned).collect()
}

use ColumnKind::{Integer, Number, String as Text};
use Function::{Avg, Count, Sum};

/// The companies of the example `magnitude1` in GaussSuppression: sector, country, company, value.
const COMPANIES: &str = "\
Agriculture,Portugal,A,75.9
Agriculture,Portugal,B,24.5
Agriculture,Spain,A,96.6
Agriculture,Spain,B,43.2
Entertainment,Iceland,B,16.8
Entertainment,Portugal,B,7.1
Entertainment,Portugal,D,2.3
Entertainment,Spain,A,77.4
Entertainment,Spain,B,11.5
Entertainment,Spain,C,16.4
Governmental,Portugal,B,21.6
Governmental,Portugal,D,2.0
Governmental,Spain,C,6.5
Governmental,Spain,D,2.7
Industry,Iceland,B,9.6
Industry,Iceland,C,8.8
Industry,Iceland,D,1.9
Industry,Portugal,B,25.7
Industry,Portugal,D,3.4
Industry,Spain,C,8.4
";

const COMPANY_COLUMNS: [(&str, ColumnKind); 4] =
    [("sector", Text), ("geo", Text), ("company", Text), ("value", Number)];

#[tokio::test]
async fn the_textbook_table_withholds_what_the_definitions_withhold() {
    let dir = tempfile::tempdir().unwrap();
    let key = Subject::Key("company".into());
    let base = view(dir.path(), &COMPANY_COLUMNS, COMPANIES, &["sector", "geo"], 2, key);
    let cells = async |disclosure: Disclosure, names: &[&str]| {
        let rows = ask(&under(&base, &disclosure), by(names, &[(Sum, Some("value"))])).await;
        rows.iter().map(|r| r.rsplit_once(',').unwrap().0.to_owned()).collect::<Vec<_>>().join(" ")
    };
    // By hand. Agriculture 240.2: A 172.5 (71.8 %), B 67.7; X − x1 − x2 = 0. Entertainment 131.5: A 77.4 (58.9 %),
    // B 35.4 (2 largest 85.8 %), remainder 18.7 is 24.2 % of A. Governmental 32.8: B 21.6 (65.9 %), C 6.5 (85.7 %),
    // remainder 4.7 is 21.8 % of B. Industry 57.8: B 35.3 (61.1 %), C 17.2 (90.8 %), remainder 5.3 is 15.0 % of B.
    assert_eq!(
        cells(dominance(&[(1, 80)], None), &["sector"]).await,
        "Agriculture Entertainment Governmental Industry"
    );
    assert_eq!(cells(dominance(&[(1, 65)], None), &["sector"]).await, "Entertainment Industry");
    assert_eq!(cells(dominance(&[(2, 90)], None), &["sector"]).await, "Entertainment Governmental");
    assert_eq!(cells(dominance(&[(1, 65), (2, 90)], None), &["sector"]).await, "Entertainment");
    assert_eq!(cells(dominance(&[], Some(10)), &["sector"]).await, "Entertainment Governmental Industry");
    assert_eq!(cells(dominance(&[], Some(16)), &["sector"]).await, "Entertainment Governmental");
    assert_eq!(cells(dominance(&[], Some(24)), &["sector"]).await, "Entertainment");
    // Iceland 37.1: B 26.4, C 8.8, remainder 1.9 is 7.2 %. Portugal 162.5: B 78.9, A 75.9, remainder 7.7 is 9.8 %.
    // Spain 262.7: A 174.0, B 54.7, remainder 34.0 is 19.5 %.
    assert_eq!(cells(dominance(&[], Some(7)), &["geo"]).await, "Iceland Portugal Spain");
    assert_eq!(cells(dominance(&[], Some(9)), &["geo"]).await, "Portugal Spain");
    assert_eq!(cells(dominance(&[], Some(10)), &["geo"]).await, "Spain");
}

/// Numbers that look random and are the same each time.
fn dice(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[tokio::test]
async fn no_second_largest_contributor_can_tell_the_largest_from_what_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let mut roll = dice(1);
    let mut rows = String::new();
    let mut cells: BTreeMap<u64, BTreeMap<u64, i64>> = BTreeMap::new();
    for _ in 0..3_000 {
        let (cell, firm) = (roll(300), roll(6));
        let value = [0, 1, 5, 20, 100, 3_000][usize::try_from(roll(6)).unwrap()];
        writeln!(rows, "{cell},{firm},{value}").unwrap();
        *cells.entry(cell).or_default().entry(firm).or_default() += value;
    }
    let columns = [("cell", Integer), ("firm", Integer), ("value", Integer)];
    let base = view(dir.path(), &columns, &rows, &["cell"], 3, Subject::Key("firm".into()));
    for p in [1, 10, 40] {
        let shown =
            ask(&under(&base, &dominance(&[], Some(p))), by(&["cell"], &[(Sum, Some("value"))])).await;
        let mut expected = Vec::new();
        for (cell, firms) in &cells {
            let mut largest: Vec<i64> = firms.values().copied().collect();
            largest.sort_unstable_by(|a, b| b.cmp(a));
            let total: i64 = largest.iter().sum();
            // What the second takes from the total is its estimate of the first; it must be off by p percent of it.
            let estimate = total - largest.get(1).unwrap_or(&0);
            if firms.len() >= 3 && total > 0 && (estimate - largest[0]) * 100 >= i64::from(p) * largest[0] {
                expected.push(format!("{cell},{total}"));
            }
        }
        assert_eq!(shown, expected);
        assert!(shown.len() > 20 && shown.len() < cells.len() - 20, "{} of {}", shown.len(), cells.len());
    }
}

#[tokio::test]
async fn a_cell_that_one_person_fills_leaves_neither_as_sum_nor_as_mean_nor_as_count() {
    let dir = tempfile::tempdir().unwrap();
    // Ward A: one of three comes 20 times and brings nearly everything. Ward B: all alike.
    let mut rows = String::new();
    for n in 0..20 {
        writeln!(rows, "p1,A,{}", 100 + n).unwrap();
    }
    rows += "p2,A,1\np3,A,1\n";
    for person in ["p4", "p5", "p6", "p7"] {
        writeln!(rows, "{person},B,10").unwrap();
    }
    let columns = [("person", Text), ("ward", Text), ("cost", Integer)];
    let base = view(dir.path(), &columns, &rows, &["ward"], 3, Subject::Key("person".into()));
    let guarded = under(&base, &dominance(&[(1, 75)], Some(10)));
    for (function, column) in [(Sum, Some("cost")), (Avg, Some("cost")), (Count, None)] {
        let query = by(&["ward"], &[(function, column)]);
        assert_eq!(ask(&base, query.clone()).await.len(), 2, "large enough for the threshold alone");
        let shown = ask(&guarded, query.clone()).await;
        assert!(shown.len() == 1 && shown[0].starts_with("B,"), "{shown:?}");
        assert!(ask(&guarded, only(query, "ward", "A")).await.is_empty());
    }
    // Together with a figure that may be shown it is withheld too; which figures are asked for changes no figure.
    let both = ask(&guarded, by(&["ward"], &[(Count, None), (Sum, Some("cost"))])).await;
    assert_eq!(both, ["B,4,40"]);
    // That a ward is there is no sum.
    let wards = Query { columns: Some(vec!["ward".into()]), distinct: true, ..Query::default() };
    assert_eq!(ask(&guarded, wards).await, ["A", "B"]);
}

#[tokio::test]
async fn a_mean_or_a_count_of_values_that_one_person_fills_is_withheld_though_the_sum_is_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    // Ward A: all three bring 20, one of them in twenty visits. Ward B: one visit each.
    let rows = "p1,A,1\n".repeat(20) + "p2,A,20\np3,A,20\np4,B,20\np5,B,20\np6,B,20\n";
    let columns = [("person", Text), ("ward", Text), ("cost", Integer)];
    let base = view(dir.path(), &columns, &rows, &["ward"], 3, Subject::Key("person".into()));
    for disclosure in [dominance(&[(1, 75)], None), dominance(&[], Some(10))] {
        let guarded = under(&base, &disclosure);
        let shown = async |function| ask(&guarded, by(&["ward"], &[(function, Some("cost"))])).await;
        assert_eq!(shown(Sum).await, ["A,60", "B,60"], "nobody dominates the sum");
        assert_eq!(shown(Avg).await, ["B,20.0"], "the mean tells the number: 22, of them 20 of one");
        assert_eq!(shown(Count).await, ["B,3"]);
    }
}

#[tokio::test]
async fn the_one_value_among_many_that_have_none_is_not_their_sum() {
    let dir = tempfile::tempdir().unwrap();
    // A: one of five has a debt. B: one of five has none on record. C: all have. D: nobody has.
    let rows = "p1,A,900\np2,A,\np3,A,\np4,A,\np5,A,\nq1,B,1\nq2,B,1\nq3,B,1\nq4,B,1\nq5,B,\n\
                r1,C,1\nr2,C,1\nr3,C,1\ns1,D,\ns2,D,\ns3,D,\n";
    let columns = [("person", Text), ("ward", Text), ("debt", Integer)];
    for subject in [Subject::Key("person".into()), Subject::Rows] {
        let base = view(dir.path(), &columns, rows, &["ward"], 3, subject);
        let figures = |f, c| ask(&base, by(&["ward"], &[(f, c)]));
        assert_eq!(figures(Sum, Some("debt")).await, ["B,4", "C,3", "D,"]);
        // 5 less 4 would be the one without.
        assert_eq!(figures(Count, Some("debt")).await, ["C,3", "D,0"]);
        assert_eq!(figures(Avg, Some("debt")).await, ["C,1.0", "D,"]);
        assert_eq!(figures(Count, None).await, ["A,5", "B,5", "C,3", "D,3"]);
    }
}

/// Visits of 40 persons in 4 wards and 3 months; those of ward 3 in month 2 are one person's.
fn visits() -> String {
    let mut roll = dice(7);
    let mut rows = String::new();
    for n in 0..240 {
        let (person, ward, month) = (roll(40), roll(4), 1 + roll(3));
        if (ward, month) != (3, 2) {
            writeln!(rows, "{n},p{person},{ward},{month},{}", 1 + roll(50)).unwrap();
        }
    }
    rows + "990,p1,3,2,77\n"
}

const VISIT_COLUMNS: [(&str, ColumnKind); 5] =
    [("id", Integer), ("person", Text), ("ward", Integer), ("month", Integer), ("cost", Integer)];

fn visit_view(dir: &Path, subject: Subject) -> Job {
    view(dir, &VISIT_COLUMNS, &visits(), &["ward", "month"], 3, subject)
}

#[tokio::test]
async fn the_same_cell_has_the_same_noise_whatever_asks_for_it() {
    let dir = tempfile::tempdir().unwrap();
    for subject in [Subject::Key("person".into()), Subject::Rows] {
        let base = visit_view(dir.path(), subject);
        let noisy = under(&base, &noise(1, 2, 10));
        let figures = [(Count, None), (Sum, Some("cost")), (Avg, Some("cost"))];
        let table = ask(&noisy, by(&["ward", "month"], &figures)).await;
        assert_eq!(table, ask(&noisy, by(&["ward", "month"], &figures)).await, "asked again");
        assert_ne!(table, ask(&base, by(&["ward", "month"], &figures)).await, "there is noise");
        assert_ne!(
            table,
            ask(&under(&base, &noise(2, 2, 10)), by(&["ward", "month"], &figures)).await,
            "by key"
        );
        for row in &table {
            let cell: Vec<&str> = row.split(',').collect();
            let (ward, month, figures_of) = (cell[0], cell[1], cell[2..].join(","));
            let in_month = only(by(&["ward"], &figures), "month", month);
            assert!(ask(&noisy, in_month).await.contains(&format!("{ward},{figures_of}")), "{row}");
            let mut neither = only(by(&["ward"], &figures), "month", month);
            neither.filter.push(Predicate::new("ward", Op::Eq, vec![Value::Integer(ward.parse().unwrap())]));
            assert_eq!(ask(&noisy, neither.clone()).await, [format!("{ward},{figures_of}")]);
            // Alone, in another order, under another name, of a column without missing values.
            neither.measures = vec![Measure { name: Some("n".into()), ..Measure::new(Count, Some("cost")) }];
            neither.order_by = vec![Order { column: "n".into(), descending: true }];
            assert_eq!(ask(&noisy, neither).await, [format!("{ward},{}", cell[2])]);
        }
    }
}

#[tokio::test]
async fn the_mean_of_many_answers_is_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let job = under(&visit_view(dir.path(), Subject::Rows), &noise(3, 2, 0));
    let mut answers = std::collections::BTreeSet::new();
    for limit in 1..8 {
        let query = Query { limit: Some(limit), ..only(by(&["ward"], &[(Count, None)]), "ward", "0") };
        answers.insert(ask(&job, query).await);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn noise_keeps_its_bounds_and_changes_neither_who_is_shown_nor_what_a_mean_is_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let base = visit_view(dir.path(), Subject::Key("person".into()));
    let query = || by(&["ward", "month"], &[(Count, None), (Sum, Some("cost")), (Avg, Some("cost"))]);
    let exact = ask(&base, query()).await;
    let figures = |row: &String| -> Vec<f64> { row.split(',').map(|v| v.parse().unwrap()).collect() };
    let mut moved = 0;
    for key in 1..20 {
        let shown = ask(&under(&base, &noise(key, 2, 10)), query()).await;
        assert_eq!(shown.len(), exact.len());
        for (shown, exact) in shown.iter().map(figures).zip(exact.iter().map(figures)) {
            assert_eq!(shown[..2], exact[..2]);
            assert!((shown[2] - exact[2]).abs() <= 2.0, "{shown:?} {exact:?}");
            assert!((shown[3] - exact[3]).abs() <= (exact[3] / 10.0).ceil(), "{shown:?} {exact:?}");
            assert_eq!(shown[4].to_bits(), (shown[3] / shown[2]).to_bits(), "{shown:?}");
            moved += usize::from(shown[3] != exact[3]);
        }
    }
    assert!(moved > 150, "{moved}");
}

/// What no one promises: a cell that was withheld can be had from a total less the others. Noise and rounding make that
/// uncertain; without them it is exact.
#[tokio::test]
async fn a_difference_of_two_tables_is_exact_without_noise_and_a_guess_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let base = visit_view(dir.path(), Subject::Rows);
    let difference = async |disclosure: &Disclosure| {
        let job = under(&base, disclosure);
        let total = ask(&job, by(&["ward"], &[(Sum, Some("cost"))])).await;
        let parts = ask(&job, by(&["ward", "month"], &[(Sum, Some("cost"))])).await;
        let of_ward = |rows: &[String]| -> i64 {
            let ward = rows.iter().filter(|row| row.starts_with("3,"));
            ward.map(|row| row.rsplit(',').next().unwrap().parse::<i64>().unwrap()).sum()
        };
        assert!(!parts.iter().any(|row| row.starts_with("3,2,")), "the cell of one is withheld: {parts:?}");
        of_ward(&total) - of_ward(&parts)
    };
    assert_eq!(difference(&Disclosure::default()).await, 77);
    let mut right = 0;
    let mut furthest = 0;
    for key in 1..40 {
        let guess = difference(&noise(key, 2, 10)).await;
        right += usize::from(guess == 77);
        furthest = furthest.max((guess - 77).abs());
    }
    assert!(right < 4 && furthest > 77, "{right} of 39 right, off by up to {furthest}");
    let rounded = Disclosure { round_to: Some(RoundTo::Ten), ..Disclosure::default() };
    assert_ne!(difference(&rounded).await, 77);
}

#[tokio::test]
async fn rounded_figures_are_multiples_and_means_are_of_the_rounded() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "a,1,1.0\na,2,1.5\na,4,2.0\na,,\nb,-1,0.5\nb,-1,0.5\nb,-6,-9.5\n";
    let columns = [("g", Text), ("n", Integer), ("x", Number)];
    let base = view(dir.path(), &columns, rows, &["g"], 3, Subject::Rows);
    let job = under(&base, &Disclosure { round_to: Some(RoundTo::Five), ..Disclosure::default() });
    let query = by(&["g"], &[(Count, None), (Sum, Some("n")), (Sum, Some("x"))]);
    // a: 4 rows, 7, 4.5; b: 3 rows, -8, -8.5.
    assert_eq!(ask(&job, query).await, ["a,5,5,5.0", "b,5,-10,-10.0"]);
    let means = by(&["g"], &[(Avg, Some("n"))]);
    assert_eq!(ask(&job, only(means, "g", "b")).await, ["b,-2.0"]);
    // A count that rounds to nothing has no mean.
    let small = view(dir.path(), &columns, "c,7,1\nc,8,1\n", &["g"], 2, Subject::Rows);
    let small = under(&small, &Disclosure { round_to: Some(RoundTo::Five), ..Disclosure::default() });
    assert_eq!(ask(&small, by(&["g"], &[(Count, None), (Avg, Some("n"))])).await, ["c,0,"]);
}

#[tokio::test]
async fn persons_that_rows_count_have_the_noise_of_counts_and_are_no_contributions() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "A,1,90\nA,2,1\nB,1,5\nB,2,6\nC,1,1\nC,2,1\n";
    let columns = [("ward", Text), ("month", Integer), ("cases", Integer)];
    let base = view(dir.path(), &columns, rows, &["ward"], 5, Subject::Count("cases".into()));
    let mut disclosure = noise(4, 2, 50);
    disclosure.dominance = dominance(&[(1, 60)], Some(20)).dominance;
    let shown = ask(&under(&base, &disclosure), by(&["ward"], &[(Sum, Some("cases"))])).await;
    let cases: Vec<i64> = shown.iter().map(|row| row.rsplit(',').next().unwrap().parse().unwrap()).collect();
    assert!(cases.len() == 2 && (cases[0] - 91).abs() <= 2 && (cases[1] - 11).abs() <= 2, "{shown:?}");
}

#[tokio::test]
async fn rows_that_the_policy_hides_change_no_figure_noise_or_withholding() {
    let all = || {
        let mut all = noise(5, 2, 10);
        all.dominance = dominance(&[(1, 70), (2, 90)], Some(5)).dominance;
        all.round_to = Some(RoundTo::Three);
        all
    };
    let figures = [(Count, None), (Sum, Some("cost")), (Avg, Some("cost")), (Count, Some("cost"))];
    let mut seen = Vec::new();
    // The same visits, and between them hidden ones of many kinds: none, few, many, large, broken, of the same persons.
    for hidden in ["", "1,p1,9,1,5\n", "1,p1,9,2,999999\n2,p2,9,2,\n", "7,,9,3,-5\n7,,9,3,-5\n8,p9,9,,1\n"] {
        let dir = tempfile::tempdir().unwrap();
        let rows: Vec<String> = visits().lines().map(|line| format!("{line}\n{hidden}")).collect();
        let base = view(
            dir.path(),
            &VISIT_COLUMNS,
            &rows.concat(),
            &["ward", "month"],
            3,
            Subject::Key("person".into()),
        );
        let mut job = under(&base, &all());
        job.restriction.row_filter = vec![Predicate::new("ward", Op::Lt, vec![Value::Integer(9)])];
        let mut answers = Vec::new();
        for query in [
            by(&["ward", "month"], &figures),
            by(&["ward"], &figures),
            only(by(&["month"], &figures), "ward", "2"),
            only(by(&["month"], &figures), "ward", "9"),
            Query { limit: Some(2), ..by(&["month"], &figures) },
        ] {
            answers.push(ask(&job, query).await);
        }
        assert!(answers[0].len() > 5 && answers[3].is_empty(), "{answers:?}");
        seen.push(answers);
    }
    assert!(seen.iter().all(|answers| answers == &seen[0]));
}

#[cfg(not(feature = "dp"))]
#[test]
fn a_build_without_laplace_noise_makes_no_promise_of_it() {
    const { assert!(!dataplane::Laplace::AVAILABLE) };
    let error = dataplane::Laplace::new(1_000, BTreeMap::new()).unwrap_err();
    assert!(error.contains("feature `dp`"), "{error}");
}

#[cfg(feature = "dp")]
mod laplace {
    use super::*;
    use dataplane::{DataError, Laplace};

    const ROWS: &str = "a,1,0.5\na,2,1.5\na,900,99.0\na,,\nb,-900,-7.25\nb,1,1.125\nb,1,1.0\n";
    const COLUMNS: [(&str, ColumnKind); 3] = [("g", Text), ("n", Integer), ("x", Number)];

    fn private(epsilon_milli: u32, bounds: &[(&str, i64, i64)]) -> Disclosure {
        let bounds = bounds.iter().map(|(c, low, high)| ((*c).to_owned(), (*low, *high))).collect();
        let laplace = Laplace::new(epsilon_milli, bounds).unwrap();
        Disclosure { noise: Some(Added::Laplace(laplace)), ..Disclosure::default() }
    }

    /// At this epsilon whole figures hardly ever move (once in 10^10 times), so what else is done to them is seen.
    #[tokio::test]
    async fn values_beyond_their_bounds_count_as_the_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let base = view(dir.path(), &COLUMNS, ROWS, &["g"], 2, Subject::Rows);
        let job = under(&base, &private(100_000, &[("n", -2, 2)]));
        let query = by(&["g"], &[(Count, None), (Sum, Some("n"))]);
        assert_eq!(ask(&job, query).await, ["a,4,5", "b,3,0"]);
        let job = under(&base, &private(100_000, &[("x", -1, 2)]));
        // 0.5 + 1.5 + 2 and -1 + 1.125 + 1, moved by some thousandths.
        for (row, exact) in ask(&job, by(&["g"], &[(Sum, Some("x"))])).await.iter().zip([4.0, 1.125]) {
            let sum: f64 = row[2..].parse().unwrap();
            assert!((sum - exact).abs() < 1.0, "{row}");
        }
    }

    #[tokio::test]
    async fn each_answer_has_noise_of_its_own_and_a_mean_is_of_what_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let base = view(dir.path(), &COLUMNS, ROWS, &["g"], 2, Subject::Rows);
        let job = under(&base, &private(1, &[("n", 0, 900)]));
        let query = || by(&["g"], &[(Count, Some("n")), (Sum, Some("n")), (Avg, Some("n"))]);
        let mut answers = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let rows = ask(&job, only(query(), "g", "b")).await;
            let cells: Vec<&str> = rows[0].split(',').collect();
            let number = |at: usize| cells[at].parse::<f64>().unwrap();
            assert!(number(1) >= 0.0);
            match number(1) == 0.0 {
                true => assert_eq!(cells[3], ""),
                false => assert_eq!(
                    number(3).to_bits(),
                    (number(2) / number(1)).to_bits(),
                    "one draw a figure: {rows:?}"
                ),
            }
            answers.insert(rows);
        }
        assert!(answers.len() > 1, "{answers:?}");
        // The threshold is about true figures.
        let alone = view(dir.path(), &COLUMNS, "a,1,1\n", &["g"], 2, Subject::Rows);
        assert!(ask(&under(&alone, &private(1, &[])), by(&["g"], &[(Count, None)])).await.is_empty());
    }

    #[tokio::test]
    async fn what_has_no_bounds_or_many_rows_of_one_person_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let base = view(dir.path(), &COLUMNS, ROWS, &["g"], 2, Subject::Rows);
        let job = under(&base, &private(500, &[("n", 0, 9)]));
        for function in [Sum, Avg] {
            let job = Job { query: by(&["g"], &[(function, Some("x"))]), ..job.clone() };
            let error = text(job).await.unwrap_err();
            assert!(
                matches!(&error, DataError::Query(why) if why.contains("no bounds for column `x`")),
                "{error}"
            );
        }
        let keyed = view(dir.path(), &COLUMNS, ROWS, &["g"], 2, Subject::Key("n".into()));
        let job = Job { query: by(&["g"], &[(Count, None)]), ..under(&keyed, &private(500, &[])) };
        assert!(matches!(text(job).await.unwrap_err(), DataError::Restriction(_)));
        assert!(Laplace::new(500, [("n".to_owned(), (5, 1))].into()).is_err());
        assert!(Laplace::new(0, BTreeMap::new()).is_err());
    }
}
