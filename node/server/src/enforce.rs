//! From obligations to the engine's restriction: what a decision demands, said in the words of the data plane.
//!
//! Every obligation that concerns rows ends up in the restriction, none is left to good will. Where the engine knows no
//! form as fine as the rule, the stricter one is taken; where rule, contract and file do not fit together, nothing
//! leaves.

use catalog::DatasetRecord;
use dataplane::{
    AggregateOnly, ColumnKind, HashKey, Mask, Predicate, Query, Restriction, Schema, Subject, TimeUnit, Value,
};
use hmac::{Hmac, KeyInit, Mac};
use policy::{Aggregate, CountedBy, Generalization, Mask as Rule, Obligations};
use time::OffsetDateTime;

use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::gate::Permit;
use crate::linkage::keys::Linkages;
use crate::query::{Condition, Function, Op, QueryDoc};

/// Whose copy it is, and as of when.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    /// The exchange.
    pub exchange: &'a str,
    /// Participant id of the consumer.
    pub consumer: &'a str,
    /// The agreement: pseudonyms are the same within one and different between two.
    pub agreement: &'a str,
    /// Unix seconds.
    pub now: i64,
}

/// What masks are made with.
#[derive(Clone)]
pub struct Secrets<'a> {
    /// The node's own secret, for pseudonyms of one agreement.
    pub mask: &'a [u8; 32],
    /// Keys that providers share.
    pub linkages: Linkages,
}

impl std::fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(secret)")
    }
}

/// For whom values are masked.
#[derive(Debug, Clone, Copy)]
struct For<'a> {
    /// Participant id of the recipient.
    recipient: &'a str,
    /// Its purpose.
    purpose: Option<&'a str>,
    /// The agreement.
    agreement: &'a str,
}

/// A day, seconds.
const DAY_SECONDS: i64 = 86_400;

/// The restriction that a permit puts on a dataset.
pub fn restriction(
    permit: &Permit,
    dataset: &Dataset,
    secrets: &Secrets<'_>,
    copy: &Copy<'_>,
) -> Result<Restriction> {
    permit.demand(dataset.record.id.as_str())?;
    let whom = For { recipient: permit.subject(), purpose: permit.purpose(), agreement: copy.agreement };
    restricted(permit.obligations(), permit.left().rows, dataset, secrets, whom, copy)
}

/// Whether a dataset can be shown to `recipient` for `purpose` under these obligations at all, or what does not fit; nothing
/// of it is read.
pub fn fits(
    obligations: &Obligations,
    dataset: &Dataset,
    secrets: Secrets<'_>,
    recipient: &str,
    purpose: Option<&str>,
    now: i64,
) -> Result<()> {
    let copy = Copy { exchange: "", consumer: recipient, agreement: "", now };
    let whom = For { recipient, purpose, agreement: "" };
    let restriction = restricted(obligations, None, dataset, &secrets, whom, &copy)?;
    let seen = dataplane::visible_schema(&dataset.schema()?, &restriction);
    seen.map(|_| ()).map_err(|e| Error::conflict(e.to_string()))
}

fn restricted(
    obligations: &Obligations,
    left: Option<u64>,
    dataset: &Dataset,
    secrets: &Secrets<'_>,
    whom: For<'_>,
    copy: &Copy<'_>,
) -> Result<Restriction> {
    let schema = dataset.schema()?;
    let mut masks = std::collections::BTreeMap::new();
    for (column, rule) in &obligations.mask {
        let column = column.as_str();
        let kind = schema.column(column).map(|c| c.kind).ok_or_else(|| no_column(&schema, column))?;
        masks.insert(column.to_owned(), mask(rule, kind, secrets, whom, column)?);
    }
    let mut row_filter: Vec<Predicate> =
        obligations.row_filter.iter().map(predicate).collect::<Result<_>>()?;
    for (column, hours) in &obligations.delay_hours {
        row_filter.push(delay(&schema, column.as_str(), hours.get(), copy.now)?);
    }
    let most = obligations.max_rows.map(std::num::NonZeroU64::get);
    Ok(Restriction {
        columns: granted(obligations, &schema),
        masks,
        row_filter,
        aggregate_only: aggregate_only(obligations, &dataset.record, secrets.mask)?,
        max_rows: [most, left].into_iter().flatten().min(),
        watermark: obligations
            .watermark
            .then(|| format!("{} {} {}", copy.consumer, copy.agreement, copy.exchange)),
    })
}

