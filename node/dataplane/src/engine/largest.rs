//! Dominance as an aggregate of the engine: of each group it keeps the largest contributions and their total, and says
//! whether the group may be shown.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility};

use crate::disclosure::Dominance;

/// Whether the contributions of a group may be added up and shown. Missing ones contribute nothing.
pub(crate) fn is_safe(rule: &Dominance, contribution: Expr) -> Expr {
    let signature = Signature::exact(vec![DataType::Float64], Volatility::Immutable);
    AggregateUDF::new_from_impl(IsSafe { rule: rule.clone(), signature }).call(vec![contribution])
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct IsSafe {
    rule: Dominance,
    signature: Signature,
}

impl fmt::Debug for IsSafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not_dominated")
    }
}

impl AggregateUDFImpl for IsSafe {
    fn name(&self) -> &'static str {
        "not_dominated"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Largest { rule: self.rule.clone(), total: 0.0, largest: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        Ok(vec![
            Arc::new(Field::new(format!("{}_total", args.name), DataType::Float64, false)),
            Arc::new(Field::new(format!("{}_largest", args.name), DataType::List(item), false)),
        ])
    }
}

#[derive(Debug)]
struct Largest {
    rule: Dominance,
    total: f64,
    /// The largest first, at most as many as the rule looks at.
    largest: Vec<f64>,
}

impl Largest {
    fn take(&mut self, contribution: f64) {
        self.total += contribution;
        self.keep(contribution);
    }

    fn keep(&mut self, contribution: f64) {
        let at = self.largest.partition_point(|kept| *kept >= contribution);
        if at < self.rule.looks_at() {
            self.largest.insert(at, contribution);
            self.largest.truncate(self.rule.looks_at());
        }
    }
}

impl Accumulator for Largest {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [contributions] = values else { return internal_err!("dominance looks at one column") };
        contributions.as_primitive::<Float64Type>().iter().flatten().for_each(|c| self.take(c));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Boolean(Some(self.rule.is_safe(self.total, &self.largest))))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.largest.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let kept: Vec<ScalarValue> = self.largest.iter().map(|c| ScalarValue::Float64(Some(*c))).collect();
        let list = ScalarValue::new_list_nullable(&kept, &DataType::Float64);
        Ok(vec![ScalarValue::Float64(Some(self.total)), ScalarValue::List(list)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [totals, lists] = states else { return internal_err!("dominance keeps a total and a list") };
        totals.as_primitive::<Float64Type>().iter().flatten().for_each(|total| self.total += total);
        for list in lists.as_list::<i32>().iter().flatten() {
            list.as_primitive::<Float64Type>().iter().flatten().for_each(|c| self.keep(c));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::Float64Array;

    fn column(values: &[f64]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    #[test]
    fn parts_that_are_merged_say_what_the_whole_says() {
        let rule = Dominance::default().and_largest(2, 60).unwrap().and_p_percent(20).unwrap();
        let empty = || Largest { rule: rule.clone(), total: 0.0, largest: Vec::new() };
        for values in [[5.0, 1.0, 9.0, 3.0, 7.0, 2.0], [50.0, 1.0, 9.0, 3.0, 7.0, 2.0], [0.0; 6]] {
            let mut whole = empty();
            whole.update_batch(&[column(&values)]).unwrap();
            let mut merged = empty();
            for part in values.chunks(2) {
                let mut one = empty();
                one.update_batch(&[column(part)]).unwrap();
                let state: Vec<ArrayRef> =
                    one.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
                merged.merge_batch(&state).unwrap();
            }
            assert_eq!(whole.largest, merged.largest);
            assert_eq!(whole.evaluate().unwrap(), merged.evaluate().unwrap());
        }
        let mut dominated = empty();
        dominated.update_batch(&[column(&[50.0, 1.0, 9.0])]).unwrap();
        assert_eq!(dominated.evaluate().unwrap(), ScalarValue::Boolean(Some(false)));
    }
}
