//! Conditions: `and` is all of them, `or` becomes rows, any other logic is refused.

use serde_json::Value;

use crate::limits::ODRL_ROWS_MAX;
use crate::odrl::problem::{OdrlCode, Problems};
use crate::odrl::read::{Fields, normal};

/// One comparison, its words normalised.
#[derive(Debug, Clone)]
pub(crate) struct Atomic<'v> {
    pub at: String,
    pub operand: String,
    pub operator: String,
    pub right: &'v Value,
}

/// Reads one comparison.
pub(crate) fn atomic<'v>(value: &'v Value, at: &str, problems: &mut Problems) -> Option<Atomic<'v>> {
    let fields = Fields::of(value, at, "constraint", problems)?;
    comparison(fields, problems)
}

fn comparison<'v>(mut fields: Fields<'v>, problems: &mut Problems) -> Option<Atomic<'v>> {
    let at = fields.at.clone();
    // It says what the thing is, and that is known.
    let kind = fields.text("@type", problems).map(normal);
    if kind.as_deref().is_some_and(|kind| kind != "Constraint") {
        problems.add(&at, OdrlCode::Type, "@type", "a constraint is due here");
    }
    let operand = fields.text("leftOperand", problems).map(normal);
    let operator = fields.text("operator", problems).map(normal);
    let right = fields.take("rightOperand");
    fields.finish(problems);
    let (Some(operand), Some(operator), Some(right)) = (operand, operator, right) else {
        let why = "leftOperand, operator and rightOperand are due here";
        problems.add(&at, OdrlCode::Malformed, "constraint", why);
        return None;
    };
    Some(Atomic { at, operand, operator, right })
}

/// The ways in which a list of conditions can hold: each inner list is one row of a rule.
pub(crate) fn alternatives<'v>(
    list: &[&'v Value],
    at: &str,
    problems: &mut Problems,
) -> Option<Vec<Vec<Atomic<'v>>>> {
    let mut rows = vec![Vec::new()];
    for (index, value) in list.iter().enumerate() {
        let ways = ways(value, &format!("{at}/{index}"), problems)?;
        if rows.len().saturating_mul(ways.len()) > ODRL_ROWS_MAX {
            let why = format!("this becomes more than {ODRL_ROWS_MAX} rules: write them apart");
            problems.add(at, OdrlCode::Limit, "or", why);
            return None;
        }
        let with = |row: &Vec<Atomic<'v>>, way: &Vec<Atomic<'v>>| row.iter().chain(way).cloned().collect();
        rows = rows.iter().flat_map(|row| ways.iter().map(move |way| with(row, way))).collect();
    }
    Some(rows)
}

fn ways<'v>(value: &'v Value, at: &str, problems: &mut Problems) -> Option<Vec<Vec<Atomic<'v>>>> {
    let mut fields = Fields::of(value, at, "constraint", problems)?;
    let logic = ["and", "or"].into_iter().find(|word| fields.has(word));
    let Some(word) = logic else {
        return comparison(fields, problems).map(|one| vec![vec![one]]);
    };
    let parts = fields.list(word);
    let kind = fields.text("@type", problems).map(normal);
    if kind.as_deref().is_some_and(|kind| kind != "LogicalConstraint") {
        problems.add(at, OdrlCode::Type, "@type", "a logical constraint is due here");
    }
    fields.finish(problems);
    let at = format!("{at}/{word}");
    if parts.is_empty() {
        problems.add(&at, OdrlCode::Malformed, word, "an empty list of conditions: leave it out");
        return None;
    }
    if word == "and" {
        return alternatives(&parts, &at, problems);
    }
    let mut all = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        all.extend(ways(part, &format!("{at}/{index}"), problems)?);
    }
    Some(all)
}
