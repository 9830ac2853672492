//! The SQLite reader against files as programs write them.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

use std::path::{Path, PathBuf};

use intake::{IntakeError, Origin, Remark, Rows};
use rusqlite::Connection;

struct File {
    dir: tempfile::TempDir,
}

impl File {
    fn with(sql: &str) -> Self {
        let file = Self { dir: tempfile::tempdir().unwrap() };
        file.write(sql);
        file
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("sổ #1?.db")
    }

    fn write(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }

    fn origin(&self, more: &str) -> Result<Origin, IntakeError> {
        Origin::parse(&format!("type = \"sqlite\"\nfile = \"sổ #1?.db\"\n{more}"))
    }

    fn open(&self, more: &str) -> Result<Box<dyn Rows>, IntakeError> {
        self.origin(more)?.open(self.dir.path())
    }

    fn read(&self, more: &str) -> Result<(Vec<Vec<String>>, Vec<Remark>), IntakeError> {
        let mut rows = self.open(more)?;
        let (mut all, mut row) = (Vec::new(), Vec::new());
        while let Some(place) = rows.next(&mut row)? {
            all.push(row.iter().map(|cell| cell.clone().unwrap_or("NULL".into())).collect());
            assert_eq!(place.row, all.len() as u64);
        }
        Ok((all, rows.remarks()))
    }

    fn beside(&self) -> usize {
        std::fs::read_dir(self.dir.path()).unwrap().count()
    }
}

#[test]
fn a_table_is_read_as_text_and_mixed_columns_are_told() {
    let file = File::with(
        "CREATE TABLE \"s\"\"ổ\" (id INTEGER PRIMARY KEY, code, amount REAL, note TEXT);
         INSERT INTO \"s\"\"ổ\" VALUES (1, '007', 0.1, NULL), (2, 7, 1e21, 'Ha' || char(768)), (3, 'x', 2, '')",
    );
    let (rows, remarks) = file.read("table = 's\"ổ'").unwrap();
    assert_eq!(rows[0], ["1", "007", "0.1", "NULL"]);
    assert_eq!(rows[1], ["2", "7", "1000000000000000000000", "Hà"]);
    assert_eq!(rows[2], ["3", "x", "2", ""]);
    let codes: Vec<_> = remarks.iter().map(|remark| remark.code).collect();
    assert_eq!(codes, ["text-normalised", "mixed-types"]);
    assert!(remarks[1].said.en.contains("`code`") && !remarks[1].said.en.contains("amount"));
    let (rows, _) = file.read("table = 's\"ổ'\ncolumns = [\"note\", \"id\"]").unwrap();
    assert_eq!(rows[1], ["Hà", "2"]);
    let health = file.origin("table = 's\"ổ'").unwrap().check(file.dir.path()).unwrap();
    assert_eq!((health.rows_estimate, health.columns.len()), (Some(3), 4));
}

#[test]
fn many_rows_come_without_a_gap() {
    let file = File::with("CREATE TABLE t (a)");
    let n = 5_000;
    let query = format!(
        "query = \"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {n}) SELECT n FROM c\""
    );
    let (rows, _) = file.read(&query).unwrap();
    assert_eq!(rows.len(), n);
    assert!(rows.iter().enumerate().all(|(i, row)| row[0] == (i + 1).to_string()));
}

#[test]
fn statements_that_do_more_than_read_are_refused_and_change_nothing() {
    let file = File::with("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    let other = file.dir.path().join("other.db");
    for query in [
        "DELETE FROM t",
        "SELECT 1; DELETE FROM t",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
        "PRAGMA user_version = 5",
        "PRAGMA journal_mode = DELETE",
        "SELECT * FROM pragma_table_info('t')",
        "SELECT load_extension('x')",
        &format!("ATTACH '{}' AS o", other.display()),
        &format!("VACUUM INTO '{}'", other.display()),
        "SELECT ?",
        "CREATE TEMP TABLE x (a)",
        "BEGIN IMMEDIATE",
        "",
    ] {
        let e = file.read(&format!("query = \"\"\"{query}\"\"\"")).unwrap_err();
        assert!(matches!(e, IntakeError::Origin(_)), "{query}: {e}");
    }
    for more in [
        "table = 't\"; DELETE FROM t; --'",
        "table = \"t\"\ncolumns = [\"nothing\"]",
        "table = \"t\"\nquery = \"SELECT 1\"",
    ] {
        assert!(matches!(file.read(more), Err(IntakeError::Origin(_))), "{more}");
    }
    assert_eq!((file.read("table = \"t\"").unwrap().0.len(), file.beside()), (1, 1));
}

#[test]
fn a_view_in_a_strange_file_cannot_call_what_its_schema_should_not() {
    let file = File::with("CREATE VIEW v AS SELECT load_extension('evil')");
    assert!(file.read("table = \"v\"").is_err());
}

#[test]
fn binary_and_oversized_values_and_what_is_no_database_are_refused() {
    let file = File::with("CREATE TABLE t (id, scan); INSERT INTO t VALUES (1, x'00ff')");
    let e = file.read("table = \"t\"").unwrap_err().to_string();
    assert!(e.contains("`scan`") && e.contains("hex()"), "{e}");
    assert!(
        file.read("query = \"SELECT printf('%2000000s', 'x') AS wide\"")
            .unwrap_err()
            .to_string()
            .contains("`wide`")
    );
    assert!(file.read("query = \"SELECT zeroblob(900000000) AS z\"").is_err());
    for bytes in [&b""[..], b"PK\x03\x04", &[b"SQLite format 3\0", &[0xff; 5_000][..]].concat()] {
        std::fs::write(file.path(), bytes).unwrap();
        assert!(file.read("table = \"t\"").is_err());
    }
    std::fs::remove_file(file.path()).unwrap();
    assert!(matches!(file.read("table = \"t\""), Err(IntakeError::Unreachable(_))));
    assert!(!file.path().exists());
}

#[test]
fn a_statement_without_end_is_stopped() {
    let file = File::with("CREATE TABLE t (a)");
    let query = "query = \"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c\"\nseconds_max = 1";
    assert!(matches!(file.read(query), Err(IntakeError::Unreachable(_))));
}

#[test]
fn a_file_in_wal_mode_is_read_without_a_trace_and_a_change_meanwhile_is_told() {
    let file = File::with(
        "PRAGMA journal_mode = WAL; CREATE TABLE t (a);
         WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000) INSERT INTO t SELECT n FROM c",
    );
    let mut rows = file.open("table = \"t\"").unwrap();
    let mut row = Vec::new();
    rows.next(&mut row).unwrap().unwrap();
    assert_eq!(file.beside(), 1);
    drop(rows);
    assert_eq!(file.read("table = \"t\"").unwrap().0.len(), 20_000);

    let mut rows = file.open("table = \"t\"").unwrap();
    rows.next(&mut row).unwrap().unwrap();
    file.write("DELETE FROM t WHERE a > 10");
    let e = loop {
        match rows.next(&mut row) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("rows of two moments passed as one"),
            Err(e) => break e,
        }
    };
    assert!(matches!(e, IntakeError::Unreachable(_) | IntakeError::Origin(_)), "{e}");
}

#[test]
fn what_stands_only_in_the_log_beside_the_file_is_read_too() {
    let file = File::with("PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
    let writer = Connection::open(file.path()).unwrap();
    writer.execute_batch("INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(file.read("table = \"t\"").unwrap().0.len(), 1);
    assert!(Path::new(&format!("{}-wal", file.path().display())).exists());
}
