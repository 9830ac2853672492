//! The closed part of a view, as the consumer's plan sees it: a table, and nothing about how it comes to be.
//!
//! DataFusion merges filters of an outer plan into an inner one when it can, and then evaluates both on every row:
//! an error in the outer filter would quote a hidden row. [`PolicyBarrierExec`] ends that: it takes no filter, no
//! limit, no projection and no statistics through. What may go inside goes through [`GovernedTable::scan`], by an
//! allow-list of comparisons that cannot fail on data, over columns that are shown as they are.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};

use super::column;

/// One column of a governed table.
#[derive(Debug, Clone)]
pub(crate) struct GovernedColumn {
    pub name: String,
    /// The value shown, over the columns of the inner plan.
    pub expr: Expr,
    /// Whether comparisons with literals may go inside: only where the value shown is the raw one.
    pub open_to_filters: bool,
}

/// A table whose rows come from an inner plan that nobody outside can look into.
pub(crate) struct GovernedTable {
    inner: LogicalPlan,
    columns: Vec<GovernedColumn>,
    schema: SchemaRef,
    /// The session that plans the inner part; not the consumer's.
    state: SessionState,
}

impl fmt::Debug for GovernedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GovernedTable")
    }
}

impl GovernedTable {
    pub(crate) fn new(inner: LogicalPlan, columns: Vec<GovernedColumn>, state: SessionState) -> Result<Self> {
        let shown = LogicalPlanBuilder::from(inner.clone()).project(shown(&columns))?.build()?;
        let schema: &ArrowSchema = shown.schema().as_arrow();
        Ok(Self { inner, columns, schema: Arc::new(schema.clone()), state })
    }

    /// Whether the filter is a comparison that cannot fail on data, over a column that is shown as it is.
    fn is_leak_proof(&self, filter: &Expr) -> bool {
        match filter {
            // The optimiser rewrites a comparison after it was pushed: `b NOT IN (true, false)` as `b AND NOT b`, say.
            // Logic on what cannot fail cannot fail either.
            Expr::BinaryExpr(b) if matches!(b.op, Operator::Or | Operator::And) => {
                self.is_leak_proof(&b.left) && self.is_leak_proof(&b.right)
            }
            Expr::Not(e) => self.is_leak_proof(e),
            Expr::Literal(ScalarValue::Boolean(_) | ScalarValue::Null, _) => true,
            Expr::Column(c) => {
                let boolean = |f: &Field| *f.data_type() == DataType::Boolean;
                self.open_column(filter).is_some() && self.schema.field_with_name(&c.name).is_ok_and(boolean)
            }
            Expr::BinaryExpr(b) if is_comparison(b.op) => self.is_open(&b.left, literal(&b.right)),
            Expr::IsNull(e) | Expr::IsNotNull(e) => self.open_column(e).is_some(),
            Expr::InList(list) => list.list.iter().all(|v| self.is_open(&list.expr, literal(v))),
            Expr::Like(like) if !like.negated && !like.case_insensitive && like.escape_char.is_none() => {
                literal(&like.pattern).is_some_and(is_prefix_pattern)
                    && self.is_open(&like.expr, literal(&like.pattern))
            }
            _ => false,
        }
    }

    /// Whether `expr` is an open column and the literal is of its very type, so that nothing is cast.
    fn is_open(&self, expr: &Expr, literal: Option<&ScalarValue>) -> bool {
        let field = self.open_column(expr).and_then(|name| self.schema.field_with_name(name).ok());
        matches!((field, literal), (Some(f), Some(l)) if *f.data_type() == l.data_type() && !l.is_null())
    }

    fn open_column<'e>(&self, expr: &'e Expr) -> Option<&'e str> {
        let Expr::Column(c) = expr else { return None };
        let open = self.columns.iter().any(|g| g.name == c.name && g.open_to_filters);
        open.then_some(c.name.as_str())
    }
}

fn shown(columns: &[GovernedColumn]) -> Vec<Expr> {
    columns.iter().map(|c| c.expr.clone().alias(&c.name)).collect()
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// `prefix%`, with every other wildcard escaped.
fn is_prefix_pattern(pattern: &ScalarValue) -> bool {
    let ScalarValue::Utf8(Some(pattern)) = pattern else { return false };
    let Some(prefix) = pattern.strip_suffix('%') else { return false };
    let mut escaped = false;
    for c in prefix.chars() {
        if !escaped && matches!(c, '%' | '_') {
            return false;
        }
        escaped = c == '\\' && !escaped;
    }
    !escaped
}

/// The same filter over the inner plan's columns. Open columns have the same name inside.
fn inside(filter: &Expr) -> Result<Expr> {
    let renamed = filter.clone().transform(|e| {
        Ok(match e {
            Expr::Column(c) => Transformed::yes(column(&c.name)),
            other => Transformed::no(other),
        })
    });
    Ok(renamed?.data)
}

#[async_trait]
impl TableProvider for GovernedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|f| match self.is_leak_proof(f) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        _outer: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut plan = LogicalPlanBuilder::from(self.inner.clone());
        for filter in filters {
            if !self.is_leak_proof(filter) {
                return plan_err!("a filter was pushed that the governed table does not take");
            }
            plan = plan.filter(inside(filter)?)?;
        }
        let all = shown(&self.columns);
        let wanted = match projection {
            Some(places) => places.iter().filter_map(|i| all.get(*i).cloned()).collect(),
            None => all,
        };
        plan = plan.project(wanted)?;
        if let Some(limit) = limit {
            plan = plan.limit(0, Some(limit))?;
        }
        let child = self.state.create_physical_plan(&plan.build()?).await?;
        Ok(Arc::new(PolicyBarrierExec { child }))
    }
}

/// Passes batches through, and nothing else in either direction.
#[derive(Debug)]
pub(crate) struct PolicyBarrierExec {
    child: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for PolicyBarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PolicyBarrierExec")
    }
}

impl ExecutionPlan for PolicyBarrierExec {
    fn name(&self) -> &'static str {
        "PolicyBarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.child.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // Rows keep their order: no rule may cut them apart below.
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.child]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(child), true) => Ok(Arc::new(Self { child })),
            _ => internal_err!("a policy barrier has one child"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.child.execute(partition, context)
    }
}
