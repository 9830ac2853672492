//! The attacks that a structured query cannot even express, put to the governed table itself: SQL in a session of the
//! attacker's, with every function that the engine has. And the plans: nothing of the consumer's is below the barrier
//! but what the allow-list lets in.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};

use super::file::FileTable;
use super::governed::PolicyBarrierExec;
use super::view::View;
use super::{plan, session};
use crate::{
    Column, ColumnKind, Format, HashKey, Job, Limits, Mask, Op, OutputFormat, Predicate, Query, Restriction,
    Schema, Source, TimeUnit, Value, run,
};

const VISIBLE: &str = "1,11111111111,7,Ankara,100,1980-01-01\n3,33333333333,8,Ankara,300,1990-01-01\n";
const HIDDEN: &str = "2,22222222222,SECRET-HIDDEN,Istanbul,0,1985-01-01\n";
const HEADER: &str = "id,citizen_id,full_name,province,salary,born\n";

pub(crate) fn people() -> Schema {
    use ColumnKind::{Date, Integer, String};
    Schema::new(vec![
        Column::new("id", Integer, false),
        Column::new("citizen_id", String, false),
        Column::new("full_name", String, false),
        Column::new("province", String, false),
        Column::new("salary", Integer, false),
        Column::new("born", Date, false),
    ])
    .unwrap()
}

pub(crate) fn restriction() -> Restriction {
    Restriction {
        columns: Some(["id", "citizen_id", "full_name", "salary", "born"].map(str::to_owned).to_vec()),
        masks: [
            ("citizen_id".to_owned(), Mask::Hash(HashKey::new([7; 32]))),
            ("born".to_owned(), Mask::Truncate(TimeUnit::Year)),
        ]
        .into(),
        row_filter: vec![Predicate::new("province", Op::Eq, vec![Value::Text("Ankara".into())])],
        ..Restriction::default()
    }
}

/// The same rows as CSV, NDJSON, JSON and Parquet.
async fn sources(dir: &Path, rows: &str) -> Vec<Source> {
    let csv = Source { path: dir.join("t.csv"), format: Format::Csv { delimiter: ',', null_text: None } };
    std::fs::write(&csv.path, format!("{HEADER}{rows}")).unwrap();
    let ndjson = Source { path: dir.join("t.ndjson"), format: Format::Ndjson };
    std::fs::write(&ndjson.path, convert(&csv, OutputFormat::Ndjson).await).unwrap();
    let json = Source { path: dir.join("t.json"), format: Format::Json };
    let lines = std::fs::read_to_string(&ndjson.path).unwrap();
    let objects: Vec<&str> = lines.lines().collect();
    std::fs::write(&json.path, format!("[{}]", objects.join(",\n"))).unwrap();
    let parquet = Source { path: dir.join("t.parquet"), format: Format::Parquet };
    std::fs::write(&parquet.path, convert(&csv, OutputFormat::Parquet).await).unwrap();
    vec![csv, ndjson, json, parquet]
}

async fn convert(source: &Source, format: OutputFormat) -> Vec<u8> {
    let job = Job {
        source: source.clone(),
        schema: people(),
        restriction: Restriction::default(),
        query: Query::default(),
        format,
        limits: Limits::default(),
        correlation: "test".into(),
    };
    let mut answer = run(job).await.unwrap();
    let mut out = Vec::new();
    while let Some(bytes) = answer.next_bytes().await {
        out.extend_from_slice(&bytes.unwrap());
    }
    out
}

fn governed(source: &Source) -> Arc<dyn TableProvider> {
    let view = View::new(&people(), &restriction()).unwrap();
    let state = session::sandbox(&Limits::default()).unwrap();
    Arc::new(plan::rows(Arc::new(FileTable::new(source.clone(), people())), &view, &state).unwrap())
}

fn attacker(table: Arc<dyn TableProvider>) -> SessionContext {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    context.register_table("t", table).unwrap();
    context
}

async fn sql(context: &SessionContext, text: &str) -> Result<DataFrame> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    context.sql_with_options(text, options).await
}

