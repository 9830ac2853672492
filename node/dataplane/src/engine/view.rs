//! A restriction checked against a schema: what may be seen at all. Doubt means no: a name that the schema does not
//! have, a mask that does not fit its column or a view without columns is an error, never ignored.

use datafusion::logical_expr::Expr;

use super::column;
use super::compare::{check_count, compile};
use super::mask::masked;
use super::period::part_of;
use crate::limits::{COLUMNS_MAX, GROUP_BY_MAX, TEXT_BYTES_MAX};
use crate::restriction::WATERMARK;
use crate::schema::check_name;
use crate::{
    Added, AggregateOnly, Column, ColumnKind, DataError, Query, Restriction, Schema, Subject, TimePart,
};

/// One column that may be seen.
#[derive(Debug, Clone)]
pub(crate) struct VisibleColumn {
    pub name: String,
    pub kind: ColumnKind,
    pub nullable: bool,
    /// The value shown, over the raw columns.
    pub expr: Expr,
    /// Whether the value shown is the raw one.
    pub identity: bool,
    /// For a part of the time in another column: how rules name it (`month(luc)`).
    pub part: Option<String>,
}

/// What may be seen.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub columns: Vec<VisibleColumn>,
    /// Over the raw columns.
    pub row_filter: Vec<Expr>,
    pub aggregate_only: Option<AggregateOnly>,
    pub max_rows: Option<u64>,
    pub watermark: Option<String>,
}

impl View {
    pub(crate) fn new(schema: &Schema, restriction: &Restriction) -> Result<Self, DataError> {
        Self::check(schema, restriction).map_err(DataError::Restriction)
    }

    fn check(schema: &Schema, restriction: &Restriction) -> Result<Self, String> {
        if let Some(name) = restriction.masks.keys().find(|n| schema.column(n).is_none()) {
            return Err(format!("it masks a column `{name}` that the schema does not have"));
        }
        let mut view = Self {
            columns: visible_columns(schema, restriction)?,
            row_filter: row_filter(schema, restriction)?,
            aggregate_only: restriction.aggregate_only.clone(),
            max_rows: restriction.max_rows,
            watermark: restriction.watermark.clone(),
        };
        if view.watermark.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(format!("its watermark is longer than {TEXT_BYTES_MAX} bytes"));
        }
        if view.watermark.is_some() && view.column(WATERMARK).is_some() {
            return Err(format!(
                "it has a watermark, and a column of the data is named `{WATERMARK}` already"
            ));
        }
        if let Some(aggregate) = view.aggregate_only.clone() {
            for name in &aggregate.group_by {
                if let (None, Ok(part)) = (view.column(name), name.parse::<TimePart>()) {
                    view.add_part(&TimePart { name: None, ..part })?;
                }
            }
            view.check_aggregate(schema, &aggregate)?;
        }
        Ok(view)
    }

    /// The view with the columns that a query makes of times.
    pub(crate) fn with_times(mut self, query: &Query) -> Result<Self, DataError> {
        if query.times.len() > GROUP_BY_MAX {
            return Err(DataError::Query(format!("at most {GROUP_BY_MAX} columns made of times")));
        }
        for part in &query.times {
            let name = part.output_name();
            let used = query.group_by.iter().chain(query.columns.iter().flatten());
            if !used.chain(query.filter.iter().map(|p| &p.column)).any(|n| *n == name) {
                return Err(DataError::Query(format!("`times` makes `{name}`, and nothing names it")));
            }
            if self.column(&part.column).is_none_or(|c| c.part.is_some()) {
                return Err(DataError::NotVisible { column: part.column.clone() });
            }
            self.add_part(part).map_err(DataError::Query)?;
        }
        Ok(self)
    }

    /// Adds a part of a visible column; twice the same under one name is one.
    fn add_part(&mut self, part: &TimePart) -> Result<(), String> {
        let (name, written) = (part.output_name(), part.written());
        check_name(&name)?;
        match self.column(&name) {
            Some(there) if there.part.as_ref() == Some(&written) => return Ok(()),
            Some(_) => return Err(format!("there is a column `{name}` already; name `{written}` otherwise")),
            None => {}
        }
        let Some(of) = self.column(&part.column) else {
            return Err(format!("`{written}` is of a column that is not visible"));
        };
        if !part.by.fits(of.kind) {
            return Err(format!("`{}` is a {}; it has no {}", part.column, of.kind, part.by.word()));
        }
        let expr = part_of(of.expr.clone(), of.kind, part.by);
        let column = VisibleColumn {
            name,
            kind: part.by.kind(),
            nullable: of.nullable,
            expr,
            identity: false,
            part: Some(written),
        };
        self.columns.push(column);
        Ok(())
    }

    /// Whether an aggregate-only view may be grouped by this visible column.
    pub(crate) fn is_allowed(&self, aggregate: &AggregateOnly, name: &str) -> bool {
        let Some(column) = self.column(name) else { return false };
        aggregate.group_by.contains(column.part.as_ref().unwrap_or(&column.name))
    }

    /// The columns by which an aggregate-only view may be grouped, by the names that they have here.
    pub(crate) fn allowed(&self, aggregate: &AggregateOnly) -> Vec<String> {
        let named = |wanted: &String| {
            self.columns.iter().find(|c| c.part.as_ref().unwrap_or(&c.name) == wanted).map(|c| c.name.clone())
        };
        aggregate.group_by.iter().filter_map(named).collect()
    }

    /// The visible column of that exact name.
    pub(crate) fn column(&self, name: &str) -> Option<&VisibleColumn> {
        self.columns.iter().find(|c| c.name == name)
    }

    pub(crate) fn schema(&self) -> Result<Schema, DataError> {
        Schema::new(self.columns.iter().map(|c| Column::new(&c.name, c.kind, c.nullable)).collect())
    }

    fn check_aggregate(&self, schema: &Schema, aggregate: &AggregateOnly) -> Result<(), String> {
        if aggregate.k < 2 || i64::try_from(aggregate.k).is_err() {
            return Err(format!("aggregate-only with k `{}`; k must be 2 or more", aggregate.k));
        }
        match &aggregate.subject {
            Subject::Rows => {}
            Subject::Key(name) | Subject::Count(name) => {
                let Some(column) = schema.column(name) else {
                    return Err(format!(
                        "it counts subjects by a column `{name}` that the schema does not have"
                    ));
                };
                let counts = matches!(aggregate.subject, Subject::Count(_));
                if counts && column.kind != ColumnKind::Integer {
                    return Err(format!("it sums subjects over column `{name}`, which is no integer"));
                }
            }
        }
        if matches!(
            (&aggregate.disclosure.noise, &aggregate.subject),
            (Some(Added::Laplace(_)), Subject::Key(_))
        ) {
            // How many cells one person is in is not known, and so not how much noise would hide it.
            return Err(
                "it protects rows by differential privacy, and here a person has several rows (a key)".into(),
            );
        }
        let named = |n: &&String| self.columns.iter().any(|c| c.part.as_ref().unwrap_or(&c.name) == *n);
        match aggregate.group_by.iter().find(|n| !named(n)) {
            Some(name) => Err(format!("it allows groups by `{name}`, which is not a visible column")),
            None => Ok(()),
        }
    }
}

