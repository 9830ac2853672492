//! Obligations as ODRL duties, and back.
//!
//! Every obligation is one duty, or several of the same action (a mask for each column, a filter for each condition).
//! What a duty says is put together as the same JSON that `obligations.json` holds and read by the same strict reader,
//! so that no value can come in here that could not come in there.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::model::{OdrlConstraint, OdrlDuty, Operator, Right};
use super::problem::{OdrlCode, OdrlError, Problems};
use super::read::{Fields, integer, literal, normal, text, texts};
use crate::limits::ODRL_DUTIES_MAX;
use crate::obligations::{Level, Obligations};
use crate::quota::Measure;

/// The duties that a set of obligations is, in a fixed order.
#[must_use]
pub fn duties(obligations: &Obligations) -> Vec<OdrlDuty> {
    // Taken apart field by field: an obligation that is added does not compile until it stands here.
    let Obligations {
        columns,
        mask,
        row_filter,
        aggregate,
        differential_privacy,
        quota,
        delay_hours,
        max_rows,
        rate_per_min,
        retention_days,
        watermark,
        no_onward,
        notify,
        approval,
        encrypt,
        audit,
    } = obligations;
    let mut all = Vec::new();
    let mut duty = |action, constraint| all.push(OdrlDuty { action, constraint });
    if let Some(columns) = columns {
        let names = columns.iter().map(|c| c.as_str().to_owned()).collect();
        duty("gov:project", vec![any_of("gov:columns", names)]);
    }
    for (column, mask) in mask {
        let column = equals("gov:column", Right::Texts(vec![column.as_str().to_owned()]));
        duty("gov:mask", vec![column, equals("gov:method", json_of(mask))]);
    }
    for predicate in row_filter {
        duty("gov:filterRows", vec![equals("gov:rows", json_of(predicate))]);
    }
    if let Some(aggregate) = aggregate {
        let k = OdrlConstraint::new("gov:groupSize", Operator::Gteq, Right::Number(aggregate.k.get().into()));
        let mut constraint = vec![k];
        if let Some(columns) = &aggregate.group_by {
            constraint.push(any_of("gov:groupBy", columns.iter().map(|c| c.as_str().to_owned()).collect()));
        }
        if !aggregate.subject.is_empty() {
            constraint.push(equals("gov:subject", json_of(&aggregate.subject)));
        }
        let dominance = (!aggregate.dominance.is_empty()).then(|| json_of(&aggregate.dominance));
        let more = [
            ("gov:dominance", dominance),
            ("gov:pPercent", aggregate.p_percent.map(|p| json_of(&p))),
            ("gov:noise", aggregate.noise.map(|noise| json_of(&noise))),
            ("gov:roundTo", aggregate.round.map(|base| json_of(&base))),
        ];
        constraint.extend(more.into_iter().filter_map(|(operand, value)| Some(equals(operand, value?))));
        duty("odrl:aggregate", constraint);
    }
    if let Some(private) = differential_privacy {
        duty("gov:differentialPrivacy", vec![equals("gov:privacy", json_of(private))]);
    }
    for measure in Measure::ALL {
        if let Some(limit) = quota.limit(measure) {
            let what = equals("gov:measure", Right::Texts(vec![measure.to_string()]));
            duty("gov:limitVolume", vec![what, at_most("odrl:count", limit.get())]);
        }
    }
    for (column, hours) in delay_hours {
        let column = equals("gov:column", Right::Texts(vec![column.as_str().to_owned()]));
        let age = Right::Typed(DURATION, format!("PT{hours}H"));
        duty("gov:delay", vec![column, OdrlConstraint::new("odrl:elapsedTime", Operator::Gteq, age)]);
    }
    if let Some(rows) = max_rows {
        duty("gov:limitRows", vec![at_most("odrl:count", rows.get())]);
    }
    if let Some(requests) = rate_per_min {
        let minute = equals("odrl:timeInterval", Right::Typed(DURATION, MINUTE.to_owned()));
        duty("gov:limitRate", vec![at_most("odrl:count", requests.get().into()), minute]);
    }
    if let Some(days) = retention_days {
        let after = Right::Typed(DURATION, format!("P{days}D"));
        duty("odrl:delete", vec![OdrlConstraint::new("odrl:elapsedTime", Operator::Lteq, after)]);
    }
    if *watermark {
        duty("odrl:watermark", Vec::new());
    }
    if *no_onward {
        duty("gov:noOnward", Vec::new());
    }
    for (action, left, roles) in
        [("odrl:inform", "odrl:recipient", notify), ("odrl:obtainConsent", "gov:approver", approval)]
    {
        if !roles.is_empty() {
            duty(action, vec![any_of(left, roles.iter().map(|r| r.as_str().to_owned()).collect())]);
        }
    }
    for (action, level) in [("gov:encrypt", encrypt), ("gov:audit", audit)] {
        if *level != Level::default() {
            let level = Right::Number(u8::from(*level).into());
            duty(action, vec![OdrlConstraint::new("gov:level", Operator::Gteq, level)]);
        }
    }
    all
}

