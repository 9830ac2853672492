//! Noninterference over every kind of source: the attacker's corpus is put to two tables that differ only in what the
//! decision hides, each of them kept as every kind of source in turn, and every answer must be the same: bytes, counts,
//! errors. A live source is asked itself, and what reached the server is looked at afterwards.

#[path = "../../../dataplane/tests/it/corpus.rs"]
mod corpus;
#[allow(dead_code, reason = "shared with the tests of the reader")]
#[path = "../../../intake/tests/servers/mod.rs"]
pub(super) mod servers;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corpus::Case;
use dataplane::{
    ColumnKind, DataError, Format, Job, Limits, OutputFormat, Query, Restriction, Schema, Source, narrowing,
};
use servers::Server;

use super::{Description, live, snapshot};

pub(super) fn job(source: Source, schema: Schema) -> Job {
    Job {
        source,
        schema,
        restriction: Restriction::default(),
        query: Query::default(),
        format: OutputFormat::Csv,
        limits: Limits::default(),
        correlation: "ref-1".into(),
    }
}

pub(super) fn csv(path: PathBuf) -> Source {
    Source { path, format: Format::Csv { delimiter: ',', null_text: None } }
}

pub(super) async fn answer(job: Job) -> Result<(Vec<u8>, dataplane::Outcome), DataError> {
    let mut answer = dataplane::run(job).await?;
    let mut out = Vec::new();
    while let Some(bytes) = answer.next_bytes().await {
        out.extend_from_slice(&bytes?);
    }
    Ok((out, answer.outcome()))
}

pub(super) async fn seen(job: Job) -> String {
    match answer(job).await {
        Ok((bytes, outcome)) => format!("{outcome:?} {}", String::from_utf8_lossy(&bytes)),
        Err(error) => format!("ERROR {error}"),
    }
}

pub(super) fn record(schema: &Schema) -> catalog::DatasetRecord {
    let kind = |kind| match kind {
        ColumnKind::String => catalog::ColumnKind::String,
        ColumnKind::Integer => catalog::ColumnKind::Integer,
        ColumnKind::Number => catalog::ColumnKind::Number,
        ColumnKind::Boolean => catalog::ColumnKind::Boolean,
        ColumnKind::Date => catalog::ColumnKind::Date,
        ColumnKind::Timestamp => catalog::ColumnKind::Timestamp,
    };
    let columns = schema.columns().iter().map(|c| catalog::Column::new(&c.name, kind(c.kind), c.nullable));
    let source = catalog::Source { path: "rows.csv".into(), format: catalog::Format::Csv, delimiter: None };
    let id = "x".to_owned().try_into().unwrap();
    catalog::DatasetRecord::draft(id, "urn:agency:vn:a", source, columns.collect(), 0)
}

/// A live source as one question sees it: read for it alone.
pub(super) async fn seen_live(
    described: &Description,
    job: &Job,
    folder: &Path,
) -> (String, Option<live::Written>) {
    let narrowed = match narrowing(job).await {
        Ok(narrowed) => narrowed,
        Err(error) => return (format!("ERROR {error}"), None),
    };
    match live::fetch(described, &record(&job.schema), job, &narrowed, folder).await {
        Ok(written) => (seen(Job { source: live::read_in(folder), ..job.clone() }).await, Some(written)),
        Err(error) => (format!("NOT READ {error}"), None),
    }
}

/// What is on offer in this test.
struct World {
    pg: Option<Arc<Server>>,
    store: Option<Store>,
    http: Http,
}

