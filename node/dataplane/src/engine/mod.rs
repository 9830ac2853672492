//! The governed view: what the policy allows as a closed plan, what the consumer asks on top.
//!
//! `view` checks a restriction against the schema, `ask` checks a query against the view; both work without data, so
//! what they refuse tells nothing about rows. `plan` builds the two plans, `governed` keeps them apart, `file` reads
//! the source, `session` is the sandbox of one request.

pub(crate) mod ask;
pub(crate) mod cells;
pub(crate) mod compare;
pub(crate) mod file;
pub(crate) mod governed;
pub(crate) mod laplace;
pub(crate) mod largest;
pub(crate) mod mask;
pub(crate) mod period;
pub(crate) mod perturb;
pub(crate) mod plan;
pub(crate) mod session;
pub(crate) mod view;

#[cfg(test)]
mod plan_tests;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use datafusion::common::Column as EngineColumn;
use datafusion::logical_expr::Expr;

use crate::{ColumnKind, Schema};

/// How the engine holds values of this kind.
pub(crate) fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::String => DataType::Utf8,
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Number => DataType::Float64,
        ColumnKind::Boolean => DataType::Boolean,
        ColumnKind::Date => DataType::Date32,
        ColumnKind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// The schema as the engine reads a source by it. Every column is nullable there: whether the file keeps its
/// promises is for validation to tell, and the optimiser must not conclude anything from them.
pub(crate) fn arrow_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> =
        schema.columns().iter().map(|c| Field::new(&c.name, data_type(c.kind), true)).collect();
    Arc::new(ArrowSchema::new(fields))
}

/// A column by its exact name; never parsed as an identifier.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(EngineColumn::new_unqualified(name))
}