const DURATION: &str = "xsd:duration";
const MINUTE: &str = "PT1M";

fn any_of(left: &'static str, texts: Vec<String>) -> OdrlConstraint {
    OdrlConstraint::new(left, Operator::IsAnyOf, Right::Texts(texts))
}

fn equals(left: &'static str, right: Right) -> OdrlConstraint {
    OdrlConstraint::new(left, Operator::Eq, right)
}

fn at_most(left: &'static str, most: u64) -> OdrlConstraint {
    OdrlConstraint::new(left, Operator::Lteq, Right::Number(most))
}

/// These types are maps and lists of texts and finite numbers; they always have a JSON form.
fn json_of<T: serde::Serialize>(value: &T) -> Right {
    Right::Json(serde_json::to_value(value).unwrap_or(Value::Null))
}

/// Reads duties as one set of obligations.
///
/// # Errors
/// [`OdrlError`] naming each duty, operand or value that is not known.
pub fn obligations(duties: &[Value]) -> Result<Obligations, OdrlError> {
    let mut problems = Problems::default();
    let all: Vec<&Value> = duties.iter().collect();
    let read = read(&all, "/obligation", &mut problems);
    problems.into_result()?;
    Ok(read.unwrap_or_default())
}

/// The same with problems collected; `None` when there were some.
pub(crate) fn read(duties: &[&Value], at: &str, problems: &mut Problems) -> Option<Obligations> {
    if duties.len() > ODRL_DUTIES_MAX {
        let why = format!("{} duties, at most {ODRL_DUTIES_MAX} are taken", duties.len());
        problems.add(at, OdrlCode::Limit, "duty", why);
        return None;
    }
    let mut set = Map::new();
    let mut sound = true;
    for (index, duty) in duties.iter().enumerate() {
        sound &= read_duty(duty, &format!("{at}/{index}"), &mut set, problems).is_some();
    }
    if !sound {
        return None;
    }
    serde_json::from_value(Value::Object(set))
        .map_err(|error| problems.add(at, OdrlCode::Value, "duty", error.to_string()))
        .ok()
}

/// Conditions of one duty: operand to value.
type Conditions<'v> = BTreeMap<&'static str, &'v Value>;

