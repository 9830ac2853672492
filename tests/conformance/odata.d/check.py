"""Reads a node's tables with clients of OData that we did not write, and as Excel and Power BI ask.

    check.py TRAM NODE MODULES    the binary, a folder for a node (made anew), the `node_modules` with @odata/client

Power Query (Excel, Power BI) is a program for Windows: what it sends is played here, request by request, as its documentation
and the traces in public issues of its connector have it. `power_query` says what each request is for.
"""

import atexit
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import traceback
import xml.etree.ElementTree as ElementTree

import pandas
import requests
from odata import ODataService
from odata.exceptions import ODataError

ROWS = 12_000
PURPOSE = "air-quality-management"
ALWAYS = "2020-01-01T00:00Z, 9999-12-31T00:00Z"
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
# What Power Query sends with every request for data.
POWER_QUERY = {
    "Accept": "application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,"
              "application/atomsvc+xml;q=0.8,application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7",
    "MaxDataServiceVersion": "3.0",
    "OData-MaxVersion": "4.0",
    "User-Agent": "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)",
}
outcomes = []


def check(what, holds, told=""):
    outcomes.append(bool(holds))
    print(f"{'passed' if holds else 'FAILED'}: {what}{'' if holds else f': {told}'}", flush=True)


def attempt(what, run):
    """A reader that breaks off has failed in what it was asked; the others go on."""
    try:
        run()
    except Exception:  # noqa: BLE001: whatever a client throws is an outcome
        check(what, False, traceback.format_exc())


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Node:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        shutil.rmtree(folder, ignore_errors=True)
        # What a node keeps beside its folder, so that an old copy of the folder is noticed.
        self.folder.with_name(f".{self.folder.name}.checkpoint").unlink(missing_ok=True)
        peer, local, public = (f"127.0.0.1:{port}" for port in free_ports(3))
        self.run("init", "--id", "urn:agency:vn:test:odata", "--name", "Môi trường", "--listen", peer, "--local", local,
                 "--public", public)
        self.service = f"http://{public}/odata/v4/"
        log = open(self.folder.with_suffix(".log"), "wb")
        process = subprocess.Popen([self.binary, "--dir", str(self.folder), "serve"], stdout=log, stderr=log)
        atexit.register(process.kill)
        for _ in range(600):
            if self.try_run("status").returncode == 0:
                return
            time.sleep(0.1)
        sys.exit(f"the node does not start; see {log.name}")

    def try_run(self, *words):
        return subprocess.run(
            [self.binary, "--dir", str(self.folder), "--json", *words], capture_output=True, text=True, encoding="utf-8")

    def run(self, *words):
        done = self.try_run(*words)
        if done.returncode:
            sys.exit(f"`tram {' '.join(words)}`: {done.stderr or done.stdout}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def publish(self, name, text):
        file = self.folder.parent / f"{name}.csv"
        file.write_text(text, encoding="utf-8")
        self.run("dataset", "add", str(file), "--name", name, "--kind", "default", "--class", "1", "--personal", "none")
        self.run("dataset", "validate", name)
        self.run("dataset", "publish", name)

    def apply(self, rows, obligations):
        folder = self.folder.parent / "rules"
        folder.mkdir(exist_ok=True)
        texts = {"policy.csv": "\n".join(rows) + "\n", "duties.csv": "# none\n", "reasons.json": "{}", "cases.json": "[]",
                 "obligations.json": json.dumps(obligations)}
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        self.run("policy", "apply", str(folder))


def table():
    lines = ["so,tram,Giờ đo,ngay,pm25,nguoi,tot"]
    for n in range(ROWS):
        day = f"2023-{1 + n % 12:02d}-{1 + n % 28:02d}"
        pm25 = "" if n % 11 == 3 else f"{n % 300}.5"
        lines.append(f"{n},Trạm {n % 7},{day}T{n % 24:02d}:00:00,{day},{pm25},SECRET-{n},{'true' if n % 2 else 'false'}")
    return "\n".join(lines) + "\n"


def scene(binary, folder):
    node = Node(binary, folder)
    node.publish("khong-khi", table())
    node.publish("kin", "a,b\n1,2\n")
    node.publish("chi-biet", "a,b\n1,2\n")
    rule = "p, {id}, {prio}, {who}, {what}, {action}, {purpose}, *, {deed}, *, 0, 9, " + ALWAYS + ", {duty}, allow"
    rows = []
    for what in ("ds:khong-khi", "ds:chi-biet"):
        for action in ("discover", "metadata"):
            rows.append(rule.format(id=f"T-{len(rows)}", prio=10, who="gr:press", what=what, action=action, purpose="*",
                                    deed="*", duty="-"))
    rows.append(rule.format(id="T-Q", prio=30, who="gr:press", what="ds:khong-khi", action="query", purpose=f"pu:{PURPOSE}",
                            deed="+", duty="T-OB"))
    node.apply(rows, {"T-OB": {"mask": {"nguoi": "hash"}}})
    node.run("party", "add", "urn:party:vn:bao", "--name", "Báo", "--group", "press")
    key = node.run("party", "key", "urn:party:vn:bao", "--purpose", PURPOSE, "--basis", "law")["key"]
    return node, key


def python_odata(node, key):
    auth = requests.auth.HTTPBasicAuth("excel", key)
    service = ODataService(node.service, auth=auth, reflect_entities=True, quiet_progress=True)
    check("python-odata finds the one set", list(service.entities) == ["khong_khi"], list(service.entities))
    air = service.entities["khong_khi"]
    rows = service.query(air).all()
    check("python-odata reads all rows, page by page", [r.so for r in rows] == list(range(ROWS)), len(rows))
    check("python-odata sees the kinds", (type(rows[1].pm25), type(rows[1].tot), rows[1].ngay) == (float, bool, "2023-02-02"))
    check("python-odata reads times", rows[1].Giờ_đo.year == 2023, rows[1].Giờ_đo)
    check("python-odata sees no masked value", not any("SECRET" in r.nguoi for r in rows))
    # It knows neither Edm.Double nor Edm.Date and takes both for texts, so it compares whole numbers here.
    some = service.query(air).filter(air.so > 100).filter(air.tram == "Trạm 3").order_by(air.so.desc()).limit(5).all()
    wanted = [n for n in range(ROWS) if n > 100 and n % 7 == 3][::-1][:5]
    check("python-odata filters, sorts and limits", [r.so for r in some] == wanted, [r.so for r in some])
    part = service.query(air).select(air.so, air.tram).filter(air.tram.contains("ạm 5")).all()
    check("python-odata selects, and asks what the engine cannot", len(part) == len(range(5, ROWS, 7)), len(part))
    check("python-odata: only what was selected comes", all(set(r) == {"so", "tram"} for r in part))
    check("python-odata counts", service.query(air).filter(air.tot == True).count() == ROWS // 2)  # noqa: E712
    skipped = service.query(air).order_by(air.so.asc()).offset(20).limit(3).all()
    check("python-odata skips", [r.so for r in skipped] == [20, 21, 22], [r.so for r in skipped])
    try:
        service.query(air).filter("so add 1 eq 2").all()
        check("python-odata is told what is not done", False, "no error")
    except ODataError as error:
        check("python-odata is told what is not done", "501" in str(error) and "add" in str(error), str(error))


def read_all(session, url, **fields):
    """Every page of an answer: the rows, and how many pages."""
    rows, pages = [], 0
    while url:
        answer = session.get(url, headers=fields)
        answer.raise_for_status()
        page = answer.json()
        rows += page["value"]
        pages, url = pages + 1, page.get("@odata.nextLink")
    return rows, pages


def read_pandas(node, key):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {key}"
    rows, pages = read_all(session, node.service + "khong_khi?$filter=year(ngay) eq 2023 and month(ngay) le 6")
    frame = pandas.DataFrame(rows).set_index("_row")
    frame["Giờ_đo"] = pandas.to_datetime(frame["Giờ_đo"])
    wanted = [n for n in range(ROWS) if n % 12 < 6]
    check("pandas reads the pages of a filter", frame["so"].tolist() == wanted and pages > 1, (len(frame), pages))
    check("pandas has times and missing values", str(frame["Giờ_đo"].dt.tz) == "UTC" and frame["pm25"].isna().sum() ==
          sum(1 for n in wanted if n % 11 == 3))
    check("pandas: the rows are numbered from 1 on", list(frame.index) == list(range(1, len(frame) + 1)))


def power_query(node, key):
    session = requests.Session()
    session.headers.update(POWER_QUERY)
    # 1. Anonymous first, until the user says otherwise: an empty list, never an error.
    root = session.get(node.service)
    check("Power Query without a key sees nothing", root.status_code == 200 and root.json()["value"] == [], root.text)
    # 2. Basic, with the key as password; a wrong one must be 401 with a challenge, or no dialogue opens.
    wrong = session.get(node.service, auth=("", "tram_wrong"))
    check("Power Query is asked for another key", wrong.status_code == 401 and "Basic" in wrong.headers["WWW-Authenticate"])
    session.auth = ("", key)
    # 3. The service document for the navigator.
    root = session.get(node.service)
    document = root.json()
    check("Power Query: service document", document["@odata.context"].endswith("$metadata") and
          [(s["name"], s["kind"], s["url"]) for s in document["value"]] == [("khong_khi", "EntitySet", "khong_khi")], document)
    check("Power Query: version and content type", root.headers["OData-Version"] == "4.0" and
          root.headers["Content-Type"].startswith("application/json;odata.metadata=minimal"), root.headers)
    # 4. The metadata, as XML whatever the rest of the list says.
    answer = session.get(document["@odata.context"], headers={"Accept": "application/xml"})
    schema = ElementTree.fromstring(answer.content)
    kinds = {p.get("Name"): p.get("Type") for p in schema.iter(f"{EDM}Property")}
    check("Power Query: metadata", kinds == {
        "_row": "Edm.Int64", "so": "Edm.Int64", "tram": "Edm.String", "Giờ_đo": "Edm.DateTimeOffset", "ngay": "Edm.Date",
        "pm25": "Edm.Double", "nguoi": "Edm.String", "tot": "Edm.Boolean"}, kinds)
    keys = [k.get("Name") for k in schema.iter(f"{EDM}PropertyRef")]
    sets = [(s.get("Name"), s.get("EntityType")) for s in schema.iter(f"{EDM}EntitySet")]
    check("Power Query: a key and a set", (keys, sets) == (["_row"], [("khong_khi", "tram.khong_khi")]), (keys, sets))
    # 5. The preview.
    preview = session.get(node.service + "khong_khi?$top=1000").json()["value"]
    check("Power Query: preview", [row["so"] for row in preview] == list(range(1_000)), len(preview))
    # 6. Steps that are folded into the address.
    folded = [
        ("$filter=pm25 gt 100 and tram eq 'Trạm 3'&$select=so,tram", lambda n: n % 11 != 3 and n % 300 + .5 > 100 and n % 7 == 3),
        ("$filter=startswith(tram, 'Trạm') and not (so lt 11000)", lambda n: n >= 11_000),
        ("$filter=endswith(tram, '6') or pm25 eq null", lambda n: n % 7 == 6 or n % 11 == 3),
        ("$filter=pm25 ne null and (so eq 4 or so eq 5 or tot eq false and so le 8)", lambda n: n in (0, 2, 4, 5, 6, 8)),
        ("$filter=Giờ_đo ge 2023-12-01T00:00:00Z and Giờ_đo lt 2024-01-01T00:00:00%2B00:00", lambda n: n % 12 == 11),
        ("$filter=ngay ge 2023-12-01&$orderby=so", lambda n: n % 12 == 11),
        ("$filter=tolower(tram) eq 'trạm 2' and hour(Giờ_đo) eq 5", lambda n: n % 7 == 2 and n % 24 == 5),
    ]
    for query, holds in folded:
        rows, _ = read_all(session, f"{node.service}khong_khi?{query}")
        wanted = [n for n in range(ROWS) if holds(n)]
        check(f"Power Query folds {query}", [r["so"] for r in rows] == wanted, (len(rows), len(wanted)))
    # 7. Table.RowCount, in both ways.
    plain = session.get(node.service + "khong_khi/$count?$filter=tot eq true")
    check("Power Query: $count", plain.text == str(ROWS // 2) and plain.headers["Content-Type"].startswith("text/plain"), plain.text)
    counted = session.get(node.service + "khong_khi?$filter=tot eq true&$count=true&$top=0").json()
    check("Power Query: $count=true", (counted["@odata.count"], counted["value"]) == (ROWS // 2, []), counted)
    # 8. The load: every page.
    rows, pages = read_all(session, node.service + "khong_khi")
    check("Power Query loads every page", [r["so"] for r in rows] == list(range(ROWS)) and pages == 3, (len(rows), pages))
    # 9. What there is no right to.
    hidden, unknown = (session.get(node.service + name) for name in ("kin", "khong_co"))
    check("a hidden set is as one that is not there", hidden.status_code == unknown.status_code == 404 and
          hidden.content == unknown.content, (hidden.text, unknown.text))
    refused = session.get(node.service + "chi_biet")
    check("a set that may be known and not queried is refused with its reason", refused.status_code == 403 and
          refused.json()["error"]["code"] and "legal basis" in refused.json()["error"]["message"], refused.text)
    # 10. Refresh through a proxy of old make: HEAD.
    head = session.head(node.service + "khong_khi")
    check("HEAD", (head.status_code, head.content) == (200, b""), head.status_code)
    check("nothing is written", session.post(node.service + "khong_khi", json={}).status_code == 405)


def npm_client(node, key, modules):
    script = pathlib.Path(__file__).with_name("client.js")
    done = subprocess.run(["node", str(script), node.service, key, "khong_khi"], capture_output=True, text=True,
                          encoding="utf-8", env={**os.environ, "NODE_PATH": modules}, timeout=300)
    if done.returncode:
        check("@odata/client runs", False, done.stderr)
        return
    got = json.loads(done.stdout)
    wanted = [n for n in range(ROWS) if n % 11 != 3 and n % 300 + 0.5 > 100 and n % 7 == 3][::-1][:5]
    check("@odata/client counts", got["count"] == ROWS, got["count"])
    check("@odata/client filters, sorts, selects", [r["so"] for r in got["filtered"]] == wanted, got["filtered"])
    check("@odata/client gets what it selected", all(set(r) == {"so", "tram", "pm25"} for r in got["filtered"]))
    check("@odata/client skips", [r["so"] for r in got["skipped"]] == [10, 11], got["skipped"])
    check("@odata/client finds", [r["tram"] for r in got["found"]] == ["Trạm 0"], got["found"])
    check("@odata/client is told why", "shown to you" in (got["refused"] or ""), got["refused"])


def main():
    binary, folder, modules = sys.argv[1:]
    node, key = scene(binary, folder)
    attempt("python-odata", lambda: python_odata(node, key))
    attempt("pandas", lambda: read_pandas(node, key))
    attempt("Power Query", lambda: power_query(node, key))
    attempt("@odata/client", lambda: npm_client(node, key, modules))
    failed = outcomes.count(False)
    print(f"{outcomes.count(True)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
