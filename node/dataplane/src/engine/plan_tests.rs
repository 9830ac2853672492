//! The plans of requests, walked node by node: below the barrier is what the policy says, and of the consumer's nothing
//! but comparisons of the allow-list over columns that are shown as they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use super::ask::Ask;
use super::file::FileTable;
use super::governed::PolicyBarrierExec;
use super::tests::{people, restriction};
use super::view::View;
use super::{plan, session};
use crate::{
    AggregateOnly, Format, Function, Limits, Measure, Op, Order, Predicate, Query, Restriction, Source,
    Subject, Test, Value,
};

/// What may stand below a barrier: the source, the policy's filter and masks, a limit.
const BELOW: [&str; 5] =
    ["StreamingTableExec", "FilterExec", "ProjectionExec", "GlobalLimitExec", "LocalLimitExec"];
/// And for groups that are withheld there.
const BELOW_GROUPS: [&str; 3] = ["AggregateExec", "SortExec", "SortPreservingMergeExec"];

/// One request's plan: the names of the nodes and the conjuncts of the filters below the barrier.
struct Walked {
    barriers: usize,
    below: BTreeSet<String>,
    conjuncts: Vec<Arc<dyn PhysicalExpr>>,
}

async fn walked(restriction: &Restriction, query: &Query) -> Walked {
    let source = Source { path: "nowhere".into(), format: Format::Parquet };
    let view = View::new(&people(), restriction).unwrap();
    let ask = Ask::new(&view, query).unwrap_or_else(|e| panic!("{query:?}: {e}"));
    let state = session::sandbox(&Limits::default()).unwrap();
    let table = Arc::new(FileTable::new(source, people()));
    let logical = plan::request(table, &view, &ask, &state).unwrap();
    let physical = state.create_physical_plan(&logical).await.unwrap();
    let mut walked = Walked { barriers: 0, below: BTreeSet::new(), conjuncts: Vec::new() };
    walk(&physical, false, &mut walked);
    walked
}

fn walk(node: &Arc<dyn ExecutionPlan>, inside: bool, walked: &mut Walked) {
    let barrier = node.is::<PolicyBarrierExec>();
    walked.barriers += usize::from(barrier);
    if inside {
        walked.below.insert(node.name().to_owned());
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            walked.conjuncts.extend(split_conjunction(filter.predicate()).into_iter().cloned());
        }
    } else if !barrier {
        assert!(!node.children().is_empty(), "`{}` is a leaf outside the barrier", node.name());
    }
    for child in node.children() {
        walk(child, inside || barrier, walked);
    }
}

/// Whether the expression is of the allow-list and over these columns alone.
fn is_allowed(expr: &Arc<dyn PhysicalExpr>, open: &[&str]) -> bool {
    let column =
        |e: &Arc<dyn PhysicalExpr>| e.downcast_ref::<Column>().is_some_and(|c| open.contains(&c.name()));
    let literal = |e: &Arc<dyn PhysicalExpr>| e.is::<Literal>();
    if let Some(b) = expr.downcast_ref::<BinaryExpr>() {
        return match b.op() {
            Operator::Or | Operator::And => is_allowed(b.left(), open) && is_allowed(b.right(), open),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq => column(b.left()) && literal(b.right()),
            _ => false,
        };
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        return column(list.expr()) && list.list().iter().all(literal);
    }
    if let Some(like) = expr.downcast_ref::<LikeExpr>() {
        return column(like.expr()) && literal(like.pattern());
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        return is_allowed(not.arg(), open);
    }
    let null = expr.downcast_ref::<IsNullExpr>().map(IsNullExpr::arg);
    let not_null = expr.downcast_ref::<IsNotNullExpr>().map(IsNotNullExpr::arg);
    null.or(not_null).is_some_and(column)
}

fn text(t: &str) -> Value {
    Value::Text(t.to_owned())
}

/// A predicate of each operator over a column of this kind, and their `or`s.
fn predicates(column: &str, low: &Value, high: &Value) -> Vec<Predicate> {
    use Op::{
        Between, Eq, Ge, Gt, In, IsNotNull, IsNull, Le, Lt, Ne, NotBetween, NotIn, NotStartsWith, StartsWith,
    };
    let mut out = Vec::new();
    for op in [Eq, Ne, Lt, Le, Gt, Ge, In, NotIn] {
        out.push(Predicate::new(column, op, vec![low.clone()]));
    }
    for op in [Between, NotBetween, In, NotIn] {
        out.push(Predicate::new(column, op, vec![low.clone(), high.clone()]));
    }
    for op in [IsNull, IsNotNull] {
        out.push(Predicate::new(column, op, vec![]));
    }
    if matches!(low, Value::Text(_)) && column != "born_day" {
        for op in [StartsWith, NotStartsWith] {
            out.push(Predicate::new(column, op, vec![low.clone()]));
        }
    }
    let or = vec![
        Test { op: Eq, values: vec![low.clone()] },
        Test { op: Between, values: vec![low.clone(), high.clone()] },
    ];
    out.push(Predicate { or, ..Predicate::new(column, IsNull, vec![]) });
    out
}