/// Only rows whose time lies so many hours back. Times without an offset are read as UTC; a day counts once it is over.
/// A dataset without that column cannot keep the delay, so nothing of it leaves.
fn delay(schema: &Schema, column: &str, hours: u32, now: i64) -> Result<Predicate> {
    use dataplane::ColumnKind::{Date, Timestamp};
    let kind = schema.column(column).map(|c| c.kind);
    let back = i64::from(hours) * 3_600 + if kind == Some(Date) { DAY_SECONDS } else { 0 };
    let latest = OffsetDateTime::from_unix_timestamp(now.saturating_sub(back)).map_err(Error::internal)?;
    let day = format!("{:04}-{:02}-{:02}", latest.year(), u8::from(latest.month()), latest.day());
    let text = match kind {
        Some(Date) => day,
        Some(Timestamp) => {
            format!("{day}T{:02}:{:02}:{:02}", latest.hour(), latest.minute(), latest.second())
        }
        _ => {
            return Err(Error::conflict(format!(
                "the rules hold rows back by the time in column `{column}`, and this dataset has no such time; \
correct the obligation set or the contract"
            )));
        }
    };
    Ok(Predicate::new(column, dataplane::Op::Le, vec![Value::Text(text)]))
}

/// Granted columns in the dataset's own order; a list that names none of them grants none, which the engine refuses.
fn granted(obligations: &Obligations, schema: &Schema) -> Option<Vec<String>> {
    let list = obligations.columns.as_ref()?;
    let names = schema.columns().iter().map(|c| c.name.clone());
    Some(names.filter(|name| list.iter().any(|c| c.as_str() == name)).collect())
}

/// The engine's word for a rule's mask of a column. A mask that the column's kind cannot take is no "no value": joined
/// with one that fits it would then hide less than alone. So nothing leaves until rule or contract is corrected.
fn mask(rule: &Rule, kind: ColumnKind, secrets: &Secrets<'_>, whom: For<'_>, column: &str) -> Result<Mask> {
    use ColumnKind::{Date, Integer, Number, String as Text, Timestamp};
    Ok(match rule {
        Rule::Drop => Mask::Drop,
        Rule::Null => Mask::Null,
        Rule::Constant(text) => Mask::Constant(text.clone()),
        Rule::Hash => Mask::Hash(HashKey::new(mask_key(secrets.mask, whom.agreement, column)?)),
        Rule::Linkage(_) if !matches!(kind, Text | Integer) => return Err(misfit(rule, kind, column)),
        Rule::Linkage(linkage) => {
            let key = secrets.linkages.pseudonyms(linkage, whom.recipient, whom.purpose)?;
            Mask::Linked(HashKey::new(key))
        }
        Rule::Generalize(how) => match (how, kind) {
            (Generalization::Day, Date | Timestamp) => Mask::Truncate(TimeUnit::Day),
            (Generalization::Month, Date | Timestamp) => Mask::Truncate(TimeUnit::Month),
            (Generalization::Year | Generalization::Coarsest, Date | Timestamp) => {
                Mask::Truncate(TimeUnit::Year)
            }
            // Widths beyond 32 bits are no useful buckets.
            (Generalization::Bucket(width), Integer | Number) => {
                u32::try_from(width.get()).map_or(Mask::Null, |w| Mask::Bucket(f64::from(w)))
            }
            (Generalization::Decimals(places), Number) => Mask::Decimals(u32::from(*places)),
            (Generalization::Place(parts), Text) => Mask::LastParts(u32::from(*parts)),
            (Generalization::Coarsest, _) => Mask::Null,
            _ => return Err(misfit(rule, kind, column)),
        },
        Rule::Partial(shown) if (shown.first, shown.last) == (0, 0) => Mask::Null,
        Rule::Truncate(_) | Rule::Partial(_) if kind != Text => return Err(misfit(rule, kind, column)),
        Rule::Truncate(left) => Mask::Cut(u32::from(*left)),
        Rule::Partial(shown) => match (shown.first, shown.last) {
            (first, 0) => Mask::ShowFirst(u32::from(first)),
            // The engine shows one end; showing less than the rule allows is always allowed.
            (_, last) => Mask::ShowLast(u32::from(last)),
        },
    })
}

/// A mask for a column that is not there may be a slip of the pen for one that is, so nothing leaves.
fn no_column(schema: &Schema, column: &str) -> Error {
    let names: Vec<&str> = schema.columns().iter().map(|c| c.name.as_str()).take(20).collect();
    Error::conflict(format!(
        "the rules mask the column `{column}`, which this dataset does not have, so nothing leaves; its columns are `{}`: \
         correct the obligation set, or let its rule be about datasets that have the column",
        names.join("`, `")
    ))
}

fn misfit(rule: &Rule, kind: ColumnKind, column: &str) -> Error {
    let written = serde_json::to_string(rule).unwrap_or_default();
    Error::conflict(format!(
        "the rules mask column `{column}` by `{written}`, which a column of kind {kind} cannot take, so nothing leaves; \
         give it a mask that fits (`null` and `drop` fit all) in the obligation set, or correct its kind in the contract"
    ))
}

mod disclosure;

