//! A question put to a table: which conditions the server applies, and how they are written.
//!
//! Each form gives at least the rows that match after values have taken the house's form (see [`super::types`]):
//!
//! | the server's type, the contract's kind | what is put to it |
//! | --- | --- |
//! | `text`, `varchar`, `char(n)`; string | all, by bytes (`COLLATE "C"`), and every text that is not composed (NFC) besides; in databases of UTF-8 only |
//! | `int2`, `int4`, `int8`; integer | all |
//! | integers, `numeric`; number | `=`, and orders as `<=` and `>=`, one step of binary64 wider |
//! | `float8`; number | `=`, `IN`, and orders as `<=` and `>=` |
//! | `bool`; boolean | `=`, `<>`, `IN` |
//! | `date`; date, `timestamp`, `timestamptz`; timestamp | all |
//!
//! Anything else is not put to the server, and read. Rows come in the order in which they lie in the table: an index may find
//! them, never order them, since the choice of an index depends on rows that nobody may see.

use std::path::Path;

use tokio_postgres::types::{ToSql, Type};

use super::Postgresql;
use super::rows::PostgresRows;
use super::session::Session;
use super::sql::{Reading, identifier};
use crate::IntakeError;
use crate::live::{Comparison, Condition, Given, Live, Wanted, composed_of_itself};
use crate::remote::check_columns;
use catalog::ColumnKind;

/// Longest list of values that is put to the server.
const VALUES_MAX: usize = 1_000;
/// Rows in the order of the table, and no more than one process of the server for a question.
const STEADY: &str = "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; \
     SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0";
const TABLE: &str = "SELECT c.relkind IN ('r', 'p', 'm'), pg_catalog.current_setting('server_encoding') = 'UTF8' \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname::text = $1 AND c.relname::text = $2";

/// A value as the statement takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bound {
    One(String),
    Many(Vec<String>),
}

impl Bound {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::One(text) => text,
            Self::Many(texts) => texts,
        }
    }
}

impl Postgresql {
    pub(crate) fn open_live(&self, base: &Path, wanted: &Wanted) -> Result<Live, IntakeError> {
        let Reading::Table { schema, table, .. } = Reading::of(self)? else {
            return Err(IntakeError::origin("cần `table`", "`table` is needed"));
        };
        check_columns(&wanted.all)?;
        let session = Session::begin(self, base, self.seconds_max)?;
        session.wait(session.client.batch_execute(STEADY))?;
        let row = session.wait(session.client.query_opt(TABLE, &[&schema, &table]))?;
        let said = |i: usize| row.as_ref().and_then(|row| row.try_get::<_, bool>(i).ok()).unwrap_or(false);
        let (plain, utf8) = (said(0), said(1));
        // A view computes: which of its columns are asked for must not decide whether it fails.
        let columns = if plain { &wanted.columns } else { &wanted.all };
        let reading = |columns: &[String]| {
            let columns = Some(columns.to_vec());
            Reading::Table { schema: schema.clone(), table: table.clone(), columns }.statement()
        };
        let types = session.prepare(&reading(&wanted.all))?;
        let types = types.columns().iter().map(|c| (c.name().to_owned(), c.type_().clone())).collect();
        let mut filter = Filter { types, utf8, bound: Vec::new(), clauses: Vec::new() };
        let policy = wanted.policy.iter().filter(|condition| filter.add(condition)).count();
        let asked = wanted.asked.iter().filter(|condition| plain && filter.add(condition)).count();
        let mut statement = reading(columns);
        if !filter.clauses.is_empty() {
            statement.push_str(&format!(" WHERE {}", filter.clauses.join(" AND ")));
        }
        if let Some(limit) = wanted.limit {
            statement.push_str(&format!(" LIMIT {limit}"));
        }
        let bound: Vec<&(dyn ToSql + Sync)> = filter.bound.iter().map(Bound::as_sql).collect();
        let rows = PostgresRows::live(session, &statement, &bound, wanted.columns.clone())?;
        Ok(Live { rows: Box::new(rows), statement, pushed: (policy, asked) })
    }
}

