"""Reads a node's tables with the client of Delta Sharing, as people do who were given a profile file.

    check.py TRAM NODE    the binary, a folder for a node (made anew)

The node shows one table with a filter and a mask, one that may be discovered and not read, and one that may not be known of.
"""

import contextlib
import datetime
import io
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import delta_sharing
import pandas
from delta_sharing.protocol import Schema, Share, Table
from requests.exceptions import HTTPError

PARTY, PURPOSE = "urn:party:vn:bao", "air-quality-management"
ALWAYS = "2020-01-01T00:00Z, 9999-12-31T00:00Z"
HEADER = "so,tram,ngay,luc,pm25,tot,nguoi,noi_bo\n"
ROWS = 3500
results = []


def check(what, good, seen=None):
    results.append(bool(good))
    print(f"{'ok  ' if good else 'FAIL'} {what}" + ("" if good or seen is None else f": {seen!r}"), flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Node:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        shutil.rmtree(folder, ignore_errors=True)
        # What a node keeps beside its folder, so that an old copy of the folder is noticed.
        self.folder.with_name(f".{self.folder.name}.checkpoint").unlink(missing_ok=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.public = f"127.0.0.1:{free_port()}"
        self.run("init", "--id", "urn:agency:vn:test:delta", "--name", "Chia sẻ", "--listen", f"127.0.0.1:{free_port()}",
                 "--local", f"127.0.0.1:{free_port()}", "--public", self.public)
        settings = self.folder / "tram.toml"
        settings.write_text(settings.read_text() + "\n[files]\npart_rows = 1000\nlink_minutes = 5\n")

    def run(self, *words):
        done = subprocess.run([self.binary, "--dir", str(self.folder), "--json", *words],
                              capture_output=True, text=True, encoding="utf-8")
        if done.returncode:
            sys.exit(f"`tram {' '.join(words)}` ended with {done.returncode}: {done.stderr or done.stdout}")
        return json.loads(done.stdout) if done.stdout.strip().startswith("{") else done.stdout

    def serve(self):
        self.log = open(self.folder.with_name("log"), "w")
        self.process = subprocess.Popen([self.binary, "--dir", str(self.folder), "serve"], stdout=self.log, stderr=self.log)
        for _ in range(600):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", int(self.public.split(":")[1]))).close()
                return
            if self.process.poll() is not None:
                sys.exit("the node ended while starting")
            time.sleep(0.1)
        sys.exit("the node is not ready")

    def add(self, name, text):
        path = self.folder.with_name(f"{name}.csv")
        path.write_text(text, encoding="utf-8")
        self.run("dataset", "add", str(path), "--name", name, "--kind", "default", "--class", "1", "--personal", "none")
        contract = self.folder / "contracts" / f"{name}.yaml"
        key = "name: so\n    primaryKey: true\n    primaryKeyPosition: 1\n"
        contract.write_text(contract.read_text(encoding="utf-8").replace("name: so\n", key), encoding="utf-8")
        self.run("dataset", "validate", name)
        self.run("dataset", "publish", name)

    def rewrite(self, name, text):
        (self.folder / "data" / name / f"{name}.csv").write_text(text, encoding="utf-8")
        self.run("dataset", "validate", name)

    def rules(self, obligations):
        rows = [f"p, D-{d}-{a}, 10, *, ds:{d}, {a}, *, *, *, *, 0, 9, {ALWAYS}, -, allow"
                for d in ("khong-khi", "kin", "tram") for a in ("discover", "metadata")]
        rows.append(f"p, R-1, 30, gr:press, ds:khong-khi, download, pu:{PURPOSE}, *, *, *, 0, 9, {ALWAYS}, OB-1, allow")
        rows.append(f"p, R-2, 30, gr:press, ds:tram, query, pu:{PURPOSE}, *, *, *, 0, 9, {ALWAYS}, OB-2, allow")
        folder = self.folder.with_name("rules")
        folder.mkdir(exist_ok=True)
        files = {"policy.csv": "\n".join(rows) + "\n", "duties.csv": "# none\n", "reasons.json": "{}", "cases.json": "[]",
                 "obligations.json": json.dumps({"OB-1": obligations, "OB-2": {"columns": ["so", "ten"]}})}
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        self.run("policy", "apply", str(folder))


def table(rows):
    """Stations; KIN is filtered away, names are hashed, the last column is not shown."""
    lines = []
    for n in rows:
        pm25 = "" if n % 50 == 0 else f"{n % 300}.5"
        day = datetime.date(2025, 1, 1) + datetime.timedelta(days=n // 100)
        tram = "KIN" if n % 7 == 0 else f"Trạm {n % 7}"
        lines.append(f"{n},{tram},{day},{day}T{n % 24:02d}:00:00,{pm25},{str(n % 2 == 0).lower()},SECRET-{n},INTERNAL-{n}\n")
    return HEADER + "".join(lines)


SHOWN = {"columns": ["so", "tram", "ngay", "luc", "pm25", "tot", "nguoi"], "mask": {"nguoi": "hash"},
         "row_filter": [{"column": "tram", "op": "ne", "value": "KIN"}]}


STATIONS = "so,ten,noi_bo\n1,Một,a\n2,Hai,b\n3,Ba,c\n"


def refused(call):
    """Status and error code of a question that fails."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            call()
    except HTTPError as error:
        body = error.response.json()
        return error.response.status_code, body.get("errorCode"), body.get("message", "")
    return 200, None, ""


def lists(client, share):
    check("one share", [s.name for s in client.list_shares()] == [share], client.list_shares())
    check("one schema", client.list_schemas(Share(share)) == [Schema("datasets", share)])
    names = [t.name for t in client.list_tables(Schema("datasets", share))]
    check("tables that may be read, and no others", names == ["khong-khi", "tram"], names)
    check("all tables", [t.name for t in client.list_all_tables()] == names)


def reads(url, rows):
    due = [n for n in rows if n % 7]
    whole = delta_sharing.load_as_pandas(url)
    check("the rows that the filter leaves, all of them", sorted(whole["so"]) == due, len(whole))
    check("the columns that are shown, in their order", list(whole.columns) == SHOWN["columns"], list(whole.columns))
    check("no value behind the mask", not whole["nguoi"].astype(str).str.contains("SECRET").any())
    check("a mask keeps who is who", whole["nguoi"].nunique() == len(due))
    check("missing values are missing", whole["pm25"].isna().sum() == len([n for n in due if n % 50 == 0]))
    check("days are days", whole["ngay"].map(type).eq(datetime.date).all(), whole["ngay"].head())
    check("times are times", whole["luc"].dtype.kind == "M", whole["luc"].dtype)
    first = whole.set_index("so").loc[1]
    check("a row as it is", (first["tram"], str(first["ngay"]), first["pm25"], bool(first["tot"]))
          == ("Trạm 1", "2025-01-01", 1.5, False), first)
    check("numbers are numbers", whole["so"].dtype == "int64" and whole["pm25"].dtype == "float64", whole.dtypes)
    kernel = delta_sharing.load_as_pandas(url, use_delta_format=True)
    check("the newer form of answer has the same rows", sorted(kernel["so"]) == due, len(kernel))
    check("and the same columns", list(kernel.columns) == SHOWN["columns"], list(kernel.columns))
    for limit in (0, 1, 10, 1500):
        few = delta_sharing.load_as_pandas(url, limit=limit)
        check(f"a limit of {limit}", len(few) == min(limit, len(due)), len(few))


def hints(client, url, profile, share):
    def files(**words):
        rest = client._rest_client
        return rest.list_files_in_table(Table("khong-khi", share, "datasets"), **words).add_files

    def compare(op, kind, name, value):
        children = [{"op": "column", "name": name, "valueType": kind}, {"op": "literal", "value": value, "valueType": kind}]
        return json.dumps({"op": op, "children": children})

    every = files()
    check("files of at most the rows that were set", len(every) >= 3, len(every))
    few = files(jsonPredicateHints=compare("lessThan", "int", "so", "500"))
    check("a condition leaves files out", len(few) == 1, len(few))
    check("the same files, under the same names", {f.id for f in few} <= {f.id for f in every})
    check("a condition on days", len(files(jsonPredicateHints=compare("equal", "date", "ngay", "2025-01-02"))) == 1)
    check("a condition in SQL", len(files(predicateHints=["so < 500"])) == 1)
    check("a condition that none fulfils", files(jsonPredicateHints=compare("greaterThan", "int", "so", "99999")) == [])
    check("a condition on what is not shown tells nothing",
          len(files(jsonPredicateHints=compare("equal", "string", "noi_bo", "INTERNAL-1"))) == len(every))
    check("a condition that is not understood is passed over", len(files(jsonPredicateHints="{")) == len(every))
    check("a limit leaves files out", len(files(limitHint=1)) == 1)
    for file in every:
        check("figures of shown rows alone", "KIN" not in (file.stats or "") and "SECRET" not in (file.stats or ""))
    rows = delta_sharing.load_as_pandas(url, jsonPredicateHints=compare("lessThan", "int", "so", "500"))
    check("what a condition asks for is there", {n for n in range(500) if n % 7} <= set(rows["so"]))


def versions(client, node, url, share, token):
    named = Table("khong-khi", share, "datasets")
    first = delta_sharing.get_table_version(url)
    check("a version", first >= 1, first)
    check("the present version by its number", len(delta_sharing.load_as_pandas(url, version=first)) == 3000)
    code = refused(lambda: delta_sharing.load_as_pandas(url, version=first + 7))
    check("a version that is not given", code[0] == 400, code)
    told = delta_sharing.get_table_metadata(url)
    fields = [f["name"] for f in json.loads(told.schema_string)["fields"]]
    check("metadata has the columns that are shown", fields == SHOWN["columns"], fields)
    # One row goes, one is corrected, one comes; and what nobody may see changes, too.
    lines = table(range(ROWS)).splitlines(keepends=True)
    lines = [line for line in lines if not line.startswith("1,")]
    lines = [line.replace("Trạm 2", "Trạm 9") if line.startswith("2,") else line for line in lines]
    lines = [line.replace("INTERNAL-3", "OTHER-3") if line.startswith("3,") else line for line in lines]
    lines = [line.replace("SECRET-7,", "OTHER-7,") if line.startswith("7,") else line for line in lines]
    lines.append(table([4001]).splitlines(keepends=True)[1])
    node.rewrite("khong-khi", "".join(lines))
    second = delta_sharing.get_table_version(url)
    check("other rows are another version", second > first, (first, second))
    feed = delta_sharing.load_table_changes_as_pandas(url, starting_version=second)
    seen = sorted(zip(feed["so"], feed["_change_type"], feed["tram"]))
    due = [(1, "delete", "Trạm 1"), (2, "update_postimage", "Trạm 9"), (2, "update_preimage", "Trạm 2"),
           (4001, "insert", "Trạm 4")]
    check("what changed, and nothing of what is hidden", seen == due, seen)
    check("with the version that it came with", set(feed["_commit_version"]) == {second})
    check("behind the same mask", not feed["nguoi"].astype(str).str.contains("SECRET").any())
    # In the newer form the client does not read times in changes: that is said.
    code = refused(lambda: delta_sharing.load_table_changes_as_pandas(url, starting_version=second, use_delta_format=True))
    check("a form that the client cannot read is not given", code[0] == 400 and "time" in code[2], code)
    plain = url.replace("khong-khi", "tram")
    check("a table to be queried is read as well", len(delta_sharing.load_as_pandas(plain)) == 3)
    node.rewrite("tram", STATIONS.replace("2,Hai", "2,Hai mươi").replace("3,Ba", "4,Bốn"))
    third = delta_sharing.get_table_version(plain)
    for delta in (False, True):
        with contextlib.redirect_stdout(io.StringIO()):
            feed = delta_sharing.load_table_changes_as_pandas(plain, starting_version=third, use_delta_format=delta)
        seen = sorted(zip(feed["so"], feed["_change_type"], feed["ten"], feed["_commit_version"]))
        due = [(2, "update_postimage", "Hai mươi", third), (2, "update_preimage", "Hai", third),
               (3, "delete", "Ba", third), (4, "insert", "Bốn", third)]
        check(f"changes in the {'newer' if delta else 'older'} form", seen == due, seen)
    feed = delta_sharing.load_table_changes_as_pandas(url, starting_version=0)
    came = feed[feed["_commit_version"] == first]
    check("from the beginning: what was given first, as rows that came",
          len(came) == 3000 and set(came["_change_type"]) == {"insert"}, len(came))
    code = refused(lambda: delta_sharing.load_table_changes_as_pandas(url, starting_version=second + 5))
    check("no changes of versions that are not there", code[0] == 400, code)


def refusals(node, profile, share, folder):
    at = f"{profile}#{share}.datasets"
    secret = refused(lambda: delta_sharing.load_as_pandas(f"{at}.kin"))
    check("where the rules say no: a refusal with its reason", secret[:2] == (403, "PERMISSION_DENIED") and secret[2], secret)
    hidden = refused(lambda: delta_sharing.load_as_pandas(f"{at}.an"))
    nothing = refused(lambda: delta_sharing.load_as_pandas(f"{at}.khong-co"))
    check("what is hidden is answered like what is not there", hidden == nothing and hidden[0] == 404, (hidden, nothing))
    asked = [lambda t=t, f=f: f(f"{at}.{t}") for f in (delta_sharing.get_table_version, delta_sharing.get_table_metadata)
             for t in ("an", "khong-co")]
    codes = [refused(call) for call in asked]
    check("at every address", len(set(codes)) == 1 and codes[0][0] == 404, codes)
    for what, token in (("a wrong key", "tram_wrong"), ("no key", "")):
        told = json.loads(pathlib.Path(profile).read_text())
        other = folder / "other.share"
        other.write_text(json.dumps({**told, "bearerToken": token}))
        code = refused(lambda: delta_sharing.load_as_pandas(f"{other}#{share}.datasets.khong-khi"))
        check(f"{what} reads nothing", code[0] in (401, 403), code)


def addresses(client, node, share, url):
    file = client._rest_client.list_files_in_table(Table("khong-khi", share, "datasets")).add_files[0]
    with urllib.request.urlopen(file.url) as answer:
        check("an address is good without the key", answer.read(4) == b"PAR1")
    for what, bad in (("another signature", file.url[:-2] + ("00" if file.url[-2:] != "00" else "11")),
                      ("another file", file.url.replace("/0.parquet", "/1.parquet")),
                      ("no signature", file.url.split("?")[0])):
        try:
            status = urllib.request.urlopen(bad).status
        except urllib.error.HTTPError as error:
            status = error.code
        check(f"{what} is none", status == 401, status)
    # Stricter rules end what was given.
    node.rules({**SHOWN, "columns": ["so", "tram"], "mask": {}})
    try:
        status = urllib.request.urlopen(file.url).status
    except urllib.error.HTTPError as error:
        status = error.code
    check("a stricter rule ends an address", status == 403, status)
    whole = delta_sharing.load_as_pandas(url)
    check("and the table has what is left", list(whole.columns) == ["so", "tram"], list(whole.columns))
    code = refused(lambda: delta_sharing.load_table_changes_as_pandas(url, starting_version=2))
    check("changes are not told across rules", code[0] in (200, 400), code)


def main():
    node = Node(sys.argv[1], sys.argv[2])
    folder = node.folder.parent
    node.serve()
    try:
        for name, rows in (("khong-khi", range(ROWS)), ("kin", range(5)), ("an", range(5))):
            node.add(name, table(rows))
        node.add("tram", STATIONS)
        node.rules(SHOWN)
        node.run("party", "add", PARTY, "--name", "Báo", "--group", "press")
        profile = folder / "bao.share"
        profile.unlink(missing_ok=True)
        node.run("party", "key", PARTY, "--purpose", PURPOSE, "--basis", "law", "--delta", str(profile))
        check("the profile is for its owner's eyes", profile.stat().st_mode & 0o077 == 0, oct(profile.stat().st_mode))
        client = delta_sharing.SharingClient(str(profile))
        share = client.list_shares()[0].name
        url = f"{profile}#{share}.datasets.khong-khi"
        lists(client, share)
        reads(url, range(ROWS))
        hints(client, url, profile, share)
        versions(client, node, url, share, json.loads(profile.read_text())["bearerToken"])
        refusals(node, profile, share, folder)
        addresses(client, node, share, url)
    finally:
        node.process.terminate()
        node.process.wait()
    passed = sum(results)
    print(f"delta-sharing {delta_sharing.__version__}, pandas {pandas.__version__}")
    print(f"{passed} passed, {len(results) - passed} failed")
    sys.exit(passed != len(results))


main()