/// What the attacker sees: rows or the error, as text.
async fn seen(context: &SessionContext, text: &str) -> String {
    let answer: Result<Vec<RecordBatch>> = async { sql(context, text).await?.collect().await }.await;
    match answer {
        Ok(batches) => datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string(),
        Err(e) => format!("ERROR {e}"),
    }
}

const ATTACKS: [&str; 12] = [
    "select * from t order by id",
    "select count(*) from t",
    "select id from t where cast(full_name as int) is null or id > 0",
    "select id from t where cast(full_name as int) > 0",
    "select id from t where 1000 / salary > 0",
    "select id from t where id > 0 and 1000 / salary > 0 and arrow_cast(full_name, 'Int64') > 5",
    "select sum(1000 / salary) from t",
    "select max(cast(full_name as int)) from t group by salary having sum(1 / salary) >= 0",
    "select id from t where regexp_like(full_name, 'SECRET') or 1 / salary = 7",
    "select id from t where case when full_name like 'SECRET%' then 1 / (salary * 0) > 0 else true end",
    "select a.id from t a join t b on a.salary = b.salary where 1000 / b.salary > 0",
    "select id from t order by cast(full_name as int) limit 1",
];

#[tokio::test]
async fn no_attack_tells_anything_of_hidden_rows() {
    let with = tempfile::tempdir().unwrap();
    let without = tempfile::tempdir().unwrap();
    let all = sources(with.path(), &format!("{HIDDEN}{VISIBLE}{HIDDEN}")).await;
    let shown_only = sources(without.path(), VISIBLE).await;
    for (a, b) in all.iter().zip(&shown_only) {
        let (a_context, b_context) = (attacker(governed(a)), attacker(governed(b)));
        for attack in ATTACKS {
            let (a_seen, b_seen) = (seen(&a_context, attack).await, seen(&b_context, attack).await);
            assert_eq!(a_seen, b_seen, "{attack} on {:?}", a.format);
            assert!(!a_seen.contains("SECRET") && !a_seen.contains("2222"), "{attack}: {a_seen}");
            assert!(!a_seen.starts_with("ERROR"), "{attack}: {a_seen}");
        }
    }
}

/// If this fails, the engine no longer leaks and the attacks above prove less than they say.
#[tokio::test]
async fn the_attack_is_real_where_there_is_no_barrier() {
    let dir = tempfile::tempdir().unwrap();
    let source = sources(dir.path(), &format!("{HIDDEN}{VISIBLE}")).await.remove(0);
    let view = View::new(&people(), &restriction()).unwrap();
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let table = Arc::new(FileTable::new(source, people()));
    let mut open =
        LogicalPlanBuilder::scan("s", datafusion::datasource::provider_as_source(table), None).unwrap();
    open = open.filter(view.row_filter[0].clone()).unwrap();
    open = open.project(view.columns.iter().map(|c| c.expr.clone().alias(&c.name))).unwrap();
    let unguarded = DataFrame::new(context.state(), open.build().unwrap()).into_view();
    context.register_table("t", unguarded).unwrap();
    let leak = seen(&context, "select id from t where cast(full_name as int) > 0").await;
    assert!(leak.contains("SECRET-HIDDEN"), "{leak}");
}

#[tokio::test]
async fn a_masked_value_answers_to_its_mask_only() {
    let dir = tempfile::tempdir().unwrap();
    for source in sources(dir.path(), VISIBLE).await {
        let context = attacker(governed(&source));
        let raw =
            seen(&context, "select id from t where citizen_id = '11111111111' or born = '1980-01-01'").await;
        assert!(!raw.contains("| 1 "), "{raw}");
        let masked = seen(&context, "select id from t where born = '1980'").await;
        assert!(masked.contains("| 1 "), "{masked}");
        let hidden = seen(&context, "select province from t").await;
        assert!(hidden.starts_with("ERROR"), "{hidden}");
    }
}