/// The conditions that the server applies.
struct Filter {
    types: Vec<(String, Type)>,
    utf8: bool,
    bound: Vec<Bound>,
    clauses: Vec<String>,
}

impl Filter {
    /// Takes the condition, if there is a form of it that leaves no match out.
    fn add(&mut self, condition: &Condition) -> bool {
        let kind =
            self.types.iter().find(|(name, _)| *name == condition.column).map(|(_, kind)| kind.clone());
        let before = self.bound.len();
        match kind.and_then(|kind| self.clause(condition, &kind)) {
            Some(clause) => self.clauses.push(format!("({clause})")),
            None => {
                self.bound.truncate(before);
                return false;
            }
        }
        true
    }

    fn clause(&mut self, condition: &Condition, kind: &Type) -> Option<String> {
        use ColumnKind::{Boolean, Date, Integer, Number, String as Text, Timestamp};
        let name = identifier(&condition.column);
        match (condition.kind, kind) {
            (Text, &Type::TEXT | &Type::VARCHAR) => self.text(condition, &name),
            (Text, &Type::BPCHAR) => self.text(condition, &format!("{name}::text")),
            (Integer, &Type::INT2 | &Type::INT4 | &Type::INT8) => self.exact(condition, &name, "int8"),
            (Number, &Type::INT2 | &Type::INT4 | &Type::INT8 | &Type::NUMERIC) => {
                self.wider(condition, &name)
            }
            (Number, &Type::FLOAT8) => self.float(condition, &name),
            (Boolean, &Type::BOOL) => self.exact(condition, &name, "bool"),
            (Date, &Type::DATE) => self.exact(condition, &name, "date"),
            (Timestamp, &Type::TIMESTAMP) => self.exact(condition, &name, "timestamp"),
            (Timestamp, &Type::TIMESTAMPTZ) => self.exact(condition, &name, "timestamptz"),
            _ => None,
        }
    }

    /// A parameter of this type. All travel as text, which the server reads by the forms that the session has set.
    fn one(&mut self, value: String, kind: &str) -> Option<String> {
        (!value.contains('\0')).then(|| {
            self.bound.push(Bound::One(value));
            format!("${}::text::{kind}", self.bound.len())
        })
    }

    fn many(&mut self, values: Vec<String>, kind: &str) -> Option<String> {
        let fits = values.len() <= VALUES_MAX && !values.iter().any(|value| value.contains('\0'));
        fits.then(|| {
            self.bound.push(Bound::Many(values));
            format!("ANY (${}::text[]::{kind}[])", self.bound.len())
        })
    }

    /// Where the server compares as the house does.
    fn exact(&mut self, condition: &Condition, name: &str, kind: &str) -> Option<String> {
        use Comparison::{
            Between, Greater, GreaterOrEqual, In, Less, LessOrEqual, Missing, Present, StartsWith,
        };
        let mut values =
            condition.values.iter().map(|value| written(value, kind)).collect::<Option<Vec<_>>>()?;
        let op = match condition.comparison {
            Missing => return Some(format!("{name} IS NULL")),
            Present => return Some(format!("{name} IS NOT NULL")),
            In => return Some(format!("{name} = {}", self.many(values, kind)?)),
            Between => {
                let (high, low) = (values.pop()?, values.pop()?);
                let (low, high) = (self.one(low, kind)?, self.one(high, kind)?);
                return Some(format!("{name} >= {low} AND {name} <= {high}"));
            }
            StartsWith => return None,
            Comparison::Equal => "=",
            Comparison::Unequal => "<>",
            Less => "<",
            LessOrEqual => "<=",
            Greater => ">",
            GreaterOrEqual => ">=",
        };
        Some(format!("{name} {op} {}", self.one(values.pop()?, kind)?))
    }

