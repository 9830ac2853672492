"""Starts a node with a public door and lets others judge its catalog.

    check.py TRAM POSTGRES-BIN SHAPES    the binary, the folder with `initdb`, the folder with DCAT-AP's shapes

Prints a line for each check and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import ckanapi
import rdflib
import rdflib.compare

HERE = pathlib.Path(__file__).parent
COUNT = 12
PAGE = 5
ENDINGS = ["ttl", "rdf", "jsonld"]
ALWAYS = "2020-01-01T00:00Z, 9999-12-31T00:00Z"
passed = failed = 0


def check(good, what, detail=""):
    global passed, failed
    passed, failed = passed + (1 if good else 0), failed + (0 if good else 1)
    print(("ok " if good else "FAILED ") + what + ("" if good else f": {detail}"), flush=True)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Node:
    """A node with datasets: most are open to the public, every fifth may only be known of, one is hidden."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.public = f"127.0.0.1:{free_port()}"
        self.base = f"http://{self.public}"
        words = ["--id", "urn:agency:vn:test:portal", "--name", "Sở Thử nghiệm", "--public", self.public]
        words += ["--listen", f"127.0.0.1:{free_port()}", "--local", f"127.0.0.1:{free_port()}"]
        self.run("init", *words)
        self.server = subprocess.Popen([binary, "--dir", str(folder), "serve"], stderr=open(folder.parent / "node.log", "w"))
        self.wait()
        tables = folder.parent / "tables"
        tables.mkdir()
        for number in range(COUNT + 1):
            self.add(tables, number)
        self.rules(folder.parent / "rules")

    def run(self, *words):
        done = subprocess.run([self.binary, "--dir", str(self.folder), *words], capture_output=True, text=True, encoding="utf-8")
        if done.returncode:
            sys.exit(f"`tram {' '.join(words[:3])}`: {done.stderr}{done.stdout}")
        return done.stdout

    def wait(self):
        for _ in range(300):
            try:
                return urllib.request.urlopen(f"{self.base}/robots.txt", timeout=5).read()
            except OSError:
                time.sleep(0.1)
        sys.exit("the node's public door does not open")

    def add(self, tables, number):
        name = "kin" if number == COUNT else f"bo-{number:02}"
        table = tables / f"{name}.csv"
        table.write_text(f"ma,gia_tri_{number}\n1,một\n2,hai\n", encoding="utf-8")
        words = ["--title", f"Bộ dữ liệu {number} – đường & phố <thử>", "--title-en", f"Dataset {number}"]
        words += ["--description", "Số liệu để thử.\nDòng thứ hai.", "--keyword", "đường phố", "--keyword", "a:b/c"]
        words += ["--theme", ["Giao thông", "Y tế", "Môi trường"][number % 3], "--class", "0", "--personal", "none", "--kind", "open"]
        self.run("dataset", "add", str(table), "--name", name, *words)
        self.run("dataset", "validate", name)
        self.run("dataset", "publish", name)

    def rules(self, folder):
        rows = []
        for number in range(COUNT):
            actions = ["discover"] if number % 5 == 0 else ["discover", "metadata", "query", "download"]
            rows += [
                f"p, T-{number}-{action.upper()}, 30, gr:public, ds:bo-{number:02}, {action}, *, *, *, *, 0, 9, {ALWAYS}, -, allow"
                for action in actions
            ]
        folder.mkdir()
        texts = {"policy.csv": "\n".join(rows) + "\n", "duties.csv": "# none\n"}
        texts |= {"obligations.json": "{}", "reasons.json": "{}", "cases.json": "[]"}
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        self.run("policy", "apply", str(folder))


