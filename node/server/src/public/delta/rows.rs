//! Questions about one table: its version, its columns, its rows as files.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use delta::hint::{ColumnFacts, Facts, Literal};
use delta::{Ask, Capabilities, Column, File, Form, Kind, Lines, Metadata};
use exchange::manifest::ColumnKind;

use super::answer::{Answer, Asker, Question, Reads, lines, of_version};
use super::names::Named;
use super::versions::{self, Present};
use crate::error::{Error, Result};
use crate::flow::direct;
use crate::gate::{Asked, Permit};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::public::{self, Caller};
use crate::query::QueryDoc;
use crate::releases::{self, Release};
use crate::shown::Shown;

/// `GET …/tables/{table}/version`, and `HEAD …/tables/{table}` as older clients ask.
pub async fn version(
    State(node): State<Arc<Node>>,
    Asker(caller): Asker,
    Path(named): Path<Named>,
) -> Answer<Response> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let shown = named.table(&node, &operation, &caller)?;
    permitted(&node, &operation, &caller, &shown)?;
    let present = versions::present(&node, &shown.dataset, operation.now).await?;
    Ok(of_version(present.number))
}

/// `GET …/tables/{table}/metadata`
pub async fn metadata(
    State(node): State<Arc<Node>>,
    Asker(caller): Asker,
    Reads(capabilities): Reads,
    Path(named): Path<Named>,
) -> Answer<Response> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let shown = named.table(&node, &operation, &caller)?;
    let present = versions::present(&node, &shown.dataset, operation.now).await?;
    let told = told(&node, &operation, &caller, &shown, &present)?;
    let form = form(capabilities, &told)?;
    Ok(lines(Lines::new(form, &told), form, present.number))
}

/// `POST …/tables/{table}/query`
pub async fn query(
    State(node): State<Arc<Node>>,
    Asker(caller): Asker,
    Reads(capabilities): Reads,
    Path(named): Path<Named>,
    Question(asked): Question,
) -> Answer<Response> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let shown = named.table(&node, &operation, &caller)?;
    let doc = question(&shown);
    // Whoever may not have the rows is refused here, and the ledger has it.
    if !shown.access.any() {
        direct::release(&node, &operation, &caller, shown.name(), doc.clone()).await?;
    }
    let present = versions::present(&node, &shown.dataset, operation.now).await?;
    newest(asked.ask, &present)?;
    let mut told = told(&node, &operation, &caller, &shown, &present)?;
    let release = direct::release(&node, &operation, &caller, shown.name(), doc.clone()).await?;
    same(&node, &shown, &present, operation.now).await?;
    remember(&node, &operation, &caller, (&shown, &doc), (&release, &present)).await?;
    told.bytes = Some(release.files.bytes);
    told.files = Some(release.files.parts.len() as u64);
    let asked_for = (asked.ask != Ask::Newest).then_some((present.number, present.at));
    told.version = asked_for.map(|(number, _)| number);
    let form = form(capabilities, &told)?;
    let mut out = Lines::new(form, &told);
    for file in asked.narrow(files(&node, &operation, &release, asked_for)?, |file| &file.facts) {
        out.file(&file);
    }
    Ok(lines(out, form, present.number))
}

/// The permit of now, not kept: for what is told of a table without its rows.
pub fn permitted(node: &Node, operation: &Operation, caller: &Caller, shown: &Shown) -> Answer<Permit> {
    let asked = Asked {
        subject: &caller.subject,
        action: action(shown),
        dataset: shown.name(),
        purpose: caller.purpose.as_deref(),
        basis: caller.basis.as_deref(),
        agreement: None,
        exchange: None,
    };
    let verdict = node.gate.look(node, operation, &asked)?;
    verdict.permit().map_err(|refusal| Error::Refused(Box::new(refusal)).into())
}

/// A reader of files takes the table as it is: a copy where the rules allow one, and else an answer to the question for all.
fn action(shown: &Shown) -> policy::Action {
    if shown.access.download { policy::Action::Download } else { policy::Action::Query }
}

/// The question for all rows.
pub fn question(shown: &Shown) -> QueryDoc {
    QueryDoc {
        action: action(shown).written().to_owned(),
        format: "parquet".to_owned(),
        ..QueryDoc::default()
    }
}

/// What is said of the table to this caller.
pub fn told(
    node: &Node,
    operation: &Operation,
    caller: &Caller,
    shown: &Shown,
    present: &Present,
) -> Answer<Metadata> {
    let permit = permitted(node, operation, caller, shown)?;
    let record = &shown.dataset.record;
    let columns = direct::columns(node, operation, caller, &permit, &shown.dataset, &question(shown))?;
    let masked = |name: &str| permit.obligations().mask.keys().any(|column| column.as_str() == name);
    let comment = |name: &str| {
        let found = record.columns.iter().find(|column| column.name == name).filter(|_| !masked(name))?;
        two(&found.description.vi, &found.description.en)
    };
    let column = |column: exchange::manifest::Column| Column {
        kind: kind(column.kind),
        comment: comment(&column.name),
        // A mask may take any value away.
        nullable: true,
        name: column.name,
    };
    Ok(Metadata {
        id: format!("{}/{}", node.config.node.id, shown.name()),
        name: two(&record.title.vi, &record.title.en),
        description: two(&record.description.vi, &record.description.en),
        columns: columns.into_iter().map(column).collect(),
        version: None,
        bytes: None,
        files: None,
        changes: present.kept.is_some() && !caller.is_public() && super::changes::can(&permit).is_ok(),
    })
}