    /// `float8`: here and there the same numbers, but the house tells `-0` from `0` and orders them.
    fn float(&mut self, condition: &Condition, name: &str) -> Option<String> {
        let comparison = match condition.comparison {
            Comparison::Unequal => return None,
            Comparison::Less => Comparison::LessOrEqual,
            Comparison::Greater => Comparison::GreaterOrEqual,
            other => other,
        };
        self.exact(&Condition { comparison, ..condition.clone() }, name, "float8")
    }

    /// Numbers with more digits than the house keeps: what is nearest to a limit may be on its other side.
    fn wider(&mut self, condition: &Condition, name: &str) -> Option<String> {
        use Comparison::{Between, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Missing, Present};
        let numbers: Vec<f64> = condition.values.iter().map(number).collect::<Option<_>>()?;
        let bounds = match (condition.comparison, numbers.as_slice()) {
            (Missing | Present, []) => return self.exact(condition, name, "numeric"),
            (Equal, [n]) => (Some(*n), Some(*n)),
            (Between, [low, high]) => (Some(*low), Some(*high)),
            (Greater | GreaterOrEqual, [n]) => (Some(*n), None),
            (Less | LessOrEqual, [n]) => (None, Some(*n)),
            _ => return None,
        };
        let mut clauses = Vec::new();
        for (n, op) in [(bounds.0.map(f64::next_down), ">="), (bounds.1.map(f64::next_up), "<=")] {
            if let Some(n) = n.filter(|n| n.is_finite()) {
                clauses.push(format!("{name} {op} {}", self.one(format!("{n:e}"), "numeric")?));
            }
        }
        (!clauses.is_empty()).then(|| clauses.join(" AND "))
    }

    /// Text by its bytes. Rows whose text is not composed (NFC) come whatever they hold: composed, they may match.
    fn text(&mut self, condition: &Condition, name: &str) -> Option<String> {
        use Comparison::{
            Between, Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual, Missing, Present, StartsWith,
            Unequal,
        };
        let mut values = Vec::new();
        for value in &condition.values {
            let Given::Text(text) = value else { return None };
            values.push(text.clone());
        }
        match condition.comparison {
            // An empty text is a missing value in the house.
            Missing => return Some(format!("{name} IS NULL OR {name} = ''")),
            Present => return Some(format!("{name} IS NOT NULL")),
            _ if !self.utf8 => return None,
            // Whatever the collation says, texts of the same bytes are equal, and an index can find them.
            Equal | In if values.iter().all(|text| composed_of_itself(text)) => {
                return Some(format!("{name} = {}", self.many(values, "text")?));
            }
            _ => {}
        }
        let bytes = format!("{name} COLLATE \"C\"");
        let compared = match (condition.comparison, values.as_slice()) {
            (Equal | In, _) => format!("{name} = {}", self.many(values, "text")?),
            (Unequal, [_]) => format!("{bytes} <> {}", self.one(values.pop()?, "text")?),
            (Less, [_]) => format!("{bytes} < {}", self.one(values.pop()?, "text")?),
            (LessOrEqual, [_]) => format!("{bytes} <= {}", self.one(values.pop()?, "text")?),
            (Greater, [_]) => format!("{bytes} > {}", self.one(values.pop()?, "text")?),
            (GreaterOrEqual, [_]) => format!("{bytes} >= {}", self.one(values.pop()?, "text")?),
            (Between, [_, _]) => {
                let (high, low) = (values.pop()?, values.pop()?);
                let (low, high) = (self.one(low, "text")?, self.one(high, "text")?);
                format!("{bytes} >= {low} AND {bytes} <= {high}")
            }
            (StartsWith, [prefix]) => {
                let letters = prefix.chars().count();
                format!("left({name}, {letters}) COLLATE \"C\" = {}", self.one(values.pop()?, "text")?)
            }
            _ => return None,
        };
        Some(format!("({compared}) OR {name} IS NOT NFC NORMALIZED"))
    }
}

