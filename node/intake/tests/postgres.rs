//! The PostgreSQL reader against a real server.

#![allow(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod servers;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use intake::{IntakeError, Origin, Rows};
use servers::{PASSWORD, Server, server};

type Table = (Vec<String>, Vec<Vec<Option<String>>>);

fn origin(server: &Server, more: &str) -> Origin {
    Origin::parse(&server.origin(more)).unwrap()
}

fn all(mut rows: Box<dyn Rows>) -> Result<Table, IntakeError> {
    let (mut table, mut row) = (Vec::new(), Vec::new());
    while let Some(place) = rows.next(&mut row)? {
        assert_eq!(place.row, table.len() as u64 + 1);
        table.push(row.clone());
    }
    assert!(rows.next(&mut row).unwrap().is_none());
    Ok((rows.columns().to_vec(), table))
}

fn read(server: &Server, more: &str) -> Result<Table, IntakeError> {
    origin(server, more).open(Path::new("/")).and_then(all)
}

#[test]
fn every_ward_of_the_country_is_read_from_its_table_over_checked_tls() {
    let Some(server) = server() else { return };
    let more = format!("host = \"localhost\"\nca = {:?}\ntable = \"public.wards\"", server.path("ca.pem"));
    let (columns, rows) = read(&server, &more).unwrap();
    assert_eq!(columns[..3], ["code", "name", "name_en"]);
    assert_eq!(rows.len().to_string(), server.admin("SELECT count(*) FROM wards"));
    assert_eq!(rows.len(), 3_321);
    assert!(rows.iter().any(|row| row[1].as_deref() == Some("Ba Đình")));
}

#[test]
fn a_server_that_the_authority_does_not_vouch_for_is_not_told_the_password() {
    let Some(server) = server() else { return };
    for (host, ca) in [("localhost", "other.pem"), ("127.0.0.1", "ca.pem")] {
        let more = format!("host = {host:?}\nca = {:?}\ntable = \"public.wards\"", server.path(ca));
        let e = read(&server, &more).unwrap_err();
        assert!(matches!(e, IntakeError::Unreachable(_)), "{e}");
        assert!(e.to_string().contains("certificate"), "{e}");
    }
}

#[test]
fn chosen_columns_and_a_query_are_read_in_batches_without_a_gap() {
    let Some(server) = server() else { return };
    let (columns, rows) =
        read(&server, "table = \"public.provinces\"\ncolumns = [\"name\", \"code\"]").unwrap();
    assert_eq!((columns, rows.len()), (vec!["name".to_owned(), "code".to_owned()], 34));
    // 10,000 rows are one batch.
    for n in [0, 9_999, 10_000, 10_001, 20_000] {
        let (_, rows) =
            read(&server, &format!("query = \"SELECT g FROM generate_series(1, {n}) g;\"")).unwrap();
        assert_eq!(rows.len(), n);
        assert!(
            rows.iter().enumerate().all(|(i, row)| row[0].as_deref() == Some((i + 1).to_string().as_str()))
        );
    }
}

#[test]
fn values_of_every_common_type_take_the_form_of_the_house() {
    let Some(server) = server() else { return };
    server.admin(
        "CREATE TYPE colour AS ENUM ('đỏ'); CREATE DOMAIN cents AS numeric(20,4);
         CREATE TABLE kinds AS SELECT 1::int2 a, 9223372036854775807 b, 0.10::numeric c,
           12345678901234567890.123456789::numeric d, 0.1::float4 e, 1e21::float8 f, true g, DATE '2026-11-23' h,
           TIMESTAMP '2026-11-23 08:00' i, TIMESTAMPTZ '2026-11-23 08:00:00.25+07' j, TIME '08:30' k,
           '5b5eb1e0-0f2c-4a1c-9b0c-3f5a3f5b1a11'::uuid l, '{\"a\": [1]}'::jsonb m, NULL::text n, ''::text o,
           'Ha' || U&'\\0300' p, 'đỏ'::colour q, 2.5::cents r, 'HN'::char(5) s, INTERVAL '1 day 2 hours' t;
         GRANT SELECT ON kinds TO reader; ALTER ROLE reader SET DateStyle = 'German';
         ALTER ROLE reader SET TimeZone = 'Asia/Ho_Chi_Minh'",
    );
    let (_, rows) = read(&server, "table = \"public.kinds\"").unwrap();
    let row: Vec<_> = rows[0].iter().map(|cell| cell.as_deref().unwrap_or("NULL")).collect();
    let want = [
        "1",
        "9223372036854775807",
        "0.10",
        "12345678901234567890.123456789",
        "0.1",
        "1000000000000000000000",
        "true",
        "2026-11-23",
        "2026-11-23T08:00:00",
        "2026-11-23T01:00:00.25Z",
        "08:30:00",
        "5b5eb1e0-0f2c-4a1c-9b0c-3f5a3f5b1a11",
        "{\"a\": [1]}",
        "NULL",
        "",
        "Hà",
        "đỏ",
        "2.5000",
        "HN",
        "P1DT2H",
    ];
    assert_eq!(row, want);
}

