//! From what a program asks to the node's own query, and what is left to do over its rows.

use odata::carry::{Clause, Op as Carried, carry};
use odata::{EntitySet, Expr, Options};

use crate::query::{Alternative, Condition, Function, Measure, Op, Order, QueryDoc};

/// How a question is answered.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is asked of the engine.
    pub query: QueryDoc,
    /// What rows must fulfil besides.
    pub rest: Option<Expr>,
    /// Columns to sort by here; the engine sorted otherwise.
    pub order: Vec<odata::Order>,
    /// Whether the one row of the answer is the number that was asked for.
    pub counted: bool,
}

/// Name of the figure in which the engine tells a number of rows.
pub const COUNT: &str = "n";

fn query() -> QueryDoc {
    QueryDoc { action: "query".to_owned(), format: "ndjson".to_owned(), ..QueryDoc::default() }
}

/// For rows. An aggregate-only dataset is asked for all its groups, which are fixed, and narrowed here.
pub fn plan(set: &EntitySet, options: &Options, aggregate: bool) -> Plan {
    if aggregate {
        let (rest, order) = (options.filter.clone(), options.order.clone());
        return Plan { query: query(), rest, order, counted: false };
    }
    let (filter, rest) = filtered(set, options);
    let mut columns = options.columns(set);
    if options.select.is_some() {
        columns.extend(options.order.iter().map(|order| order.property));
        columns.extend(rest.iter().flat_map(Expr::properties));
        columns.sort_unstable();
        columns.dedup();
        // The key alone: the engine is asked for something that it can count.
        if columns.is_empty() && !set.properties.is_empty() {
            columns.push(0);
        }
    }
    let name = |at: &usize| set.properties.get(*at).map(|property| property.column.name.clone());
    let ordered = |order: &odata::Order| {
        name(&order.property).map(|column| Order { column, descending: order.descending })
    };
    // With a count all rows are needed, whatever part of them is shown.
    let paging = options.paging;
    let limited = rest.is_none() && !paging.count;
    let query = QueryDoc {
        columns: if options.select.is_some() {
            columns.iter().filter_map(name).collect()
        } else {
            Vec::new()
        },
        filter,
        order_by: options.order.iter().filter_map(ordered).collect(),
        limit: paging.top.filter(|_| limited).map(|top| top.saturating_add(paging.skip)),
        ..query()
    };
    Plan { query, rest, order: Vec::new(), counted: false }
}

/// For a number alone.
pub fn count(set: &EntitySet, options: &Options, aggregate: bool) -> Plan {
    let (filter, rest) = filtered(set, options);
    if aggregate || rest.is_some() {
        let columns = rest.iter().flat_map(Expr::properties).collect();
        let asked = Options { select: Some(columns), filter: options.filter.clone(), ..Options::default() };
        return plan(set, &asked, aggregate);
    }
    let measure = Measure { function: Function::Count, column: None, name: Some(COUNT.to_owned()) };
    let query = QueryDoc { filter, measures: vec![measure], ..query() };
    Plan { query, rest: None, order: Vec::new(), counted: true }
}

/// Conditions for the engine, and the whole filter where they do not say all of it.
fn filtered(set: &EntitySet, options: &Options) -> (Vec<Condition>, Option<Expr>) {
    let Some(filter) = &options.filter else { return (Vec::new(), None) };
    let carried = carry(filter, set);
    let conditions = carried.clauses.iter().filter_map(|clause| condition(set, clause)).collect();
    (conditions, (!carried.whole).then(|| filter.clone()))
}

fn condition(set: &EntitySet, clause: &Clause) -> Option<Condition> {
    let column = set.properties.get(clause.property)?.column.name.clone();
    let (first, others) = clause.tests.split_first()?;
    let or = others.iter().map(|test| Alternative { op: op(test.op), values: test.values.clone() });
    Some(Condition { column, op: op(first.op), values: first.values.clone(), or: or.collect() })
}

fn op(op: Carried) -> Op {
    match op {
        Carried::Eq => Op::Eq,
        Carried::Ne => Op::Ne,
        Carried::Lt => Op::Lt,
        Carried::Le => Op::Le,
        Carried::Gt => Op::Gt,
        Carried::Ge => Op::Ge,
        Carried::In => Op::In,
        Carried::NotIn => Op::NotIn,
        Carried::IsNull => Op::IsNull,
        Carried::NotNull => Op::NotNull,
        Carried::StartsWith => Op::StartsWith,
        Carried::NotStartsWith => Op::NotStartsWith,
    }
}

#[cfg(test)]
mod tests {
    use odata::{Column, ColumnKind};

    use super::*;

    fn set() -> EntitySet {
        let column =
            |name: &str, kind| Column { name: name.into(), kind, nullable: true, description: String::new() };
        let columns = vec![
            column("Local Time", ColumnKind::Timestamp),
            column("n", ColumnKind::Integer),
            column("w", ColumnKind::Text),
        ];
        EntitySet::new("x", "", columns)
    }

    fn planned(query: &str, aggregate: bool) -> Plan {
        plan(&set(), &Options::parse(query, &set()).unwrap(), aggregate)
    }

    #[test]
    fn the_engine_gets_what_it_can_do_and_the_rest_stays_here() {
        let all = planned("$filter=n gt 5 and w in ('a','b')&$top=3&$skip=2&$orderby=w desc", false);
        assert_eq!((all.query.filter.len(), all.query.limit, all.rest.is_none()), (2, Some(5), true));
        assert_eq!((all.query.order_by[0].column.as_str(), all.query.order_by[0].descending), ("w", true));
        all.query.check().unwrap();
        let part = planned("$filter=n gt 5 and contains(w,'a')&$select=Local_Time&$top=3", false);
        assert_eq!(part.query.columns, ["Local Time", "n", "w"]);
        assert_eq!((part.query.filter.len(), part.query.limit, part.rest.is_some()), (1, None, true));
        assert_eq!(planned("$top=3&$count=true", false).query.limit, None);
        assert_eq!(planned("$select=_row", false).query.columns, ["Local Time"]);
    }

    #[test]
    fn groups_are_asked_for_as_they_are() {
        let groups = planned("$filter=n gt 5&$top=3&$select=w&$orderby=n", true);
        assert!(!groups.query.asks(), "{:?}", groups.query);
        assert!(groups.rest.is_some() && groups.order.len() == 1);
        let options = Options::parse("$filter=n gt 5", &set()).unwrap();
        assert!(!count(&set(), &options, true).query.asks());
        assert_eq!(count(&set(), &options, false).query.measures.len(), 1);
    }
}