/// One kind of duty.
struct Kind {
    action: &'static str,
    /// Operand, operator, and whether it must be there.
    takes: &'static [(&'static str, &'static str, bool)],
    put: fn(&mut Map<String, Value>, &Conditions<'_>) -> Result<(), String>,
}

const KINDS: &[Kind] = &[
    Kind {
        action: "gov:project",
        takes: &[("gov:columns", "isAnyOf", true)],
        put: |set, c| once(set, "columns", json!(texts_of(c, "gov:columns")?)),
    },
    Kind {
        action: "gov:mask",
        takes: &[("gov:column", "eq", true), ("gov:method", "eq", true)],
        put: |set, c| {
            let column =
                c.get("gov:column").copied().and_then(text).ok_or("the name of one column is due")?;
            once(inner(set, "mask")?, column, value_of(c, "gov:method")?)
        },
    },
    Kind {
        action: "gov:filterRows",
        takes: &[("gov:rows", "eq", true)],
        put: |set, c| {
            let rows = set.entry("row_filter").or_insert_with(|| json!([]));
            let condition = value_of(c, "gov:rows")?;
            rows.as_array_mut().ok_or("filters are no list")?.push(condition);
            Ok(())
        },
    },
    Kind {
        action: "aggregate",
        takes: &[
            ("gov:groupSize", "gteq", true),
            ("gov:groupBy", "isAnyOf", false),
            ("gov:subject", "eq", false),
            ("gov:dominance", "eq", false),
            ("gov:pPercent", "eq", false),
            ("gov:noise", "eq", false),
            ("gov:roundTo", "eq", false),
        ],
        put: |set, c| {
            let mut aggregate = json!({"k": number_of(c, "gov:groupSize")?});
            if c.contains_key("gov:groupBy") {
                aggregate["group_by"] = json!(texts_of(c, "gov:groupBy")?);
            }
            if c.contains_key("gov:subject") {
                aggregate["subject"] = value_of(c, "gov:subject")?;
            }
            for (operand, field) in [
                ("gov:dominance", "dominance"),
                ("gov:pPercent", "p_percent"),
                ("gov:noise", "noise"),
                ("gov:roundTo", "round"),
            ] {
                if c.contains_key(operand) {
                    aggregate[field] = value_of(c, operand)?;
                }
            }
            once(set, "aggregate", aggregate)
        },
    },
    Kind {
        action: "gov:differentialPrivacy",
        takes: &[("gov:privacy", "eq", true)],
        put: |set, c| once(set, "differential_privacy", value_of(c, "gov:privacy")?),
    },
    Kind {
        action: "gov:limitVolume",
        takes: &[("gov:measure", "eq", true), ("count", "lteq", true)],
        put: |set, c| {
            let measure =
                c.get("gov:measure").copied().and_then(text).ok_or("the name of one measure is due")?;
            once(inner(set, "quota")?, measure, json!(number_of(c, "count")?))
        },
    },
    Kind {
        action: "gov:delay",
        takes: &[("gov:column", "eq", true), ("elapsedTime", "gteq", true)],
        put: |set, c| {
            let column =
                c.get("gov:column").copied().and_then(text).ok_or("the name of one column is due")?;
            let hours = duration(c, "PT", 'H').ok_or("whole hours are due: write `PT24H`")?;
            once(inner(set, "delay_hours")?, column, json!(hours))
        },
    },
    Kind {
        action: "gov:limitRows",
        takes: &[("count", "lteq", true)],
        put: |set, c| once(set, "max_rows", json!(number_of(c, "count")?)),
    },
    Kind {
        action: "gov:limitRate",
        takes: &[("count", "lteq", true), ("timeInterval", "eq", true)],
        put: |set, c| {
            if c.get("timeInterval").copied().and_then(text) != Some(MINUTE) {
                return Err(format!("requests are counted by the minute: write `{MINUTE}`"));
            }
            once(set, "rate_per_min", json!(number_of(c, "count")?))
        },
    },
    Kind {
        action: "delete",
        takes: &[("elapsedTime", "lteq", true)],
        put: |set, c| {
            let days = duration(c, "P", 'D').ok_or("whole days are due: write `P365D`")?;
            once(set, "retention_days", json!(days))
        },
    },
    Kind { action: "watermark", takes: &[], put: |set, _| once(set, "watermark", json!(true)) },
    Kind { action: "gov:noOnward", takes: &[], put: |set, _| once(set, "no_onward", json!(true)) },
    Kind {
        action: "inform",
        takes: &[("recipient", "isAnyOf", true)],
        put: |set, c| once(set, "notify", json!(texts_of(c, "recipient")?)),
    },
    Kind {
        action: "obtainConsent",
        takes: &[("gov:approver", "isAnyOf", true)],
        put: |set, c| once(set, "approval", json!(texts_of(c, "gov:approver")?)),
    },
    Kind {
        action: "gov:encrypt",
        takes: &[("gov:level", "gteq", true)],
        put: |set, c| once(set, "encrypt", json!(number_of(c, "gov:level")?)),
    },
    Kind {
        action: "gov:audit",
        takes: &[("gov:level", "gteq", true)],
        put: |set, c| once(set, "audit", json!(number_of(c, "gov:level")?)),
    },
];

fn once(set: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), String> {
    if set.insert(key.to_owned(), value).is_some() {
        return Err("the same duty stands twice: keep one".to_owned());
    }
    Ok(())
}

/// The map that several duties of one kind fill.
fn inner<'s>(set: &'s mut Map<String, Value>, key: &str) -> Result<&'s mut Map<String, Value>, String> {
    let map = set.entry(key).or_insert_with(|| json!({})).as_object_mut();
    map.ok_or_else(|| format!("`{key}` is no object"))
}