/// Queries with each operator over each visible column, over rows, groups, different and sorted rows.
fn queries() -> Vec<Query> {
    let mut out = Vec::new();
    for (column, low, high) in [
        ("id", Value::Integer(1), Value::Integer(3)),
        ("salary", Value::Integer(0), Value::Integer(9)),
        ("full_name", text("7"), text("8")),
        ("citizen_id", text("1"), text("2")),
        ("born", text("1980"), text("1990")),
    ] {
        for predicate in predicates(column, &low, &high) {
            let filter = vec![predicate];
            let order_by = vec![Order { column: column.into(), descending: true }];
            out.push(Query { filter: filter.clone(), ..Query::default() });
            out.push(Query {
                filter: filter.clone(),
                order_by: order_by.clone(),
                limit: Some(3),
                ..Query::default()
            });
            out.push(Query {
                filter: filter.clone(),
                columns: Some(vec![column.into()]),
                distinct: true,
                ..Query::default()
            });
            let measures = vec![Measure::new(Function::Max, Some("salary"))];
            out.push(Query {
                filter,
                group_by: vec![column.into()],
                measures,
                order_by,
                limit: Some(1),
                ..Query::default()
            });
        }
    }
    out
}

#[tokio::test]
async fn below_the_barrier_is_the_policy_and_the_allow_list_only() {
    let restriction = restriction();
    // Columns that are shown as they are.
    let open = ["id", "full_name", "salary"];
    let policy: BTreeSet<String> =
        walked(&restriction, &Query::default()).await.conjuncts.iter().map(ToString::to_string).collect();
    assert_eq!(policy, BTreeSet::from(["province@3 = Ankara".to_owned()]));
    let mut went_in = 0;
    for query in queries() {
        let walked = walked(&restriction, &query).await;
        assert_eq!(walked.barriers, 1, "{query:?}");
        assert!(walked.below.iter().all(|n| BELOW.contains(&n.as_str())), "{query:?}: {:?}", walked.below);
        let (ours, theirs): (Vec<_>, Vec<_>) =
            walked.conjuncts.iter().partition(|c| c.to_string().starts_with("province@"));
        assert_eq!(ours.len(), 1, "{query:?}: the policy is gone or doubled");
        for conjunct in &theirs {
            assert!(is_allowed(conjunct, &open), "{query:?}: `{conjunct}` is below the barrier");
        }
        went_in += theirs.len();
    }
    assert!(went_in > 50, "only {went_in} filters were pushed down: the test walks past them");
}

#[tokio::test]
async fn a_closed_column_stays_out_even_where_the_policy_filters_by_it() {
    let mut restriction = restriction();
    restriction.row_filter.push(Predicate::new("citizen_id", Op::Ne, vec![text("SECRET")]));
    let query = Query { filter: predicates("citizen_id", &text("1"), &text("2")), ..Query::default() };
    let below = walked(&restriction, &query).await.conjuncts;
    let texts: Vec<String> = below.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts.iter().any(|t| t == "citizen_id@1 != SECRET"), "{texts:?}");
}

#[tokio::test]
async fn under_aggregate_only_everything_is_below_and_only_small_groups_are_withheld_there() {
    let aggregate = |subject| Restriction {
        aggregate_only: Some(AggregateOnly {
            k: 5,
            subject,
            group_by: vec!["salary".into(), "born".into()],
            disclosure: crate::Disclosure::default(),
        }),
        ..restriction()
    };
    for subject in [Subject::Rows, Subject::Key("citizen_id".into()), Subject::Count("salary".into())] {
        let filter = vec![Predicate::new("salary", Op::Ge, vec![Value::Integer(1)])];
        let order_by = vec![Order { column: "count".into(), descending: true }];
        let group_by = vec!["salary".into()];
        let query = Query { group_by, filter, order_by, limit: Some(2), ..Query::default() };
        let walked = walked(&aggregate(subject.clone()), &query).await;
        assert_eq!(walked.barriers, 1);
        let allowed: Vec<&str> = BELOW.into_iter().chain(BELOW_GROUPS).collect();
        assert!(walked.below.iter().all(|n| allowed.contains(&n.as_str())), "{:?}", walked.below);
        // The engine may give the number of subjects a name of its own, so it is known by not being a column of ours.
        let withheld = |c: &&Arc<dyn PhysicalExpr>| c.to_string().starts_with("__");
        let least = walked.conjuncts.iter().find(withheld).unwrap().downcast_ref::<BinaryExpr>().unwrap();
        let k = least.right().downcast_ref::<Literal>().unwrap().value().clone();
        // Subjects are counted in as many digits as sums have.
        let due = ScalarValue::Decimal128(Some(5), 38, 0);
        assert_eq!((*least.op(), k), (Operator::GtEq, due), "{subject:?}");
        assert_eq!(walked.conjuncts.len(), 3, "policy, filter, threshold: {:?}", walked.conjuncts);
    }
}
