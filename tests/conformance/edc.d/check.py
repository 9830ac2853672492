"""Starts a node and an Eclipse connector and has each get rows from the other. Called by `tests/conformance/edc`."""

import http.server
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

TRAM, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
NODE, EDC, PARTY = "urn:agency:vn:tram", "edc-connector", "urn:party:edc"
PROTOCOL = "dataspace-protocol-http:2025-1"
CONTEXT = {"@vocab": "https://w3id.org/edc/v0.0.1/ns/"}
ODRL = "http://www.w3.org/ns/odrl.jsonld"
OURS = "ma,ten\n1,Đồng Xuân\n2,Bến Thành\n"
THEIRS = b"id,name\n1,one\n2,two\n3,three\n"
PATIENCE = 60
results = {"passed": 0, "failed": 0}


def check(what, held, told=""):
    results["passed" if held else "failed"] += 1
    print(("ok      " if held else "FAILED  ") + what + ("" if held else f": {told}"), file=sys.stderr)
    return held


def ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    return [one.getsockname()[1] for one in held]


def ask(url, body=None, headers=None):
    """Status and body of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Source(http.server.BaseHTTPRequestHandler):
    """Where the connector has its rows."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(THEIRS)

    def log_message(self, *_):
        pass


class Connector:
    def __init__(self, folder, source):
        api, management, protocol, control, public = ports(5)
        self.management = f"http://127.0.0.1:{management}/management"
        self.dsp = f"http://127.0.0.1:{protocol}/protocol"
        self.public = f"http://127.0.0.1:{public}/public"
        self.source = source
        settings = {
            "edc.participant.id": EDC,
            "edc.participant.context.id": EDC,
            "edc.hostname": "127.0.0.1",
            "edc.dsp.callback.address": self.dsp,
            "edc.transfer.proxy.token.signer.privatekey.alias": "private-key",
            "edc.transfer.proxy.token.verifier.publickey.alias": "public-key",
            "edc.dpf.selector.url": f"http://127.0.0.1:{control}/control/v1/dataplanes",
            "web.http.port": api, "web.http.path": "/api",
            "web.http.management.port": management, "web.http.management.path": "/management",
            "web.http.protocol.port": protocol, "web.http.protocol.path": "/protocol",
            "web.http.control.port": control, "web.http.control.path": "/control",
            "web.http.public.port": public,
        }
        path = folder / "edc.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.log = open(WORK / "edc.log", "w")
        classes = f"{WORK / 'classes'}:{WORK / 'jars'}/*"
        self.process = subprocess.Popen(
            ["java", f"-Dedc.fs.config={path}", "-cp", classes, "org.eclipse.edc.boot.system.runtime.BaseRuntime"],
            stdout=self.log, stderr=subprocess.STDOUT)

    def wait(self):
        for _ in range(PATIENCE * 4):
            if " ready" in (WORK / "edc.log").read_text():
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.25)
        return False

    def call(self, path, body=None):
        status, answer = ask(self.management + path, body)
        if status >= 300:
            raise RuntimeError(f"{path}: {status} {answer[:400]}")
        return json.loads(answer) if answer else None

    def until(self, path, *ends):
        for _ in range(PATIENCE * 4):
            told = self.call(path)
            if told["state"] in ends:
                return told
            time.sleep(0.25)
        return told

    def offer(self):
        address = {"@type": "DataAddress", "type": "HttpData", "baseUrl": self.source}
        self.call("/v3/assets", {"@context": CONTEXT, "@id": "theirs", "properties": {"name": "t"}, "dataAddress": address})
        self.call("/v3/policydefinitions", {"@context": [ODRL, CONTEXT], "@id": "all",
                                            "policy": {"@type": "Set", "permission": [{"action": "use"}]}})
        self.call("/v3/contractdefinitions", {"@context": CONTEXT, "@id": "for-all", "accessPolicyId": "all",
                                              "contractPolicyId": "all", "assetsSelector": []})