#[test]
fn types_and_values_without_a_form_are_refused_by_the_name_of_their_column() {
    let Some(server) = server() else { return };
    for (query, name) in [
        ("SELECT 1 AS a, ARRAY[1] AS tags", "`tags`"),
        ("SELECT '\\\\x00'::bytea AS scan", "`scan`"),
        ("SELECT point(1,2) AS place", "`place`"),
        ("SELECT 1::money AS fee", "`fee`"),
        ("SELECT 'NaN'::numeric AS pm25", "`pm25`"),
        ("SELECT DATE 'infinity' AS until", "`until`"),
    ] {
        let e = read(&server, &format!("query = \"{query}\"")).unwrap_err();
        assert!(e.to_string().contains(name), "{e}");
    }
    assert!(read(&server, "query = \"SELECT ARRAY[1]::text AS tags\"").is_ok());
}

#[test]
fn nothing_is_ever_written_whatever_the_description_says() {
    let Some(server) = server() else { return };
    server.admin(
        "CREATE TABLE counter (n int); GRANT ALL ON counter TO reader;
         CREATE FUNCTION bump() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO counter VALUES (1) RETURNING n';",
    );
    for query in [
        "SELECT 1; INSERT INTO counter VALUES (1)",
        "SELECT 1; COMMIT; INSERT INTO counter VALUES (1)",
        "WITH w AS (INSERT INTO counter VALUES (1) RETURNING n) SELECT * FROM w",
        "SELECT n INTO counter2 FROM counter",
        "SELECT bump()",
        "SELECT set_config('transaction_read_only', 'off', true), bump()",
        "SELECT * FROM counter FOR UPDATE",
    ] {
        let text = server.origin(&format!("query = \"{query}\""));
        let done = Origin::parse(&text).unwrap().open(Path::new("/")).and_then(all);
        assert!(done.is_err(), "{query}");
        assert!(
            Origin::parse(&text).unwrap().check(Path::new("/")).is_err() || query.contains("bump"),
            "{query}"
        );
    }
    let e = read(&server, "table = 'public.\"x\"\"; DROP TABLE counter; --\"'").unwrap_err();
    assert!(matches!(e, IntakeError::Origin(_)), "{e}");
    assert_eq!(server.admin("SELECT count(*) FROM counter"), "0");
}

