//! Files that people really bring: what is wrong must be said with line, column and what to do.

use std::io::Write;
use std::path::{Path, PathBuf};

use dataplane::limits::PROBLEMS_MAX;
use dataplane::{Column, ColumnKind, DataError, Format, Problem, Schema, inspect, validate};

fn file(dir: &Path, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join("file");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn problems(result: Result<impl Sized, DataError>) -> Vec<Problem> {
    match result {
        Err(DataError::File { problems }) => problems,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the file was taken"),
    }
}

fn comma() -> Format {
    Format::Csv { delimiter: ',', null_text: None }
}

#[test]
fn delimiters_and_marks_are_recognised() {
    let dir = tempfile::tempdir().unwrap();
    for (text, delimiter, columns) in [
        ("a,b\n1,2\n", ',', 2),
        ("\u{feff}a;b;c\r\n1,5;2;3\r\n", ';', 3),
        ("a\tb\nx, y\tz\n", '\t', 2),
        ("a|b\n\"x|y\"|z\n", '|', 2),
        ("only\n1\n", ',', 1),
    ] {
        let found = inspect(&file(dir.path(), text), None).unwrap();
        assert_eq!(found.format, Format::Csv { delimiter, null_text: None }, "{text}");
        assert_eq!(found.schema.columns().len(), columns);
        assert_eq!(found.sampled_rows, 1);
        assert!(!found.schema.columns()[0].name.contains('\u{feff}'));
    }
}

#[test]
fn json_of_both_forms_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let objects = [
        r#"{"code":"00070","n":1,"x":1,"on":true,"day":"2023-03-08","at":"2023-03-08T01:00:00","t":null}"#,
        r#"{"code":"00071","n":2,"x":2.5,"on":false,"day":"2023-03-09","at":"2023-03-08 02:00:00"}"#,
    ];
    use ColumnKind::{Boolean, Date, Integer, Number, String, Timestamp};
    let expected = [
        ("code", String, false),
        ("n", Integer, false),
        ("x", Number, false),
        ("on", Boolean, false),
        ("day", Date, false),
        ("at", Timestamp, false),
        ("t", String, true),
    ];
    for (text, format) in
        [(objects.join("\n"), Format::Ndjson), (format!(" [{}]\n", objects.join(" ,\n")), Format::Json)]
    {
        let path = file(dir.path(), text);
        let found = inspect(&path, None).unwrap();
        assert_eq!(found.format, format);
        assert_eq!(found.schema.columns(), expected.map(|(n, k, m)| Column::new(n, k, m)));
        assert_eq!(validate(&path, &format, &found.schema).unwrap().rows, 2);
    }
}

#[test]
fn what_makes_a_file_unusable_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[u8], u64, &str); 17] = [
        (b"", 0, "it is empty"),
        (b"\n\n", 0, "no header line"),
        (b"a,b,c\n1,2,3\n1,2\n", 3, "the row has 2 fields, the header has 3"),
        (b"a,b\n1,2\n\n1,2,3\n", 4, "the row has 3 fields, the header has 2"),
        (b"a,b\n1,2\nB\xE1o,2\n", 3, "byte 9 of the file is not UTF-8; save the file as UTF-8"),
        (b"a,b\n1,\0\n", 2, "NUL byte"),
        (b"\xFF\xFEa\0", 1, "UTF-16"),
        (b"a,b,a\n1,2,3\n", 1, "two columns are named `a`"),
        (b"a,,c\n1,2,3\n", 1, "a column has no name"),
        (b"a,b\n1,\"2\n3,4\n", 2, "never closed"),
        (b"a,b\n1,x\"y\n\"\n", 2, "a quote stands inside"),
        (b"a,b\n\"1\"x,2\n", 2, "a text follows a closing quote"),
        (b"{\"a\":1}\n{\"a\":[1]}\n", 2, "flatten"),
        (b"{\"a\":1,\"a\":2}\n", 1, "is there twice"),
        (b"{\"a\":1}\n{\"a\":\n", 2, "not a flat JSON object"),
        (b"[{\"a\":1}", 1, "not closed with `]`"),
        (b"PK\x03\x04zip", 0, "save the sheet as CSV"),
    ];
    for (bytes, line, what) in cases {
        let found = problems(inspect(&file(dir.path(), bytes), None));
        let text = String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].line, line, "{text}: {}", found[0]);
        assert!(found[0].what.contains(what), "{text}: {}", found[0]);
    }
    assert!(problems(inspect(dir.path(), None))[0].what.contains("not a file"));
    let mixed = problems(inspect(&file(dir.path(), "{\"a\":1}\n{\"a\":\"x\"}\n"), None));
    assert_eq!(mixed[0].column.as_deref(), Some("a"));
}