/// The texts of the filters above and below the barrier.
async fn filters(context: &SessionContext, text: &str) -> (Vec<String>, Vec<String>) {
    let physical = sql(context, text).await.unwrap().create_physical_plan().await.unwrap();
    let (mut above, mut below) = (Vec::new(), Vec::new());
    walk(&physical, false, &mut above, &mut below);
    (above, below)
}

fn walk(node: &Arc<dyn ExecutionPlan>, inside: bool, above: &mut Vec<String>, below: &mut Vec<String>) {
    let line = displayable(node.as_ref()).one_line().to_string();
    // Columns that a filter passes on are no part of what it asks.
    let line = line.split(", projection=").next().unwrap_or_default().to_owned();
    let conditional = line.contains("FilterExec") || line.contains("predicate") || line.contains("filters");
    if conditional {
        if inside { below.push(line) } else { above.push(line) }
    }
    let barrier = node.is::<PolicyBarrierExec>();
    for child in node.children() {
        walk(child, inside || barrier, above, below);
    }
}

#[tokio::test]
async fn only_the_policy_and_the_allow_list_are_below_the_barrier() {
    let dir = tempfile::tempdir().unwrap();
    for source in sources(dir.path(), VISIBLE).await {
        let context = attacker(governed(&source));
        // Each conjunct, and whether it may go inside.
        let cases = [
            ("id > 0", "id", true),
            ("id in (1, 2, 3, 4, 5)", "id", true),
            ("full_name like '7%'", "full_name", true),
            ("salary is not null", "salary", true),
            ("full_name like '%7'", "full_name", false),
            ("full_name not like '7%'", "full_name", false),
            ("1000 / salary > 0", "salary", false),
            ("cast(full_name as int) > 0", "full_name", false),
            ("id > salary", "salary", false),
            ("citizen_id = 'x'", "citizen_id", false),
            ("citizen_id is null", "citizen_id", false),
            ("born = '1980'", "born", false),
            ("born > '19'", "born", false),
            ("(id = 1 or citizen_id = 'x')", "citizen_id", false),
        ];
        for (conjunct, name, goes_in) in cases {
            let (above, below) =
                filters(&context, &format!("select full_name from t where {conjunct}")).await;
            assert!(below.iter().any(|l| l.contains("province@")), "the policy is gone: {below:?}");
            assert_eq!(
                below.iter().any(|l| l.contains(&format!("{name}@"))),
                goes_in,
                "{conjunct}: {below:?}"
            );
            assert_eq!(above.is_empty(), goes_in, "{conjunct}: {above:?}");
        }
    }
}

#[tokio::test]
async fn counts_and_limits_work_through_the_barrier() {
    let dir = tempfile::tempdir().unwrap();
    for source in sources(dir.path(), &format!("{HIDDEN}{VISIBLE}")).await {
        let context = attacker(governed(&source));
        assert!(seen(&context, "select count(*) from t").await.contains("| 2 "));
        let limited = seen(&context, "select id from t limit 1").await;
        assert!(limited.contains("| 1 ") && !limited.contains("| 3 "), "{limited}");
    }
}

#[test]
fn statistics_of_a_governed_table_are_unknown() {
    use datafusion::common::stats::Precision;
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let source = sources(dir.path(), VISIBLE).await.remove(3);
        let context = attacker(governed(&source));
        let plan = sql(&context, "select id from t").await.unwrap().create_physical_plan().await.unwrap();
        #[expect(deprecated, reason = "it is what the optimiser still asks")]
        let statistics = plan.partition_statistics(None).unwrap();
        assert_eq!(statistics.num_rows, Precision::Absent);
        assert_eq!(governed(&source).statistics(), None);
    });
}

#[test]
fn keys_never_print() {
    let key = HashKey::new([0xAB; 32]);
    let view = View::new(
        &people(),
        &Restriction {
            masks: [("citizen_id".to_owned(), Mask::Hash(key.clone()))].into(),
            ..Restriction::default()
        },
    )
    .unwrap();
    for text in [format!("{key:?}"), format!("{view:?}"), format!("{:?}", restriction())] {
        assert!(!text.contains("171") && !text.to_lowercase().contains("abab"), "{text}");
    }
}