class Node:
    def __init__(self, folder):
        self.folder = folder / "node"
        peer, local, public = ports(3)
        self.public = f"http://127.0.0.1:{public}"
        self.run("init", "--id", NODE, "--name", "Nút thử", "--listen", f"127.0.0.1:{peer}",
                 "--local", f"127.0.0.1:{local}", "--public", f"127.0.0.1:{public}")
        self.log = open(WORK / "node.log", "w")
        self.process = subprocess.Popen([TRAM, "--dir", str(self.folder), "serve"], stdout=self.log, stderr=self.log)
        for _ in range(PATIENCE * 4):
            if self.try_run("status").returncode == 0:
                return
            time.sleep(0.25)
        raise RuntimeError("the node does not start")

    def try_run(self, *words):
        return subprocess.run([TRAM, "--dir", str(self.folder), *words], capture_output=True, text=True)

    def run(self, *words):
        done = self.try_run(*words)
        if done.returncode != 0:
            raise RuntimeError(f"tram {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def offer(self, folder):
        rows = folder / "cho.csv"
        rows.write_text(OURS)
        for name in ("cho", "kin"):
            self.run("dataset", "add", str(rows), "--name", name, "--kind", "default", "--class", "1", "--personal", "none")
            self.run("dataset", "validate", name)
            self.run("dataset", "publish", name)
        rules = folder / "rules"
        rules.mkdir()
        always = "2020-01-01T00:00Z, 9999-12-31T00:00Z"
        row = "p, T-{0}, 10, ag:{1}, ds:cho, {0}, *, *, *, *, 0, 9, {2}, -, allow\n"
        actions = ("discover", "metadata", "query", "download")
        (rules / "policy.csv").write_text("".join(row.format(action, PARTY, always) for action in actions))
        (rules / "duties.csv").write_text("# none\n")
        for name, text in (("obligations", "{}"), ("reasons", "{}"), ("cases", "[]")):
            (rules / f"{name}.json").write_text(text)
        self.run("policy", "apply", str(rules))


def they_ask(edc, node):
    """The connector is consumer, the node provider."""
    base = f"{node.public}/dsp/2025-1"
    wish = {"@context": CONTEXT, "counterPartyAddress": base, "counterPartyId": NODE, "protocol": PROTOCOL}
    catalog = edc.call("/v3/catalog/request", wish)
    found = catalog.get("dataset", [])
    found = found if isinstance(found, list) else [found]
    ids = [dataset["@id"] for dataset in found]
    if not check("the connector reads the node's catalog, and in it what the rules show", ids == [f"{NODE}/cho"], catalog):
        return
    offer = found[0]["hasPolicy"]
    offer = dict(offer[0] if isinstance(offer, list) else offer)
    offer.update({"assigner": NODE, "target": ids[0]})
    begun = edc.call("/v3/contractnegotiations", {
        "@context": [ODRL, CONTEXT], "@type": "ContractRequest", "counterPartyAddress": base, "protocol": PROTOCOL,
        "policy": offer})
    told = edc.until(f"/v3/contractnegotiations/{begun['@id']}", "FINALIZED", "TERMINATED")
    if not check("the connector's negotiation with the node is final", told["state"] == "FINALIZED", told):
        return
    begun = edc.call("/v3/transferprocesses", {
        "@context": CONTEXT, "@type": "TransferRequest", "counterPartyAddress": base, "protocol": PROTOCOL,
        "contractId": told["contractAgreementId"], "transferType": "HttpData-PULL"})
    told = edc.until(f"/v3/transferprocesses/{begun['@id']}", "STARTED", "TERMINATED")
    if not check("the node starts the transfer", told["state"] == "STARTED", told):
        return
    for _ in range(PATIENCE):
        status, got = ask(f"{edc.public}/got/{begun['@id']}")
        if status == 200:
            break
        time.sleep(0.25)
    if not check("the connector keeps the address and the token", status == 200, (status, got[:300])):
        return
    got = {key.rsplit("/", 1)[-1]: value for key, value in json.loads(got or b"{}").items()}
    token = got.get("authorization", "")
    bearer = token if token.lower().startswith("bearer ") else f"Bearer {token}"
    status, rows = ask(got.get("endpoint", ""), headers={"Authorization": bearer})
    check("the connector pulls the node's rows", status == 200 and rows.decode() == OURS, (status, rows[:300]))
    status, _ = ask(got.get("endpoint", ""), headers={"Authorization": "Bearer other"})
    check("nobody pulls them with another token", status in (401, 403, 404), status)


def we_ask(node, folder):
    """The node is consumer, the connector provider."""
    out = folder / "got.csv"
    done = node.try_run("connector", "get", PARTY, "theirs", "--purpose", "statistics", "--basis", "law", "--out", str(out))
    if check("the node negotiates with the connector and pulls", done.returncode == 0, done.stdout + done.stderr):
        check("the rows are those of the connector's source", out.read_bytes() == THEIRS, out.read_bytes()[:300])
    done = node.try_run("connector", "get", PARTY, "no-such", "--out", str(folder / "none.csv"))
    check("what the connector does not offer is an error that says so", done.returncode != 0, done.stdout)


def main():
    source = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Source)
    threading.Thread(target=source.serve_forever, daemon=True).start()
    running = []
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        folder = pathlib.Path(name)
        try:
            edc = Connector(folder, f"http://127.0.0.1:{source.server_port}/rows.csv")
            running.append(edc)
            node = Node(folder)
            running.append(node)
            node.offer(folder)
            if not check("the connector starts", edc.wait(), "its words are in edc.log beside the build"):
                return
            edc.offer()
            node.run("party", "add", PARTY, "--name", "Eclipse")
            node.run("connector", "add", PARTY, "--participant", EDC, "--endpoint", f"{edc.dsp}/2025-1",
                     "--data", edc.public, "--auth", "mock")
            they_ask(edc, node)
            we_ask(node, folder)
            refused = ask(f"{node.public}/dsp/2025-1/catalog/request", {}, {"Authorization": '{"clientId":"nobody"}'})
            check("a claim of an unknown connector is refused", refused[0] == 401, refused)
        except Exception as error:  # whatever it is, it is a failure and the others' end is tidy
            check("the run goes through", False, repr(error))
        finally:
            for one in reversed(running):
                one.process.terminate()
                one.process.wait(30)


main()
print(f"{results['passed']} passed, {results['failed']} failed")
sys.exit(1 if results["failed"] or not results["passed"] else 0)
