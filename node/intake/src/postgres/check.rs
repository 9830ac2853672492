//! What a login finds without reading rows.

use std::path::Path;

use super::Postgresql;
use super::rows::shape;
use super::session::Session;
use super::sql::Reading;
use crate::limits::CHECK_SECONDS;
use crate::remote::quoted;
use crate::{Health, IntakeError, Remark, Said};

/// Rights of the role on a table beyond reading, and whether it stands above all rights.
const RIGHTS: &str = "SELECT has_table_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'INSERT') \
     OR has_table_privilege(c.oid, 'UPDATE') OR has_any_column_privilege(c.oid, 'UPDATE') \
     OR has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE') \
     OR has_table_privilege(c.oid, 'TRIGGER') OR pg_has_role(c.relowner, 'MEMBER') \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname::text = $1 AND c.relname::text = $2";
const ABOVE: &str = "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication \
     OR pg_has_role(oid, 'pg_write_all_data', 'MEMBER') OR pg_has_role(oid, 'pg_execute_server_program', 'MEMBER') \
     OR pg_has_role(oid, 'pg_write_server_files', 'MEMBER') OR pg_has_role(oid, 'pg_read_server_files', 'MEMBER') \
     FROM pg_catalog.pg_roles WHERE rolname = current_user";

pub(super) fn check(origin: &Postgresql, base: &Path) -> Result<Health, IntakeError> {
    let reading = Reading::of(origin)?;
    let statement = reading.statement();
    let session = Session::begin(origin, base, CHECK_SECONDS.min(origin.seconds_max))?;
    let version: String = session.wait(session.client.query_one_scalar("SHOW server_version", &[]))?;
    let prepared = session.prepare(&statement)?;
    let (columns, _) = shape(&prepared)?;
    session.declare(&statement, &[])?;
    let plan = Plan::of(&session, &statement)?;
    let mut remarks = Vec::new();
    if above(&session)? {
        remarks.push(Remark::new(
            "role-above-rights",
            "vai trò này là quản trị, đứng trên RLS, được ghi mọi bảng hoặc đụng tới tệp của máy chủ; hãy dùng một vai trò chỉ có quyền SELECT",
            "this role is a superuser, stands above row security, may write every table or reach the server's files; use one that has SELECT only",
        ));
    }
    for (schema, table) in tables(&reading, &plan) {
        if writable(&session, &schema, &table)? {
            let name = quoted(&format!("{schema}.{table}"));
            remarks.push(Remark::new(
                "role-may-write",
                format!("vai trò này được ghi vào `{name}`, hoặc là chủ của nó; hãy thu hồi, chỉ để lại quyền SELECT"),
                format!("this role may write to `{name}`, or owns it; revoke that and leave SELECT"),
            ));
        }
    }
    let (version, n, rows) = (quoted(&version), columns.len(), plan.rows);
    let what = match &reading {
        Reading::Table { schema, table, .. } => Said::new(
            format!("bảng `{}`", quoted(&format!("{schema}.{table}"))),
            format!("table `{}`", quoted(&format!("{schema}.{table}"))),
        ),
        Reading::Query(_) => Said::new("câu hỏi", "the query"),
    };
    let found = Said::new(
        format!("PostgreSQL {version}: {} đọc được, {n} cột, ước chừng {rows} dòng", what.vi),
        format!("PostgreSQL {version}: {} can be read, {n} columns, about {rows} rows", what.en),
    );
    Ok(Health { said: found, columns, rows_estimate: Some(rows), remarks, ..Health::default() })
}

/// What the server says that it would do. Asking does check the right to read.
struct Plan {
    rows: u64,
    tables: Vec<(String, String)>,
}

impl Plan {
    fn of(session: &Session, statement: &str) -> Result<Self, IntakeError> {
        let explain = format!("EXPLAIN (FORMAT JSON, VERBOSE) {statement}");
        // The plan is of type `json`, which the client shows as text only by the simple protocol; it is one statement,
        // as `prepare` has seen.
        let said = session.wait(session.client.simple_query(&explain))?;
        let json: String = said
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten(),
                _ => None,
            })
            .collect();
        let plan: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
        let root = plan.pointer("/0/Plan").cloned().unwrap_or_default();
        let mut tables = Vec::new();
        relations(&root, &mut tables);
        tables.sort();
        tables.dedup();
        Ok(Self { rows: root.get("Plan Rows").and_then(serde_json::Value::as_u64).unwrap_or(0), tables })
    }
}

/// Every table of a plan. Its depth is bounded by the JSON reader.
fn relations(node: &serde_json::Value, into: &mut Vec<(String, String)>) {
    let name = |key: &str| node.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    if let (Some(schema), Some(table)) = (name("Schema"), name("Relation Name")) {
        into.push((schema, table));
    }
    for inner in node.get("Plans").and_then(serde_json::Value::as_array).into_iter().flatten() {
        relations(inner, into);
    }
}

/// The named table (perhaps a view) and the tables below it.
fn tables(reading: &Reading, plan: &Plan) -> Vec<(String, String)> {
    let mut tables = plan.tables.clone();
    if let Reading::Table { schema, table, .. } = reading {
        tables.push((schema.clone(), table.clone()));
    }
    tables.sort();
    tables.dedup();
    tables
}

fn writable(session: &Session, schema: &str, table: &str) -> Result<bool, IntakeError> {
    let row = session.wait(session.client.query_opt(RIGHTS, &[&schema, &table]))?;
    Ok(row.and_then(|row| row.try_get::<_, bool>(0).ok()).unwrap_or(false))
}

fn above(session: &Session) -> Result<bool, IntakeError> {
    let row = session.wait(session.client.query_opt(ABOVE, &[]))?;
    Ok(row.and_then(|row| row.try_get::<_, bool>(0).ok()).unwrap_or(false))
}