def fetch(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read(), answer.headers.get_content_type()


def pages(base, ending):
    """The catalog, page by page, as a harvester follows it."""
    hydra = rdflib.Namespace("http://www.w3.org/ns/hydra/core#")
    url, found = f"{base}/catalog.{ending}?size={PAGE}", []
    while url:
        body, kind = fetch(url)
        graph = rdflib.Graph().parse(data=body, format=kind)
        found.append(graph)
        url = next((str(o) for o in graph.objects(None, hydra.next)), None)
    return found


def notations(base):
    """All notations say the same, and the pages hold each dataset once."""
    dcat = rdflib.Namespace("http://www.w3.org/ns/dcat#")
    read = {ending: pages(base, ending) for ending in ENDINGS}
    for ending, graphs in read.items():
        names = [s for graph in graphs for s in graph.subjects(rdflib.RDF.type, dcat.Dataset)]
        check(len(graphs) == 3, f"{ending}: hydra leads through all pages", len(graphs))
        check(len(names) == len(set(names)) == COUNT, f"{ending}: the pages hold each dataset once", len(names))
        text = "".join(graph.serialize(format="nt") for graph in graphs)
        check("/kin" not in text and "gia_tri_0" not in text, f"{ending}: nothing of the hidden dataset")

    def same(ending):
        strip = lambda graph: {tuple(x.n3().replace(f"catalog.{ending}?", "catalog?") for x in t) for t in graph}
        return [strip(graph) for graph in read[ending]]

    for ending in ENDINGS[1:]:
        check(same(ending) == same("ttl"), f"{ending} and ttl are the same graphs")
    return read


def shapes(folder, graphs):
    """The official shapes. Two of their properties have no path and stop pySHACL: those two are left out, as the shapes' own
    readme says."""
    import pyshacl

    file = folder / "dcat-ap-SHACL.ttl"
    if not file.is_file():
        print(f"skipped: no shapes of DCAT-AP: `{file}` is missing (TRAM_SHARED names the folder that holds vectors/)", flush=True)
        return
    sh = rdflib.Namespace("http://www.w3.org/ns/shacl#")
    judge = rdflib.Graph().parse(file)
    for shape, property in list(judge.subject_objects(sh.property)):
        if (property, sh.path, None) not in judge:
            judge.remove((shape, sh.property, property))

    def judged(graph):
        conforms, _, text = pyshacl.validate(graph, shacl_graph=judge, advanced=False, inference="none")
        return conforms, text

    whole = rdflib.Graph()
    for number, graph in enumerate(graphs, 1):
        conforms, text = judged(graph)
        check(conforms, f"page {number} keeps DCAT-AP's shapes", text[:2000])
        whole += graph
    conforms, text = judged(whole)
    check(conforms, "all pages together keep DCAT-AP's shapes", text[:2000])
    title = rdflib.URIRef("http://purl.org/dc/terms/description")
    whole.remove((None, title, None))
    check(not judged(whole)[0], "without descriptions the shapes are broken: they are looked at")


def ckan_client(base, folder):
    """`ckanapi`, its library and its command line."""
    with ckanapi.RemoteCKAN(base) as portal:
        check(portal.action.site_read() is True, "ckanapi: the site can be read")
        names = portal.action.package_list()
        check(len(names) == COUNT and "kin" not in names, "ckanapi: package_list", names)
        found = portal.action.package_search(rows=PAGE, start=PAGE, sort="id asc")
        check(found["count"] == COUNT and len(found["results"]) == PAGE, "ckanapi: package_search pages")
        try:
            portal.action.package_show(id="kin")
            check(False, "ckanapi: a hidden dataset is not found", "it was shown")
        except ckanapi.NotFound:
            check(True, "ckanapi: a hidden dataset is not found")
        try:
            portal.action.package_search(fq="nonsense:1")
            check(False, "ckanapi: a bad query is an error", "it was answered")
        except ckanapi.errors.SearchQueryError:
            check(True, "ckanapi: a bad query is an error")
    programs = pathlib.Path(sys.executable).parent
    tool = str(programs / "ckanapi")
    # Its workers are started by name.
    places = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    for thing, wanted in [("datasets", COUNT), ("organizations", 1), ("groups", 3)]:
        out = folder / f"{thing}.jsonl"
        words = [tool, "dump", thing, "--all", "-q", "-r", base, "-O", str(out)]
        done = subprocess.run(words, capture_output=True, text=True, env=places)
        lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
        check(done.returncode == 0 and len(lines) == wanted, f"ckanapi dump {thing} --all", (done.stderr[-300:], len(lines)))
    done = subprocess.run([tool, "search", "datasets", "q=bộ", "-r", base], capture_output=True, text=True)
    check(done.returncode == 0 and len(done.stdout.splitlines()) == COUNT, "ckanapi search datasets", done.stderr[-300:])


class Database:
    """A PostgreSQL of this run alone, on a socket in its own folder."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = binaries, folder
        folder.mkdir()
        # It refuses to run as root.
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        self.run("initdb", "-A", "trust", "-U", "ckan", "-D", folder / "data")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        self.run("pg_ctl", "-w", "-D", folder / "data", "-o", options, "-l", folder / "log", "start")
        self.run("createdb", "-h", folder, "-U", "ckan", "ckan")
        self.url = f"postgresql://ckan@/ckan?host={folder}"

    def run(self, program, *words):
        ids = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        words = [str(pathlib.Path(self.binaries) / program), *map(str, words)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **ids)

    def stop(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")


def harvest(node, binaries, folder):
    """CKAN's harvesters, in a process of their own. Between their runs one dataset changes its title and one is withdrawn."""
    global passed, failed
    database = Database(binaries, folder / "database")
    try:
        (folder / "ckan").mkdir()
        change = folder / "change.sh"
        tram = f"'{node.binary}' --dir '{node.folder}'"
        contract = node.folder / "contracts" / "bo-01.yaml"
        # A change of the contract counts from the next second on.
        change.write_text(
            f"set -e\nsleep 2\nsed -i 's/Dataset 1$/Dataset one/; s/Bộ dữ liệu 1 /Bộ dữ liệu một /' '{contract}'\n"
            f"{tram} dataset validate bo-01 >&2\n{tram} dataset publish bo-01 >&2\n{tram} dataset withdraw bo-02 >&2\n"
        )
        words = [sys.executable, str(HERE / "harvest.py"), node.base, database.url, str(folder / "ckan"), "--change", f"sh '{change}'"]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=open(folder / "ckan.log", "w"), text=True)
        for line in done.stdout.splitlines():
            if line.startswith(("ok ", "FAILED ")):
                print(line, flush=True)
                passed, failed = passed + line.startswith("ok "), failed + line.startswith("FAILED ")
        log = (folder / "ckan.log").read_text()[-2000:]
        check(done.returncode == 0, "CKAN's harvesters ran to their end", f"{done.returncode}: {log}")
    finally:
        database.stop()


def main():
    binary, binaries, vectors = sys.argv[1:4]
    # Outside the build: the database's own user must reach it.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tram-portal-"))
    folder.chmod(0o755)
    node = Node(binary, folder / "node")
    try:
        read = notations(node.base)
        shapes(pathlib.Path(vectors), read["ttl"])
        ckan_client(node.base, folder)
        harvest(node, binaries, folder)
    finally:
        node.server.terminate()
        node.server.wait()
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