/// The same table as sources of every kind, in a folder.
struct Kinds {
    _dir: tempfile::TempDir,
    /// By name; a snapshot where the kind is not read by the engine itself.
    kept: Vec<(&'static str, Source)>,
    live: Vec<(&'static str, Description)>,
}

async fn kinds(world: &World, name: &str, table: &str, schema: &Schema) -> Kinds {
    let dir = tempfile::tempdir().unwrap();
    let at = |file: &str| dir.path().join(file);
    let plain = csv(at("t.csv"));
    std::fs::write(&plain.path, table).unwrap();
    let mut described: Vec<(&'static str, String)> =
        vec![("text", "type = \"text\"\npath = \"t.csv\"\n".into())];
    let mut kept = vec![("file", plain.clone())];
    for (format, file) in [
        (OutputFormat::Ndjson, "t.ndjson"),
        (OutputFormat::Parquet, "t.parquet"),
        (OutputFormat::Xlsx, "t.xlsx"),
    ] {
        let whole = Job { format, ..job(plain.clone(), schema.clone()) };
        let (bytes, _) = answer(whole).await.unwrap();
        std::fs::write(at(file), &bytes).unwrap();
        if format == OutputFormat::Ndjson {
            let lines = String::from_utf8(bytes).unwrap();
            let array = format!("[{}]", lines.lines().collect::<Vec<_>>().join(","));
            std::fs::write(at("t.json"), &array).unwrap();
            let path = format!("/{name}.json");
            described.push(("http", world.http.origin(&path)));
            world.http.pages.lock().unwrap().insert(path, array);
        }
    }
    kept.push(("parquet", Source { path: at("t.parquet"), format: Format::Parquet }));
    kept.push(("ndjson file", Source { path: at("t.ndjson"), format: Format::Ndjson }));
    kept.push(("json file", Source { path: at("t.json"), format: Format::Json }));
    described.push(("ndjson", "type = \"json\"\npath = \"t.ndjson\"\n".into()));
    described.push(("json", "type = \"json\"\npath = \"t.json\"\n".into()));
    described.push(("excel", "type = \"excel\"\npath = \"t.xlsx\"\n".into()));
    std::fs::create_dir(at("drop")).unwrap();
    std::fs::write(at("drop/t.csv"), table).unwrap();
    described.push((
        "folder",
        "type = \"folder\"\npath = \"drop\"\nfiles = \"*.csv\"\ntake = \"newest\"\n".into(),
    ));
    sqlite(&at("t.db"), table, schema);
    let file = "type = \"sqlite\"\nfile = \"t.db\"\ntable = \"t\"\n".to_owned();
    let mut live = vec![("sqlite live", file.clone())];
    described.push(("sqlite", file));
    if let Some(pg) = &world.pg {
        pg.admin(&postgres(name, table, schema));
        let origin = pg.origin(&format!("table = \"public.{name}\""));
        live.push(("postgresql live", origin.clone()));
        described.push(("postgresql", origin));
    }
    if let Some(store) = &world.store {
        store.put(&format!("{name}.csv"), table.as_bytes());
        described.push(("s3", store.origin(&format!("{name}.csv"))));
    }
    for (number, (kind, text)) in described.into_iter().enumerate() {
        let described = Description::parse(&text, dir.path()).unwrap();
        let to = at(&format!("{number}.csv"));
        let from = to.clone();
        let taken = tokio::task::spawn_blocking(move || {
            snapshot::take(described.open().unwrap().as_mut(), &to).unwrap()
        });
        taken.await.unwrap();
        kept.push((kind, csv(from)));
    }
    let live = live.into_iter().map(|(kind, text)| {
        let text = format!("mode = \"live\"\n{text}");
        (kind, Description::parse(&text, dir.path()).unwrap())
    });
    Kinds { live: live.collect(), kept, _dir: dir }
}

/// The cells of a CSV table.
fn cells(table: &str) -> Vec<Vec<String>> {
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn insert(name: &str, table: &str, schema: &Schema) -> String {
    let mut out = String::new();
    for row in cells(table) {
        let values =
            row.iter().zip(schema.columns()).map(|(cell, column)| match (cell.as_str(), column.kind) {
                // A text may be empty in a database; here it is missing.
                ("", ColumnKind::String) => "''".to_owned(),
                ("", _) => "NULL".to_owned(),
                (text, ColumnKind::Integer | ColumnKind::Number) => text.to_owned(),
                (text, _) => quoted(text),
            });
        out += &format!("INSERT INTO {name} VALUES ({});\n", values.collect::<Vec<_>>().join(", "));
    }
    out
}

fn sqlite(path: &Path, table: &str, schema: &Schema) {
    let db = rusqlite::Connection::open(path).unwrap();
    let types = schema.columns().iter().map(|column| {
        let kind = match column.kind {
            ColumnKind::Integer => "INTEGER",
            ColumnKind::Number => "REAL",
            _ => "TEXT",
        };
        format!("{} {kind}", column.name)
    });
    db.execute_batch(&format!("CREATE TABLE t ({})", types.collect::<Vec<_>>().join(", "))).unwrap();
    db.execute_batch(&insert("t", table, schema)).unwrap();
}

fn postgres(name: &str, table: &str, schema: &Schema) -> String {
    let types = schema.columns().iter().map(|column| {
        let kind = match column.kind {
            ColumnKind::String => "text",
            ColumnKind::Integer => "int8",
            ColumnKind::Number => "float8",
            ColumnKind::Boolean => "bool",
            ColumnKind::Date => "date",
            ColumnKind::Timestamp => "timestamp",
        };
        format!("{} {kind}", column.name)
    });
    let types = types.collect::<Vec<_>>().join(", ");
    let rows = insert(name, table, schema);
    format!("CREATE TABLE {name} ({types}); GRANT SELECT ON {name} TO reader;\n{rows}")
}

/// A server of pages that are known beforehand.
struct Http {
    port: u16,
    pages: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Http {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pages: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let known = pages.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                let lines = BufReader::new(socket.try_clone().unwrap()).lines();
                let head: Vec<String> =
                    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { continue };
                let body = known.lock().unwrap().get(path).cloned().unwrap_or_default();
                let n = body.len();
                // The client may have gone.
                let _ = write!(
                    socket,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {n}\r\n\r\n{body}"
                );
            }
        });
        Self { port, pages }
    }

    fn origin(&self, path: &str) -> String {
        let port = self.port;
        format!(
            "type = \"http\"\nurl = \"http://127.0.0.1:{port}{path}\"\nallow_http = true\nformat = \"json\"\n"
        )
    }
}

/// An object store, where one is installed.
struct Store {
    server: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Store {
    fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let Ok(server) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            println!("skipped: no `moto_server` here (PyPI: moto[server]), so no S3 among the kinds");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "AKIDEXAMPLE").unwrap();
        let store = Self { server, port, dir };
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                store.put("", b"");
                return Some(store);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("skipped: `moto_server` does not start here, so no S3 among the kinds");
        None
    }