/// The value as the server reads it for this type, if it is one of it.
fn written(value: &Given, kind: &str) -> Option<String> {
    match (kind, value) {
        ("int8", Given::Integer(n)) => Some(n.to_string()),
        ("bool", Given::Boolean(b)) => Some(b.to_string()),
        ("float8", given) => number(given).map(|n| format!("{n:e}")),
        ("date" | "timestamp", Given::Text(text)) => Some(text.clone()),
        ("timestamptz", Given::Text(text)) => Some(format!("{text}Z")),
        _ => None,
    }
}

fn number(value: &Given) -> Option<f64> {
    match value {
        Given::Number(n) if n.is_finite() => Some(*n),
        #[expect(clippy::cast_precision_loss, reason = "a number of the house holds no more digits either")]
        Given::Integer(n) => Some(*n as f64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(kind: Type) -> Filter {
        Filter { types: vec![("c".into(), kind)], utf8: true, bound: Vec::new(), clauses: Vec::new() }
    }

    fn condition(kind: ColumnKind, comparison: Comparison, values: Vec<Given>) -> Condition {
        Condition { column: "c".into(), kind, comparison, values }
    }

    #[test]
    fn values_are_bound_and_names_are_quoted() {
        let evil = "x\"; DROP TABLE wards; --";
        let mut filter = filter(Type::TEXT);
        filter.types.push((evil.into(), Type::TEXT));
        let equal = Condition {
            column: evil.into(),
            ..condition(ColumnKind::String, Comparison::Equal, vec![Given::Text("'; DROP".into())])
        };
        assert!(filter.add(&equal));
        assert!(!filter.clauses[0].contains("'; DROP"), "{:?}", filter.clauses);
        assert!(
            filter.clauses[0].starts_with("((\"x\"\"; DROP TABLE wards; --\" = ANY ($1"),
            "{:?}",
            filter.clauses
        );
        assert_eq!(filter.bound, [Bound::Many(vec!["'; DROP".into()])]);
    }

    #[test]
    fn what_could_leave_a_match_out_is_not_put_to_the_server() {
        use Comparison::{Equal, In, Less, StartsWith, Unequal};
        let text = |t: &str| vec![Given::Text(t.into())];
        let one = || vec![Given::Number(1.0)];
        for (kind, condition) in [
            // Numbers of 4 bytes have another decimal form here.
            (Type::FLOAT4, condition(ColumnKind::Number, Less, one())),
            (Type::FLOAT8, condition(ColumnKind::Number, Unequal, one())),
            (Type::NUMERIC, condition(ColumnKind::Number, Unequal, one())),
            (Type::NUMERIC, condition(ColumnKind::Number, In, one())),
            // The contract holds it for something else than the server does.
            (Type::NUMERIC, condition(ColumnKind::Integer, Equal, vec![Given::Integer(1)])),
            (Type::DATE, condition(ColumnKind::String, Equal, text("2026-11-23"))),
            (Type::TEXT, condition(ColumnKind::Integer, Equal, vec![Given::Integer(1)])),
            (Type::UUID, condition(ColumnKind::String, StartsWith, text("a"))),
            (Type::TEXT, condition(ColumnKind::String, Equal, text("a\0b"))),
        ] {
            let mut filter = filter(kind.clone());
            assert!(!filter.add(&condition), "{kind} {condition:?}");
            assert!(filter.bound.is_empty() && filter.clauses.is_empty());
        }
        let mut other = Filter { utf8: false, ..filter(Type::TEXT) };
        assert!(!other.add(&condition(ColumnKind::String, Equal, text("a"))));
    }

    #[test]
    fn limits_of_decimals_are_one_step_wider() {
        let mut filter = filter(Type::NUMERIC);
        assert!(filter.add(&condition(ColumnKind::Number, Comparison::Less, vec![Given::Number(0.5)])));
        let Bound::One(text) = &filter.bound[0] else { panic!() };
        assert!(filter.clauses[0].contains("<=") && text.parse::<f64>().unwrap() > 0.5);
    }
}
