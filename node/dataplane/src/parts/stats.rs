//! What the columns of a written part hold, from the statistics that its writer gathered over the rows as shown.

use datafusion::arrow::array::{Array, ArrayRef, Date32Array, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::parquet::file::statistics::Statistics;
use serde_json::Value;
use std::sync::Arc;

use super::ColumnStats;

/// Statistics of every column, in order. The engine's columns are flat, so the n-th column is the n-th leaf.
pub(super) fn columns(schema: &Schema, metadata: &ParquetMetaData) -> Vec<ColumnStats> {
    let fields = schema.fields().iter().enumerate();
    fields.map(|(place, field)| column(place, field.name(), field.data_type(), metadata)).collect()
}

fn column(place: usize, name: &str, data_type: &DataType, metadata: &ParquetMetaData) -> ColumnStats {
    let groups = metadata.row_groups().iter();
    let found: Vec<&Statistics> = groups
        .filter_map(|group| group.columns().get(place))
        .filter_map(|chunk| chunk.statistics())
        .collect();
    let nulls =
        found.iter().filter_map(|statistics| statistics.null_count_opt()).fold(0, u64::saturating_add);
    ColumnStats { name: name.to_owned(), nulls, range: range(data_type, &found) }
}

fn range(data_type: &DataType, found: &[&Statistics]) -> Option<[Value; 2]> {
    if *data_type == DataType::Float64 {
        let ends = found.iter().filter_map(|statistics| match statistics {
            Statistics::Double(s) => Some((*s.min_opt()?, *s.max_opt()?)),
            _ => None,
        });
        let (least, greatest) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        return Some([Value::from(least), Value::from(greatest)]);
    }
    let ends = found.iter().filter_map(|statistics| match statistics {
        Statistics::Int32(s) => Some((i64::from(*s.min_opt()?), i64::from(*s.max_opt()?))),
        Statistics::Int64(s) => Some((*s.min_opt()?, *s.max_opt()?)),
        _ => None,
    });
    let (least, greatest) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    Some([value(data_type, least)?, value(data_type, greatest)?])
}

/// A whole number of the file as a value of the column's kind.
fn value(data_type: &DataType, number: i64) -> Option<Value> {
    let array: ArrayRef = match data_type {
        DataType::Int64 => return Some(Value::from(number)),
        DataType::Date32 => Arc::new(Date32Array::from(vec![i32::try_from(number).ok()?])),
        DataType::Timestamp(_, None) => Arc::new(TimestampMicrosecondArray::from(vec![number])),
        _ => return None,
    };
    debug_assert_eq!(array.len(), 1);
    array_value_to_string(&array, 0).ok().map(Value::from)
}