fn visible_columns(schema: &Schema, restriction: &Restriction) -> Result<Vec<VisibleColumn>, String> {
    let all: Vec<String>;
    let names = match &restriction.columns {
        Some(names) => names,
        None => {
            all = schema.columns().iter().map(|c| c.name.clone()).collect();
            &all
        }
    };
    if names.len() > COLUMNS_MAX {
        return Err(format!("it grants {} columns, at most {COLUMNS_MAX}", names.len()));
    }
    let mut out: Vec<VisibleColumn> = Vec::with_capacity(names.len());
    let mut seen = std::collections::HashSet::new();
    for name in names {
        let Some(raw) = schema.column(name) else {
            return Err(format!("it grants a column `{name}` that the schema does not have"));
        };
        if !seen.insert(name) {
            return Err(format!("it grants column `{name}` twice"));
        }
        out.extend(visible_column(raw, restriction)?);
    }
    if out.is_empty() {
        return Err("no column remains visible".to_owned());
    }
    Ok(out)
}

fn visible_column(raw: &Column, restriction: &Restriction) -> Result<Option<VisibleColumn>, String> {
    let name = raw.name.clone();
    let Some(mask) = restriction.masks.get(&name) else {
        let (expr, kind, nullable) = (column(&name), raw.kind, raw.nullable);
        return Ok(Some(VisibleColumn { name, kind, nullable, expr, identity: true, part: None }));
    };
    let nullable = match mask {
        crate::Mask::Null => true,
        crate::Mask::Constant(_) => false,
        _ => raw.nullable,
    };
    Ok(masked(&name, raw.kind, mask)?.map(|(expr, kind)| VisibleColumn {
        name,
        kind,
        nullable,
        expr,
        identity: false,
        part: None,
    }))
}

fn row_filter(schema: &Schema, restriction: &Restriction) -> Result<Vec<Expr>, String> {
    check_count(&restriction.row_filter)?;
    restriction
        .row_filter
        .iter()
        .map(|predicate| match schema.column(&predicate.column) {
            Some(raw) => compile(predicate, raw.kind),
            None => {
                Err(format!("it filters by a column `{}` that the schema does not have", predicate.column))
            }
        })
        .collect()
}