#[test]
fn a_check_tells_version_columns_and_rows_and_warns_of_rights_to_write() {
    let Some(server) = server() else { return };
    server.admin("ANALYZE wards");
    let health = origin(&server, "table = \"public.wards\"").check(Path::new("/")).unwrap();
    assert!(health.said.en.starts_with("PostgreSQL ") && health.said.en.contains("public.wards"));
    assert_eq!((health.rows_estimate, health.columns.len()), (Some(3_321), 8));
    assert!(health.remarks.is_empty(), "{:?}", health.remarks);
    for (user, code) in [("clerk", "role-may-write"), ("admin", "role-above-rights")] {
        std::fs::write(server.path(user), user).unwrap();
        std::fs::set_permissions(server.path(user), std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .unwrap();
        let who = format!("user = {user:?}\npassword = {{ file = {:?} }}\n", server.path(user));
        for what in ["table = \"public.wards\"", "query = \"SELECT name FROM wards\""] {
            let health = origin(&server, &format!("{who}{what}")).check(Path::new("/")).unwrap();
            for code in [code, "secret-readable"] {
                assert!(health.remarks.iter().any(|remark| remark.code == code), "{:?}", health.remarks);
            }
        }
    }
}

#[test]
fn refusals_say_what_to_do_and_never_the_password() {
    let Some(server) = server() else { return };
    for (more, word) in [
        ("table = \"public.nothing\"", "42P01"),
        ("table = \"public.wards\"\ncolumns = [\"nothing\"]", "42703"),
        ("table = \"public.administrative_units\"", "GRANT|Grant SELECT"),
        ("query = \"SELECT $1::int AS a\"", "no parameters"),
        ("query = \"SELECT 1 AS a, 2 AS a\"", "own name"),
    ] {
        for done in [read(&server, more).map(|_| ()), origin(&server, more).check(Path::new("/")).map(|_| ())]
        {
            let e = done.unwrap_err().to_string();
            assert!(word.split('|').any(|word| e.contains(word)), "{e}");
        }
    }
    std::fs::write(server.path("wrong"), "mật-khẩu-sai").unwrap();
    let more = format!(
        "user = \"reader\"\npassword = {{ file = {:?} }}\ntable = \"public.wards\"",
        server.path("wrong")
    );
    let e = read(&server, &more).unwrap_err();
    assert!(matches!(e, IntakeError::Unreachable(_)), "{e}");
    assert!(!format!("{e} {e:?}").contains("mật-khẩu-sai") && !format!("{e:?}").contains(PASSWORD));
    for bad in
        ["", "table = \"a.b\"\nquery = \"SELECT 1\"", "query = \"DROP TABLE wards\"", "table = \"wards\""]
    {
        assert!(Origin::parse(&server.origin(bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_row_larger_than_rows_may_be_ends_the_reading_before_it_is_held() {
    let Some(server) = server() else { return };
    let e = read(&server, "query = \"SELECT repeat('x', 2000000) AS scan\"").unwrap_err();
    assert!(e.to_string().contains("`scan`"), "{e}");
    let e = read(&server, "query = \"SELECT repeat('x', 200000000) AS scan\"").unwrap_err();
    assert!(e.to_string().contains("too large"), "{e}");
    // Many rows below the limit pass, far more bytes than a row may have.
    let (_, rows) =
        read(&server, "query = \"SELECT repeat('x', 500000) AS a FROM generate_series(1, 100)\"").unwrap();
    assert_eq!(rows.len(), 100);
}

#[test]
fn rows_are_of_one_moment_and_a_lost_server_is_told_once() {
    let Some(server) = server() else { return };
    server.admin(
        "CREATE TABLE moving AS SELECT g FROM generate_series(1, 30000) g; GRANT SELECT ON moving TO reader",
    );
    let mut row = Vec::new();
    let mut rows = origin(&server, "table = \"public.moving\"").open(Path::new("/")).unwrap();
    rows.next(&mut row).unwrap().unwrap();
    server.admin("DELETE FROM moving");
    let (_, rest) = {
        let mut table = Vec::new();
        while rows.next(&mut row).unwrap().is_some() {
            table.push(row.clone());
        }
        ((), table)
    };
    assert_eq!(rest.len(), 29_999);

    server.admin("INSERT INTO moving SELECT g FROM generate_series(1, 30000) g");
    let mut rows = origin(&server, "table = \"public.moving\"").open(Path::new("/")).unwrap();
    rows.next(&mut row).unwrap().unwrap();
    server.admin(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'
           AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'moving'::regclass);
         DROP TABLE moving",
    );
    let e = loop {
        match rows.next(&mut row) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a table cut short passed as whole"),
            Err(e) => break e,
        }
    };
    assert!(matches!(e, IntakeError::Unreachable(_)), "{e}");
    assert!(rows.next(&mut row).unwrap().is_none());
}

#[test]
fn a_query_that_takes_longer_than_it_may_is_stopped() {
    let Some(server) = server() else { return };
    let e = read(&server, "query = \"SELECT pg_sleep(600)::text AS a\"\nseconds_max = 1").unwrap_err();
    assert!(matches!(e, IntakeError::Unreachable(_)), "{e}");
}

#[test]
fn a_server_that_offers_no_tls_or_speaks_nonsense_is_not_told_who_asks() {
    for answer in [&b"N"[..], b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"S\x15\x03\x01\x00\x02\x02\x28"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 8];
            socket.read_exact(&mut request).unwrap();
            socket.write_all(answer).unwrap();
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            // A reset ends it as well.
            let _ = socket.read_to_end(&mut rest);
            rest
        });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("password"), "bi-mat-4711").unwrap();
        let text = format!(
            "type = \"postgresql\"\nhost = \"127.0.0.1\"\nport = {port}\ndatabase = \"d\"\nuser = \"nguoi-doc\"\n\
             password = {{ file = {:?} }}\ntable = \"a.b\"",
            dir.path().join("password")
        );
        let e = Origin::parse(&text).unwrap().check(dir.path()).unwrap_err();
        assert!(matches!(e, IntakeError::Unreachable(_)), "{e}");
        let refused = matches!(answer.first(), Some(b'N' | b'H'));
        assert_eq!(e.to_string().contains("tls = \"off\""), refused, "{e}");
        let heard = String::from_utf8_lossy(&heard.join().unwrap()).into_owned();
        assert!(!heard.contains("nguoi-doc") && !heard.contains("4711"), "{heard:?}");
    }
}