    fn put(&self, key: &str, body: &[u8]) {
        let (mut socket, n) = (TcpStream::connect(("127.0.0.1", self.port)).unwrap(), body.len());
        let head = format!("PUT /kinds/{key} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port);
        write!(socket, "{head}Content-Length: {n}\r\nConnection: close\r\n\r\n").unwrap();
        socket.write_all(body).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn origin(&self, key: &str) -> String {
        let secret = self.dir.path().join("key");
        format!(
            "type = \"s3\"\nendpoint = \"http://127.0.0.1:{}\"\nallow_http = true\nbucket = \"kinds\"\nkey = {key:?}\n\
             format = \"csv\"\naccess_key = {{ file = {secret:?} }}\nsecret_key = {{ file = {secret:?} }}\n",
            self.port
        )
    }
}

/// All that is seen of a table under a mask, question by question, and of which kind of source.
async fn all_seen(kinds: &Kinds, case: &Case, queries: &[Query], schema: &Schema) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    for query in queries {
        let base = Job {
            restriction: corpus::restriction(case.mask.clone()),
            query: query.clone(),
            ..job(csv(PathBuf::new()), schema.clone())
        };
        for (kind, source) in &kinds.kept {
            out.push(((*kind).to_owned(), seen(Job { source: source.clone(), ..base.clone() }).await));
        }
        for (kind, described) in &kinds.live {
            let (told, _) = seen_live(described, &base, &folder.path().join("rows")).await;
            out.push(((*kind).to_owned(), told));
        }
    }
    out
}

/// The comparison can fail: where nothing is hidden, each kind of source tells the two tables apart.
#[tokio::test]
async fn the_corpus_would_notice() {
    let world = World { pg: servers::server(), store: None, http: Http::start() };
    let case = corpus::cases().swap_remove(0);
    let schema = corpus::schema(case.kind);
    let a = kinds(&world, "open_0", &corpus::table(&case, 0), &schema).await;
    let b = kinds(&world, "open_1", &corpus::table(&case, 1), &schema).await;
    let folder = tempfile::tempdir().unwrap();
    let open = job(csv(PathBuf::new()), schema);
    for ((kind, of_a), (_, of_b)) in a.kept.iter().zip(&b.kept) {
        let of = async |source: &Source| seen(Job { source: source.clone(), ..open.clone() }).await;
        assert_ne!(of(of_a).await, of(of_b).await, "{kind}");
    }
    for ((kind, of_a), (_, of_b)) in a.live.iter().zip(&b.live) {
        let of_a = seen_live(of_a, &open, &folder.path().join("a")).await.0;
        assert_ne!(of_a, seen_live(of_b, &open, &folder.path().join("b")).await.0, "{kind}");
    }
}

/// A part of the corpus, another one for each mask.
fn part(number: usize) -> Vec<Query> {
    let sql = corpus::SQL.iter().filter_map(|sql| Query::from_sql(sql, "t").ok());
    corpus::corpus().into_iter().chain(sql).skip(number % 12).step_by(12).collect()
}

async fn put_to(which: impl Fn(usize) -> bool, prefix: &str) {
    let world = World { pg: servers::server(), store: Store::start(), http: Http::start() };
    if world.pg.is_none() {
        println!("skipped: no PostgreSQL among the kinds");
    }
    for (number, case) in corpus::cases().into_iter().enumerate().filter(|(number, _)| which(*number)) {
        let (schema, queries) = (corpus::schema(case.kind), part(number));
        let mut both = Vec::new();
        for version in [0, 1] {
            let name = format!("{prefix}{number}_{version}");
            let kinds = kinds(&world, &name, &corpus::table(&case, version), &schema).await;
            both.push(all_seen(&kinds, &case, &queries, &schema).await);
        }
        let (a, b) = (&both[0], &both[1]);
        let per_query = a.len() / queries.len();
        assert!(per_query >= 11, "{per_query} kinds of source");
        let mut answered = 0;
        for (place, query) in queries.iter().enumerate() {
            let answers = a.iter().zip(b).skip(place * per_query).take(per_query);
            for ((kind, of_a), (_, of_b)) in answers {
                assert_eq!(of_a, of_b, "{kind} tells by {query:?} under {:?}", case.mask);
                assert!(!of_a.contains("SECRET-") && !of_a.starts_with("NOT READ"), "{kind}: {of_a}");
                assert_eq!(of_a, &a[place * per_query].1, "{kind} answers {query:?} otherwise than a file");
            }
            answered += usize::from(!a[place * per_query].1.starts_with("ERROR"));
        }
        assert!(answered > 3, "{answered} of {} answered, which proves little", queries.len());
    }
}

#[tokio::test]
async fn no_kind_of_source_tells_what_a_mask_or_the_row_filter_hides_first_half() {
    put_to(|number| number % 2 == 0, "even").await;
}

#[tokio::test]
async fn no_kind_of_source_tells_what_a_mask_or_the_row_filter_hides_second_half() {
    put_to(|number| number % 2 == 1, "odd").await;
}
