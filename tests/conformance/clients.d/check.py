"""Reads a node's files with the clients that people have. Called by tests/tests/clients.rs with what the node told.

Delta Sharing's own client needs its server: `Share` below is the smallest that hands out the node's addresses, as a later
interface of the node will; the bytes come from the node.
"""

import datetime
import http.server
import json
import sys
import tempfile
import threading
import urllib.request

import delta_sharing
import duckdb
import fsspec
import pandas
import pyarrow.dataset
import pyarrow.ipc
import pyarrow.parquet

KINDS = {"int64": "long", "string": "string", "double": "double"}


def schema_of(arrow):
    fields = [{"name": f.name, "type": KINDS[str(f.type)], "nullable": True, "metadata": {}} for f in arrow]
    return json.dumps({"type": "struct", "fields": fields})


class Share(http.server.BaseHTTPRequestHandler):
    """One table over the node's files, in both forms of the protocol's answers."""

    def log_message(self, *_):
        pass

    def lines(self, *lines):
        body = "\n".join(json.dumps(line) for line in lines).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson; charset=utf-8")
        self.send_header("delta-table-version", "1")
        form = "delta" if self.delta() else "parquet"
        self.send_header("delta-sharing-capabilities", f"responseformat={form}")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def delta(self):
        return "responseformat=delta" in self.headers.get("delta-sharing-capabilities", "").lower().replace(" ", "")

    def head_lines(self):
        meta = {"id": "t", "format": {"provider": "parquet", "options": {}}, "schemaString": self.server.schema,
                "partitionColumns": [], "configuration": {}}
        if self.delta():
            meta["createdTime"] = 0
            return ({"protocol": {"deltaProtocol": {"minReaderVersion": 1, "minWriterVersion": 2}}},
                    {"metaData": {"version": 1, "deltaMetadata": meta}})
        return {"protocol": {"minReaderVersion": 1}}, {"metaData": meta}

    def file_line(self, part):
        url, size = self.server.base + part["url"], part["bytes"]
        if not self.delta():
            return {"file": {"url": url, "id": part["id"], "partitionValues": {}, "size": size}}
        add = {"path": url, "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": True}
        return {"file": {"id": part["id"], "size": size, "deltaSingleAction": {"add": add}}}

    def do_GET(self):
        self.lines(*([] if self.path.endswith("/version") else self.head_lines()))

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.lines(*self.head_lines(), *[self.file_line(part) for part in self.server.parts])


def delta_sharing_reads(base, told, schema):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Share)
    server.base, server.parts, server.schema = base, told["files"], schema_of(schema)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    profile = {"shareCredentialsVersion": 1, "bearerToken": "x",
               "endpoint": f"http://127.0.0.1:{server.server_address[1]}"}
    with tempfile.NamedTemporaryFile("w", suffix=".share") as file:
        json.dump(profile, file)
        file.flush()
        for delta in (False, True):
            rows = delta_sharing.load_as_pandas(f"{file.name}#s.d.t", use_delta_format=delta)
            yield f"delta-sharing {delta_sharing.__version__}, {'kernel' if delta else 'parquet'}", sorted(rows["so"])
    server.shutdown()


def main():
    task = json.loads(sys.argv[1])
    base, told = task["base"], task["told"]
    urls = [base + part["url"] for part in told["files"]]
    due = list(range(told["rows"]))
    web = fsspec.filesystem("http")
    tables = [pyarrow.parquet.read_table(url, filesystem=web) for url in urls]
    whole = pyarrow.concat_tables(tables)
    seen = {"pyarrow " + pyarrow.__version__: whole["so"].to_pylist()}
    for part, table, url in zip(told["files"], tables, urls):
        assert web.size(url) == part["bytes"] and table.num_rows == part["rows"], part
        ends = [column["range"] for column in part["columns"] if column["name"] == "so"]
        assert ends == [[min(table["so"].to_pylist()), max(table["so"].to_pylist())]], part
    seen["pandas " + pandas.__version__] = [n for url in urls for n in pandas.read_parquet(url)["so"]]
    data = pyarrow.dataset.dataset(urls, filesystem=web, format="parquet")
    few = data.to_table(columns=["so"], filter=pyarrow.dataset.field("so") < 10)
    assert sorted(few["so"].to_pylist()) == due[:10], few
    # Its own HTTP reader is an extension that no package has; through fsspec it wants to know when a file changed.
    web.modified = lambda *_, **__: datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
    duckdb.register_filesystem(web)
    listed = ", ".join(f"'{url}'" for url in urls)
    found = duckdb.sql(f"select so from read_parquet([{listed}]) order by so").fetchall()
    seen["duckdb " + duckdb.__version__] = [row[0] for row in found]
    seen.update(delta_sharing_reads(base, told, whole.schema))
    arrow = task["arrow"]
    request = urllib.request.Request(arrow["url"], headers={
        "authorization": arrow["authorization"], "accept": "application/vnd.apache.arrow.stream"})
    with urllib.request.urlopen(request) as answer, pyarrow.ipc.open_stream(answer) as stream:
        batches = list(stream)
    assert len(batches) > 1, "a stream comes in pieces"
    seen["arrow stream, pyarrow " + pyarrow.__version__] = [n for b in batches for n in b.column("so").to_pylist()]
    for client, rows in seen.items():
        assert list(rows) == due, f"{client} read {len(rows)} rows of {len(due)}, or in another order"
        print(f"{client}: {len(rows)} rows")
    hidden = whole["nguoi"].to_pylist()
    assert not any(str(value).startswith("SECRET") for value in hidden)


main()