/// A duration of whole days or hours, in the one spelling that is written.
fn duration(c: &Conditions<'_>, before: &str, unit: char) -> Option<u32> {
    let digits = c.get("elapsedTime").copied().and_then(text)?.strip_prefix(before)?.strip_suffix(unit)?;
    digits.parse::<u32>().ok().filter(|n| n.to_string() == digits)
}

fn texts_of<'v>(c: &Conditions<'v>, operand: &str) -> Result<Vec<&'v str>, String> {
    c.get(operand).copied().and_then(texts).ok_or_else(|| "a list of texts is due".to_owned())
}

fn number_of(c: &Conditions<'_>, operand: &str) -> Result<u64, String> {
    c.get(operand).copied().and_then(integer).ok_or_else(|| "a whole number is due".to_owned())
}

fn value_of(c: &Conditions<'_>, operand: &str) -> Result<Value, String> {
    c.get(operand).map(|value| literal(value).clone()).ok_or_else(|| "a JSON literal is due".to_owned())
}

fn read_duty(duty: &Value, at: &str, set: &mut Map<String, Value>, problems: &mut Problems) -> Option<()> {
    let mut fields = Fields::of(duty, at, "duty", problems)?;
    if let Some(kind) = fields.take("@type")
        && text(kind).map(normal).as_deref() != Some("Duty")
    {
        problems.add(at, OdrlCode::Type, "@type", "a duty is due here");
    }
    let action = fields.text("action", problems).map(normal).unwrap_or_default();
    let constraints = fields.list("constraint");
    fields.finish(problems);
    let Some(kind) = KINDS.iter().find(|kind| kind.action == action) else {
        let why = "no node knows how to fulfil this duty, so it cannot be agreed to";
        problems.add(&format!("{at}/action"), OdrlCode::Action, &action, why);
        return None;
    };
    let conditions = conditions(kind, &constraints, at, problems)?;
    (kind.put)(set, &conditions)
        .map_err(|why| {
            let twice = why.contains("twice");
            let code = if twice { OdrlCode::Twice } else { OdrlCode::Value };
            problems.add(at, code, kind.action, why);
        })
        .ok()
}

fn conditions<'v>(
    kind: &Kind,
    constraints: &[&'v Value],
    at: &str,
    problems: &mut Problems,
) -> Option<Conditions<'v>> {
    let mut found = Conditions::new();
    let mut sound = true;
    for (index, constraint) in constraints.iter().enumerate() {
        let at = format!("{at}/constraint/{index}");
        let Some(one) = super::import::atomic(constraint, &at, problems) else {
            sound = false;
            continue;
        };
        let known = kind.takes.iter().find(|(operand, _, _)| *operand == one.operand);
        let fault = match known {
            None => Some((OdrlCode::Operand, "this duty takes no such operand".to_owned(), &one.operand)),
            Some((_, operator, _)) if *operator != one.operator => {
                Some((OdrlCode::Operator, format!("write `{operator}` here"), &one.operator))
            }
            Some((operand, _, _)) if found.insert(operand, one.right).is_some() => {
                Some((OdrlCode::Twice, "this operand stands twice: keep one".to_owned(), &one.operand))
            }
            Some(_) => None,
        };
        if let Some((code, why, term)) = fault {
            problems.add(&at, code, term, why);
            sound = false;
        }
    }
    for (operand, _, _) in
        kind.takes.iter().filter(|(operand, _, needed)| *needed && !found.contains_key(operand))
    {
        if sound {
            problems.add(at, OdrlCode::Operand, operand, format!("`{}` needs this operand", kind.action));
        }
        sound = false;
    }
    sound.then_some(found)
}