#[test]
fn a_line_of_100_megabytes_is_refused_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long");
    for (head, format) in
        [("a,b\n1,", comma()), ("{\"a\":1}\n{\"a\":\"", Format::Ndjson), ("[{\"a\":\"", Format::Json)]
    {
        let mut out = std::fs::File::create(&path).unwrap();
        out.write_all(head.as_bytes()).unwrap();
        let block = vec![b'x'; 1024 * 1024];
        for _ in 0..100 {
            out.write_all(&block).unwrap();
        }
        drop(out);
        let schema = Schema::new(match format {
            Format::Csv { .. } => ["a", "b"].map(|n| Column::new(n, ColumnKind::String, true)).to_vec(),
            _ => vec![Column::new("a", ColumnKind::String, true)],
        })
        .unwrap();
        for found in [problems(inspect(&path, Some(&format))), problems(validate(&path, &format, &schema))] {
            let last = found.last().unwrap();
            assert!(last.what.contains("longer than 1048576 bytes"), "{last}");
        }
    }
}

#[test]
fn validation_names_line_and_column_and_stops_at_twenty() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Schema::new(vec![
        Column::new("n", ColumnKind::Integer, false),
        Column::new("x y", ColumnKind::Number, true),
        Column::new("d", ColumnKind::Date, true),
    ])
    .unwrap();
    let text = "n,x y,d\n1,2.5,2023-01-01\n,1.5,\n3,\"1,5\",2023-02-30\n4,NA,\n5,1\n";
    let found = problems(validate(&file(dir.path(), text), &comma(), &schema));
    let lines: Vec<String> = found.iter().map(Problem::to_string).collect();
    assert_eq!(
        lines,
        [
            "line 3: column `n`: the value is missing; fill it in",
            "line 4: column `x y`: `1,5` is not a number such as `3.5` (decimal point, no thousands sign)",
            "line 4: column `d`: `2023-02-30` is not a day such as `2023-03-08`",
            "line 5: column `x y`: `NA` is not a number such as `3.5` (decimal point, no thousands sign); for a missing value leave the field empty",
            "line 6: the row has 2 fields, the header has 3; add the missing delimiters",
        ]
    );
    let with_word = Format::Csv { delimiter: ',', null_text: Some("NA".into()) };
    let good = file(dir.path(), "n,x y,d\n1,NA,NA\n");
    assert_eq!(validate(&good, &with_word, &schema).unwrap().rows, 1);
    let many = format!("n,x y,d\n{}", "x,1,\n".repeat(100));
    assert_eq!(problems(validate(&file(dir.path(), many), &comma(), &schema)).len(), PROBLEMS_MAX);
    let renamed = problems(validate(&file(dir.path(), "n,d,x y\n"), &comma(), &schema));
    assert!(renamed[0].what.contains("the schema has `x y` where the file has `d`"), "{}", renamed[0]);
}