/// Key of the pseudonyms of one column under one agreement. Without it there are no pseudonyms, and nothing leaves.
fn mask_key(secret: &[u8; 32], agreement: &str, column: &str) -> Result<[u8; 32]> {
    derived(secret, &["tram/mask@v1", agreement, column])
}

/// A key for one purpose, from the node's masking secret.
fn derived(secret: &[u8; 32], parts: &[&str]) -> Result<[u8; 32]> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).map_err(Error::internal)?;
    for part in parts {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    Ok(mac.finalize().into_bytes().into())
}

fn aggregate_only(
    obligations: &Obligations,
    record: &DatasetRecord,
    secret: &[u8; 32],
) -> Result<Option<AggregateOnly>> {
    let private = obligations.differential_privacy.as_deref();
    let Some(rule) = &obligations.aggregate else {
        return match private {
            None => Ok(None),
            Some(_) => Err(Error::conflict(
                "the rules ask for differential privacy without `aggregate`; only figures can have it",
            )),
        };
    };
    let (subject, group_by) = (subject(rule, record)?, group_by(rule, record)?);
    let disclosure = disclosure::disclosure(rule, private, record.id.as_str(), secret)?;
    Ok(Some(AggregateOnly { k: u64::from(rule.k.get()), subject, group_by, disclosure }))
}

/// Columns by which one may group: those that the rules and the contract both name, since a rule may narrow what the
/// steward wrote and never widen it.
fn group_by(rule: &Aggregate, record: &DatasetRecord) -> Result<Vec<String>> {
    let named = rule.group_by.as_ref();
    let from_rule: Option<Vec<String>> = named.map(|all| all.iter().map(|c| c.as_str().to_owned()).collect());
    let contract = &record.group_by;
    let Some(from_rule) = from_rule else {
        return if contract.is_empty() { Err(no_group_by(record)) } else { Ok(contract.clone()) };
    };
    if from_rule.is_empty() {
        return Err(no_group_by(record));
    }
    // A rule may narrow a column of times to a part of it.
    let base = |column: &String| column.parse::<dataplane::TimePart>().ok().map(|part| part.column);
    let both = |column: &String| {
        contract.is_empty()
            || contract.contains(column)
            || base(column).is_some_and(|c| contract.contains(&c))
    };
    let left: Vec<String> = from_rule.iter().filter(|column| both(column)).cloned().collect();
    if left.is_empty() {
        return Err(Error::conflict(format!(
            "only aggregates of `{}` may leave; the rules group by `{}`, its contract by `{}`, and no column is in both; \
             correct `group_by` in the obligation set or `groupBy` in the contract",
            record.id,
            from_rule.join("`, `"),
            contract.join("`, `")
        )));
    }
    Ok(left)
}

fn no_group_by(record: &DatasetRecord) -> Error {
    Error::conflict(format!(
        "only aggregates of `{}` may leave, and neither the rules nor its contract say by which columns; \
add `groupBy` to the contract",
        record.id
    ))
}

/// What counts as one person. Rules and contract that name two different things agree on nobody, and a count by the
/// wrong one would show groups that are too small.
fn subject(rule: &Aggregate, record: &DatasetRecord) -> Result<Subject> {
    let mut from_rule = rule.subject.iter().map(|counted| match counted {
        CountedBy::Key(column) => Subject::Key(column.as_str().to_owned()),
        CountedBy::Count(column) => Subject::Count(column.as_str().to_owned()),
    });
    let (ruled, second) = (from_rule.next(), from_rule.next());
    if second.is_some() {
        return Err(Error::conflict(
            "the rules count subjects in two ways at once; let them agree on one column",
        ));
    }
    let contract = record.subject.as_ref().map(|counted| match counted {
        catalog::Subject::Key(column) => Subject::Key(column.clone()),
        catalog::Subject::Count(column) => Subject::Count(column.clone()),
    });
    match (ruled, contract) {
        (Some(ruled), Some(contract)) if ruled != contract => Err(Error::conflict(format!(
            "the rules count people in `{}` by {}, its contract by {}; correct `subject` in the obligation set or in the \
             contract",
            record.id,
            counted(&ruled),
            counted(&contract)
        ))),
        (ruled, contract) => Ok(ruled.or(contract).unwrap_or(Subject::Rows)),
    }
}

fn counted(subject: &Subject) -> String {
    match subject {
        Subject::Key(column) => format!("the key `{column}`"),
        Subject::Count(column) => format!("the count `{column}`"),
        Subject::Rows => "rows".to_owned(),
    }
}