/// Both languages in one text; none where nobody wrote any.
fn two(vi: &str, en: &str) -> Option<String> {
    let texts: Vec<&str> = [vi, en].into_iter().filter(|text| !text.is_empty()).collect();
    (!texts.is_empty()).then(|| texts.join(" · "))
}

fn kind(kind: ColumnKind) -> Kind {
    match kind {
        ColumnKind::String => Kind::String,
        ColumnKind::Integer => Kind::Long,
        ColumnKind::Number => Kind::Double,
        ColumnKind::Boolean => Kind::Boolean,
        ColumnKind::Date => Kind::Date,
        ColumnKind::Timestamp => Kind::Timestamp,
    }
}

/// The form of answer that a client reads.
pub fn form(capabilities: Capabilities, told: &Metadata) -> Answer<Form> {
    let none = || {
        Error::usage(
            "this table has times without a zone, and the client says that it reads none in `responseformat=delta`; ask \
             for `responseformat=parquet`",
        )
    };
    Ok(capabilities.form(delta::schema::has_times(&told.columns)).ok_or_else(none)?)
}

/// Only the present rows are read as a table: an old version may hold what was taken back since.
fn newest(ask: Ask, present: &Present) -> Answer<()> {
    let old = |what: String| {
        Err(Error::usage(format!(
            "{what}; only the present version, {}, is given as a table",
            present.number
        ))
        .into())
    };
    match ask {
        Ask::Newest => Ok(()),
        Ask::Version(number) if number == present.number => Ok(()),
        Ask::Version(number) => old(format!("version {number} is not the present one")),
        Ask::At(at) if at >= present.at.saturating_mul(1000) => Ok(()),
        Ask::At(_) => old("another version stood at that time".to_owned()),
        Ask::Since(_) => Err(Error::usage("files since a version are not told here; ask …/changes").into()),
    }
}

/// Whether the dataset is still as it was when its version was looked up.
pub async fn same(node: &Node, shown: &Shown, before: &Present, now: i64) -> Answer<()> {
    let changed = || Error::Unavailable("the table changed while it was read; ask again".to_owned());
    let Some(dataset) = crate::datasets::find(node, shown.name())? else { return Err(changed().into()) };
    let after = versions::present(node, &dataset, now).await?;
    if after.number == before.number || before.kept.is_none() { Ok(()) } else { Err(changed().into()) }
}

async fn remember(
    node: &Node,
    operation: &Operation,
    caller: &Caller,
    (shown, doc): (&Shown, &QueryDoc),
    (release, present): (&Release, &Present),
) -> Result<()> {
    let Some(version) = &present.kept else { return Ok(()) };
    let obligations = serde_json::from_value(release.obligations.clone()).map_err(Error::internal)?;
    let shape = versions::shape(&obligations, caller, &shown.dataset, doc)?;
    versions::given(node, caller, release, (version, shape), operation.now).await
}

/// The files of a release with signed addresses, and the version that they are of, where that is said.
pub fn files(
    node: &Node,
    operation: &Operation,
    release: &Release,
    version: Option<(u64, i64)>,
) -> Result<Vec<File>> {
    let door = public::endpoint(node)?;
    let minutes = i64::from(node.config.files.link_minutes);
    let expires = operation.now.saturating_add(minutes.saturating_mul(60)).saturating_mul(1000);
    let file = |part: &dataplane::Part| {
        Ok(File {
            url: format!("{door}{}", releases::file(node, release, &part.name, operation.now)?),
            id: format!("{}-{}", release.id, part.name.trim_end_matches(".parquet")),
            bytes: part.bytes,
            facts: facts(part),
            version: version.map(|(number, _)| number),
            at: version.map(|(_, at)| at.saturating_mul(1000)),
            expires: Some(expires),
        })
    };
    release.files.parts.iter().map(file).collect()
}

fn facts(part: &dataplane::Part) -> Facts {
    let column = |column: &dataplane::ColumnStats| ColumnFacts {
        name: column.name.clone(),
        nulls: column.nulls,
        range: column.range.as_ref().map(|[least, most]| [literal(least), literal(most)]),
    };
    Facts { rows: part.rows, columns: part.columns.iter().map(column).collect() }
}

fn literal(value: &serde_json::Value) -> Literal {
    let whole = value.as_i64().map(Literal::Whole);
    let number = || value.as_f64().map(Literal::Number);
    let day = || value.as_str().and_then(Literal::day);
    whole.or_else(number).or_else(day).unwrap_or(Literal::Other)
}