#[test]
fn json_validation_names_what_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Schema::new(vec![
        Column::new("n", ColumnKind::Integer, false),
        Column::new("t", ColumnKind::Timestamp, true),
    ])
    .unwrap();
    let text = "{\"n\":1,\"t\":null}\n{\"n\":1.5}\n{\"t\":\"yesterday\"}\n{\"n\":1,\"more\":2}\n";
    let found = problems(validate(&file(dir.path(), text), &Format::Ndjson, &schema));
    let lines: Vec<String> = found.iter().map(Problem::to_string).collect();
    assert_eq!(
        lines,
        [
            "line 2: column `n`: `1.5` is not a whole number such as `42`",
            "line 3: column `t`: the text `yesterday` is not a time such as `2023-03-08 01:00:00`",
            "line 3: column `n`: the value is missing; fill it in",
            "line 4: the field `more` is not in the schema; remove it or add a column",
        ]
    );
}

#[test]
fn damaged_parquet_is_an_error_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [&b"PAR1"[..], b"PAR1PAR1", b"PAR1\xFF\xFF\xFF\xFFPAR1", b"PAR1xxxxxxxxxxxx\x08\0\0\0PAR1"] {
        let path = file(dir.path(), bytes);
        assert_eq!(problems(inspect(&path, None)).len(), 1);
        let schema = Schema::new(vec![Column::new("a", ColumnKind::String, true)]).unwrap();
        assert_eq!(problems(validate(&path, &Format::Parquet, &schema)).len(), 1);
    }
}

#[test]
fn what_validation_takes_the_engine_reads() {
    // Forms at the edge of each kind.
    let dir = tempfile::tempdir().unwrap();
    let text = "i,x,b,d,t\n\
        -9223372036854775808,-1.5e-3,TRUE,0001-01-01,0001-01-01 00:00:00\n\
        007,1E5,False,9999-12-31,9999-12-31T23:59:59.999999999\n\
        9223372036854775807,-0,true,2024-02-29,2024-02-29T12:00:00+07:00\n\
        ,,,,\n";
    let path = file(dir.path(), text);
    let kinds = [
        ("i", ColumnKind::Integer),
        ("x", ColumnKind::Number),
        ("b", ColumnKind::Boolean),
        ("d", ColumnKind::Date),
        ("t", ColumnKind::Timestamp),
    ];
    let schema = Schema::new(kinds.map(|(n, k)| Column::new(n, k, true)).to_vec()).unwrap();
    assert_eq!(validate(&path, &comma(), &schema).unwrap().rows, 4);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let got =
        runtime.block_on(crate::common::text(crate::common::job(crate::common::csv(&path), schema))).unwrap();
    assert_eq!(
        got,
        "i,x,b,d,t\n\
        -9223372036854775808,-0.0015,true,0001-01-01,0001-01-01T00:00:00\n\
        7,100000.0,false,9999-12-31,9999-12-31T23:59:59.999999\n\
        9223372036854775807,-0.0,true,2024-02-29,2024-02-29T05:00:00\n\
        ,,,,\n"
    );
}

#[test]
fn nothing_read_as_text_ever_panics() {
    use proptest::prelude::*;
    let dir = tempfile::tempdir().unwrap();
    let piece = prop::sample::select(vec![
        "a", ",", "\"", "\n", "\r", "\r\n", "{", "}", "[", "]", ":", "\"a\":1", "null", "é", "\0", " ",
        "PAR1", "\u{feff}",
    ]);
    let text = prop::collection::vec(piece, 0..40).prop_map(|p| p.concat());
    proptest!(ProptestConfig::with_cases(400), |(text in text)| {
        let path = file(dir.path(), &text);
        for format in [None, Some(comma()), Some(Format::Ndjson), Some(Format::Json), Some(Format::Parquet)] {
            if let Ok(found) = inspect(&path, format.as_ref()) {
                // What was sampled whole must be valid by its own inspection.
                validate(&path, &found.format, &found.schema).unwrap();
            }
        }
    });
}
