"""Puts a corpus of queries to the crate `dataplane` and to DuckDB, over the same files, and compares the answers.

    check.py ANSWERS WORK DATA    the example's binary, a directory to write to, the directory of the real tables

Each table is asked as CSV (the original), as NDJSON and as Parquet (both written by DuckDB). Equal means: the same columns,
the same rows in the same order, the same missing values, texts by code point, and numbers by their exact value. What may
differ, and why, is in DIFFERENCES below; nothing else may.
"""

import csv
import datetime
import json
import math
import pathlib
import random
import subprocess
import sys

import duckdb

# Sums and means of binary floating point depend on the order of addition, and the two engines add in different orders
# (lanes and blocks). They may differ by rounding, relative to the sum of magnitudes: 1e-12.
# A sum of integers beyond 64 bits is missing in ours; DuckDB has integers of 128 bits.
DIFFERENCES = {"sum and avg of number columns": 1e-12}

TYPES = {
    "string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE",
    "timestamp": "TIMESTAMP",
}


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(value, kind):
    if kind in ("string", "date", "timestamp"):
        return "'" + str(value).replace("'", "''") + "'"
    return str(value).lower() if kind == "boolean" else repr(value)


class Node:
    """The example, asked a line at a time."""

    def __init__(self, binary):
        self.process = subprocess.Popen(
            [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def ask(self, what):
        self.process.stdin.write(json.dumps(what, ensure_ascii=False) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the example ended")
        return json.loads(line)


def own_table(path):
    """Nulls, texts of many forms, edges of numbers and days, equal keys."""
    rnd = random.Random(7)
    texts = ["Hà Nội", "Ha\u0300 No\u0323\u0302i", "Huế", "hue", "HUE", "Đắk Lắk", "", None, "a,b", 'say "so"', "it's", "  x ",
             "=1+1", "😀", "%", "_", "\\", "ab%c", "line\nend", "0070", "true", "null"]
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["id", "text", "group", "n", "x", "flag", "day", "at"])
        for number in range(600):
            day = datetime.date(1, 1, 1) + datetime.timedelta(days=rnd.randrange(0, 3_652_000))
            at = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=rnd.randrange(0, 2_000_000_000) * 500_000)
            cells = [
                rnd.choice(texts) or None,
                rnd.choice(["a", "b", "c", "ch", "č", None]),
                rnd.choice([0, 1, -1, 7, 2**53 + 1, -(2**63), 2**63 - 1 if number == 5 else 12, None]),
                rnd.choice([0.1, 1e300, -2.5, 1e-300, 3.0, 1 / 3, 123456789.123456789, None]),
                rnd.choice(["true", "false", None]),
                rnd.choice([day.isoformat(), "1970-01-01", "2024-02-29", None]),
                rnd.choice([at.isoformat(sep=" "), "2023-03-08 00:00:00", None]),
            ]
            out.writerow([number, *("" if c is None else repr(c) if isinstance(c, float) else c for c in cells)])


def column_values(db, column, kind):
    """A few values of the column: least, greatest, some between, and ones that are not there."""
    name = quoted(column)
    rows = db.execute(f"SELECT DISTINCT {name} FROM t WHERE {name} IS NOT NULL ORDER BY 1").fetchall()
    values = [r[0] for r in rows]
    chosen = [values[i * (len(values) - 1) // 3] for i in range(4)] if values else []
    if kind == "timestamp":
        chosen = [v.isoformat(sep=" ") for v in chosen]
    if kind == "date":
        chosen = [v.isoformat() for v in chosen]
    return [v for v in chosen if not isinstance(v, str) or "\n" not in v]


def corpus(db, columns):
    """Queries of the subset as (text, columns of the order that it asks for, or None)."""
    names = list(columns)
    some = ", ".join(quoted(n) for n in names[:4])
    out = [("SELECT * FROM this_dataset", None), (f"SELECT {quoted(names[-1])}, {quoted(names[0])} FROM this_dataset LIMIT 17", None)]
    numeric = [n for n in names if columns[n] in ("integer", "number")]

    def where(condition):
        out.append((f"SELECT {some} FROM this_dataset WHERE {condition}", None))

    for name in names:
        kind, q = columns[name], quoted(name)
        found = column_values(db, name, kind)
        if not found:
            continue
        values = [literal(v, kind) for v in found]
        where(f"{q} = {values[1]}")
        where(f"{q} IN ({', '.join(values)})")
        where(f"NOT ({q} = {values[1]} OR {q} IS NULL)")
        where(f"{q} IS NULL")
        where(f"{q} <> {values[0]} AND {q} IS NOT NULL")
        if kind != "boolean":
            where(f"{q} < {values[2]}")
            where(f"{q} >= {values[1]} AND {q} <= {values[2]}")
            where(f"{q} NOT BETWEEN {values[1]} AND {values[2]}")
            where(f"{values[3]} > {q}")
        if kind == "string":
            start = literal(found[1][:2].replace("%", "").replace("_", "").replace("\\", ""), "string")[:-1] + "%'"
            where(f"{q} LIKE {start}")
            where(f"{q} NOT LIKE {start}")
        where(f"{q} NOT IN ({values[0]}, {values[-1]})")
    # Groups: each column by itself, some two by two, with every figure.
    for place, name in enumerate(names):
        by = [name] if place % 2 else [name, names[(place + 3) % len(names)]]
        figures = ["count(*) AS rows_there"]
        for number in (numeric[place % len(numeric):] + numeric)[:2]:
            figures += [f"{f}({quoted(number)}) AS {quoted(f + ' of ' + number)}" for f in ("count", "sum", "avg", "min", "max")]
        figures.append(f"max({quoted(names[(place + 1) % len(names)])}) AS greatest")
        chosen = ", ".join(quoted(b) for b in by)
        out.append((f"SELECT {chosen}, {', '.join(figures)} FROM this_dataset GROUP BY {chosen}", by))
        out.append((f"SELECT DISTINCT {chosen} FROM this_dataset", by))
        out.append((f"SELECT {', '.join(figures)} FROM this_dataset", None))
        out.append((f"SELECT {chosen}, count(*) AS n_rows FROM this_dataset GROUP BY {chosen} ORDER BY n_rows DESC LIMIT 9",
                    [*by]))
        out.append((f"SELECT {some} FROM this_dataset ORDER BY {quoted(names[place % 4])} DESC LIMIT 25",
                    [n for n in names[:4] if n != names[place % 4]]))
    # Parts of times, grouped by and listed.
    for name in [n for n in names if columns[n] in ("date", "timestamp")]:
        q = quoted(name)
        parts = [f"year({q})", f"month({q})", f"date({q})", f"strftime({q}, '%Y-%m')"]
        if columns[name] == "timestamp":
            parts += [f"hour({q})", f"date_trunc('hour', {q})"]
        for place, part in enumerate(parts):
            other = parts[(place + 1) % len(parts)]
            figures = f"count(*) AS n_rows, sum({quoted(numeric[0])}) AS {quoted('sum of ' + numeric[0])}"
            out.append((f"SELECT {part} AS p, {other} AS q, {figures} FROM this_dataset GROUP BY p, {other}", ["p", "q"]))
            out.append((f"SELECT DISTINCT {part} AS p FROM this_dataset WHERE {q} IS NOT NULL", ["p"]))
    out.append((f"SELECT count(*) AS rows_there FROM this_dataset WHERE {quoted(numeric[0])} IS NULL", None))
    return out


def for_duckdb(sql, order):
    """The same query with the order said that ours has by itself."""
    text = sql.replace("FROM this_dataset", "FROM t")
    if not order:
        return text
    keys = ", ".join(f"{quoted(o)} ASC NULLS LAST" for o in order)
    text, *limit = text.split(" LIMIT ")
    joined = ", " if " ORDER BY " in text else " ORDER BY "
    if " DESC" in text:
        text = text.replace(" DESC", " DESC NULLS LAST")
    return text + joined + keys + "".join(f" LIMIT {n}" for n in limit)


def cell(value):
    """A value of DuckDB's as ours are written."""
    if isinstance(value, datetime.datetime):
        # Ours have no fraction, or three digits of it, or six.
        return value.isoformat(timespec="microseconds" if value.microsecond % 1_000 else
                               "milliseconds" if value.microsecond else "seconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def same(ours, theirs, loose):
    if isinstance(theirs, int) and not isinstance(theirs, bool) and not -2**63 <= theirs < 2**63:
        return ours is None
    if ours is None or theirs is None or isinstance(ours, (str, bool)) or isinstance(theirs, (str, bool)):
        return type(ours) is type(theirs) and ours == theirs
    if ours == theirs:
        return math.copysign(1, ours) == math.copysign(1, theirs) or isinstance(ours, int)
    return loose and math.isclose(ours, theirs, rel_tol=DIFFERENCES["sum and avg of number columns"])


def compare(answer, rows, names, loose):
    """Why the answers differ, or nothing; and whether a rounding was allowed."""
    if "error" in answer:
        return "ours refused it: " + answer["error"], False
    ours_names = [c["name"] for c in answer["columns"]]
    if ours_names != names:
        return f"columns {ours_names} and {names}", False
    numbers = {c["name"] for c in answer["columns"] if c["kind"] == "number"}
    ours = [json.loads(line) for line in answer["rows"].split("\n") if line]
    if len(ours) != len(rows):
        return f"{len(ours)} rows and {len(rows)}", False
    rounded = False
    for place, (a, b) in enumerate(zip(ours, rows)):
        for name, theirs in zip(names, b):
            mine, theirs = a[name], cell(theirs)
            if name in numbers and isinstance(mine, int) and not isinstance(mine, bool):
                mine = float(mine)
            if not same(mine, theirs, name in loose):
                return f"row {place}, column {name!r}: {mine!r} and {theirs!r}", rounded
            rounded = rounded or mine != theirs
    return None, rounded


def load(db, source, kind, columns, null_word):
    types = "{" + ", ".join(f"'{n.replace(chr(39), chr(39) * 2)}': '{TYPES[k]}'" for n, k in columns.items()) + "}"
    nulls = "['']" if null_word is None else f"['', '{null_word}']"
    reader = {
        "csv": f"read_csv('{source}', header = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false, "
               f"nullstr = {nulls}, columns = {types})",
        "ndjson": f"read_json('{source}', format = 'newline_delimited', columns = {types})",
        "parquet": f"read_parquet('{source}')",
    }[kind]
    db.execute(f"CREATE OR REPLACE TABLE t AS SELECT * FROM {reader}")


def main():
    binary, work, data = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    own = work / "own.csv"
    own_table(own)
    tables = [own]
    for name in ("hanoi-air-quality", "dengue-districts", "traffic-provinces"):
        path = data / f"{name}.csv"
        if path.exists():
            tables.append(path)
        else:
            print(f"NOT COMPARED: {path} is not there", file=sys.stderr)
    node, asked, rounded, wrong = Node(binary), 0, 0, []
    for table in tables:
        first = node.ask({"path": str(table)})
        columns = {c["name"]: c["kind"] for c in first["schema"]}
        db = duckdb.connect(config={"threads": 1})
        load(db, table, "csv", columns, first["format"].get("null_text"))
        queries = corpus(db, columns)
        files = {"csv": table}
        for kind, options in (("ndjson", "FORMAT json"), ("parquet", "FORMAT parquet")):
            files[kind] = work / f"{table.stem}.{kind}"
            db.execute(f"COPY t TO '{files[kind]}' ({options})")
        for turn, (kind, path) in enumerate(files.items()):
            # The schema is the CSV's: each column of the copies may have missing values.
            schema = [{**c, "nullable": True} for c in first["schema"]]
            node.ask({"path": str(path), "schema": schema})
            load(db, path, kind, columns, first["format"].get("null_text"))
            for number, (sql, order) in enumerate(queries):
                # Every query over the original; over the copies one in five.
                if turn and number % 5 != turn:
                    continue
                asked += 1
                answer = node.ask({"sql": sql})
                try:
                    found = db.execute(for_duckdb(sql, order))
                    names = [d[0] for d in found.description]
                    rows = found.fetchall()
                except duckdb.Error as error:
                    if "error" not in answer and "Conversion" not in str(error) and "Out of Range" not in str(error):
                        wrong.append(f"{path.name}: {sql}\n  DuckDB refused it: {error}")
                    continue
                loose = {n for n in names if n.startswith(("sum of ", "avg of "))}
                why, rounding = compare(answer, rows, names, loose)
                rounded += rounding
                if why:
                    wrong.append(f"{path.name}: {sql}\n  {why}")
    for text in wrong[:20]:
        print(text, file=sys.stderr)
    print(f"tests/conformance/duckdb: {asked} queries over {len(tables)} tables in 3 formats against DuckDB "
          f"{duckdb.__version__}: {len(wrong)} differ; in {rounded} a sum or mean differs by rounding alone")
    if asked < 200:
        sys.exit("fewer than 200 queries were compared")
    sys.exit(1 if wrong else 0)


main()