fn predicate(rule: &policy::Predicate) -> Result<Predicate> {
    let op = match rule.op() {
        policy::Op::Eq => dataplane::Op::Eq,
        policy::Op::Ne => dataplane::Op::Ne,
        policy::Op::Lt => dataplane::Op::Lt,
        policy::Op::Le => dataplane::Op::Le,
        policy::Op::Gt => dataplane::Op::Gt,
        policy::Op::Ge => dataplane::Op::Ge,
        policy::Op::In => dataplane::Op::In,
        policy::Op::IsNull => dataplane::Op::IsNull,
        policy::Op::NotNull => dataplane::Op::IsNotNull,
        policy::Op::LikePrefix => dataplane::Op::StartsWith,
    };
    let values = rule.values().iter().map(|v| match v {
        policy::Value::Boolean(b) => Value::Boolean(*b),
        policy::Value::Integer(i) => Value::Integer(*i),
        policy::Value::Real(f) => Value::Number(f.get()),
        policy::Value::Text(t) => Value::Text(t.clone()),
    });
    Ok(Predicate::new(rule.column().as_str(), op, values.collect()))
}

/// What the consumer adds, with its texts read as values of the visible columns' kinds.
pub fn query(doc: &QueryDoc, visible: &Schema) -> Result<Query> {
    Ok(Query {
        columns: (!doc.columns.is_empty()).then(|| doc.columns.clone()),
        filter: doc
            .filter
            .iter()
            .map(|c| condition(c, kind_of(doc, visible, &c.column)))
            .collect::<Result<_>>()?,
        times: doc.times.clone(),
        group_by: doc.group_by.clone(),
        measures: doc
            .measures
            .iter()
            .map(|m| {
                let function = match m.function {
                    Function::Count => dataplane::Function::Count,
                    Function::Sum => dataplane::Function::Sum,
                    Function::Avg => dataplane::Function::Avg,
                    Function::Min => dataplane::Function::Min,
                    Function::Max => dataplane::Function::Max,
                };
                dataplane::Measure {
                    name: m.name.clone(),
                    ..dataplane::Measure::new(function, m.column.as_deref())
                }
            })
            .collect(),
        distinct: doc.distinct,
        order_by: doc
            .order_by
            .iter()
            .map(|order| dataplane::Order { column: order.column.clone(), descending: order.descending })
            .collect(),
        limit: doc.limit,
    })
}

/// The kind of a column of the view, or of one that the query makes of a time.
fn kind_of(doc: &QueryDoc, visible: &Schema, name: &str) -> Option<ColumnKind> {
    let made = || doc.times.iter().find(|part| part.output_name() == name).map(|part| part.by.kind());
    visible.column(name).map(|c| c.kind).or_else(made)
}

fn condition(condition: &Condition, kind: Option<ColumnKind>) -> Result<Predicate> {
    let test = |op: Op, texts: &[String]| -> Result<(dataplane::Op, Vec<Value>)> {
        let values = texts.iter().map(|text| value(text, kind, &condition.column)).collect::<Result<_>>()?;
        Ok((engine_op(op), values))
    };
    let (op, values) = test(condition.op, &condition.values)?;
    let or = condition.or.iter().map(|or| {
        let (op, values) = test(or.op, &or.values)?;
        Ok(dataplane::Test { op, values })
    });
    let or = or.collect::<Result<_>>()?;
    Ok(Predicate { or, ..Predicate::new(&condition.column, op, values) })
}

fn engine_op(op: Op) -> dataplane::Op {
    match op {
        Op::Eq => dataplane::Op::Eq,
        Op::Ne => dataplane::Op::Ne,
        Op::Lt => dataplane::Op::Lt,
        Op::Le => dataplane::Op::Le,
        Op::Gt => dataplane::Op::Gt,
        Op::Ge => dataplane::Op::Ge,
        Op::In => dataplane::Op::In,
        Op::IsNull => dataplane::Op::IsNull,
        Op::NotNull => dataplane::Op::IsNotNull,
        Op::StartsWith => dataplane::Op::StartsWith,
        Op::NotIn => dataplane::Op::NotIn,
        Op::Between => dataplane::Op::Between,
        Op::NotBetween => dataplane::Op::NotBetween,
        Op::NotStartsWith => dataplane::Op::NotStartsWith,
    }
}

/// A value by its column's kind. For a column that is not visible the text stays text: the engine refuses the column
/// without telling whether it exists.
fn value(text: &str, kind: Option<dataplane::ColumnKind>, column: &str) -> Result<Value> {
    use dataplane::ColumnKind::{Boolean, Integer, Number};
    let bad = |what: &str| Error::usage(format!("`{text}` is no {what}; column `{column}` holds {what}s"));
    match kind {
        Some(Integer) => text
            .parse()
            .map(Value::Integer)
            .or_else(|_| text.parse().map(Value::Number))
            .map_err(|_| bad("whole number")),
        Some(Number) => text.parse().map(Value::Number).map_err(|_| bad("number")),
        Some(Boolean) => text.parse().map(Value::Boolean).map_err(|_| bad("truth value")),
        _ => Ok(Value::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
