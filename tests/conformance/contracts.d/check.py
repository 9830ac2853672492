"""Puts contracts and rows to a node (`tram dataset add`, `tram dataset validate`) and to `datacontract`, and compares.

    check.py TRAM NODE DATA    the binary, a folder for a node (made anew), the directory of the real tables

Each draft that the node writes must be valid to `datacontract lint`, and hold for the file it was drafted from. Then each promise
of a corpus is put to tables of our own, good and bad: both must find it kept or broken, and where it is broken by a number, that
number. What is known to differ stands in DIFFERENCES.
"""

import copy
import csv
import json
import logging
import pathlib
import re
import shutil
import subprocess
import sys

import yaml
from datacontract.data_contract import DataContract

# `datacontract` reads a CSV with DuckDB's own idea of what is missing: the cell that is empty. The node writes a word such as
# `NA` into the server's `customProperties`, which that tool does not look at, so such a table is put to it with empty cells.
DIFFERENCES = {"dengue-districts": "NA"}

logging.disable(logging.CRITICAL)


class Node:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        shutil.rmtree(folder, ignore_errors=True)
        # What a node keeps beside its folder, so that an old copy of the folder is noticed.
        folder = pathlib.Path(folder)
        folder.with_name(f".{folder.name}.checkpoint").unlink(missing_ok=True)
        self.run("init", "--id", "urn:agency:vn:test:contracts", "--name", "Hợp đồng")

    def run(self, *words):
        done = subprocess.run(
            [self.binary, "--dir", str(self.folder), "--json", *words], capture_output=True, text=True, encoding="utf-8")
        return done

    def add(self, path):
        done = self.run("dataset", "add", str(path))
        if done.returncode:
            sys.exit(f"`tram dataset add {path.name}`: {done.stderr}")
        return self.folder / "contracts" / f"{path.stem}.yaml"

    def keeps(self, name):
        """Whether the rows keep the contract, and what the node says otherwise."""
        done = self.run("dataset", "validate", name)
        if done.returncode not in (0, 2):
            sys.exit(f"`tram dataset validate {name}` ended with {done.returncode}: {done.stderr}")
        return done.returncode == 0, done.stderr


def theirs(path):
    """Whether the standard's tool finds the contract kept; the numbers that it found where not."""
    run = DataContract(data_contract_file=str(path)).test()
    broken = [c for c in run.checks if c.result.value not in ("passed", "info")]
    errors = [c for c in broken if c.result.value == "error" or not (c.reason or "").startswith("Actual")]
    if errors or not run.checks:
        return None, [f"{c.name}: {c.reason}" for c in errors]
    numbers = [re.search(r"\) was ([0-9.]+)", c.reason or "") for c in broken]
    return not broken, [n.group(1) for n in numbers if n]


def table(rows):
    """Stations with a few of everything that a promise can be about."""
    lines = [["ma", "tram", "luc", "pm25", "phuong"]]
    for i in range(rows):
        pm25 = "" if i % 7 == 3 else f"{i}.5"
        lines.append([f"S{i:03d}", f"t{i % 3}", f"2024-01-{1 + i % 28:02d}", pm25, f"0000{i % 4}"])
    return lines


def on(column, **promise):
    return lambda t, columns: columns[column].update(promise)


def of_table(*rules):
    return lambda t, columns: t.update(quality=list(rules))


def corpus():
    """Promises: a name, and what it does to the contract. About half of them hold for some of the tables."""
    yield "nothing but the draft", lambda t, columns: None
    for column in ("ma", "tram", "phuong"):
        yield f"unique {column}", on(column, unique=True)
    for column in ("ma", "pm25"):
        yield f"required {column}", on(column, required=True)
    for low, high in ((0, 100), (0, 10), (5, 100)):
        yield f"pm25 from {low} to {high}", on("pm25", logicalTypeOptions={"minimum": low, "maximum": high})
    for pattern in ("^0000[0-3]$", "^0000[0-2]$"):
        yield f"pattern {pattern}", on("phuong", logicalTypeOptions={"pattern": pattern})
    for low, high in ((4, 4), (5, 9), (1, 3)):
        yield f"length {low} to {high}", on("ma", logicalTypeOptions={"minLength": low, "maxLength": high})
    comparisons = ("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo")
    for comparison in comparisons:
        for bound in (0, 4, 30):
            rule = {comparison: bound}
            yield f"rowCount {rule}", of_table({"metric": "rowCount", **rule})
            yield f"nullValues {rule}", on("pm25", quality=[{"metric": "nullValues", **rule}])
            yield f"duplicateValues {rule}", on("phuong", quality=[{"metric": "duplicateValues", **rule}])
            invalid = {"metric": "invalidValues", "arguments": {"validValues": ["00000", "00001", "00002"]}, **rule}
            yield f"invalidValues {rule}", on("phuong", quality=[invalid])
    for low, high in ((0, 5), (10, 50)):
        yield f"rowCount between {low} and {high}", of_table({"metric": "rowCount", "mustBeBetween": [low, high]})
    for percent in (5, 50):
        rule = {"metric": "nullValues", "unit": "percent", "mustBeLessThan": percent}
        yield f"nullValues below {percent} %", on("pm25", quality=[rule])
    missing = {"metric": "missingValues", "arguments": {"missingValues": ["t0"]}, "mustBe": 0}
    yield "missingValues", on("tram", quality=[missing])
    pairs = {"metric": "duplicateValues", "arguments": {"properties": ["tram", "phuong"]}, "mustBe": 0}
    yield "duplicateValues of two columns", of_table(pairs)


def drafts(node, data, problems):
    """The real tables: drafts valid to the standard's tool, and kept by their own file for both."""
    tried = 0
    for name in ("hanoi-air-quality", "traffic-provinces", "dengue-districts"):
        path = data / f"{name}.csv"
        if not path.exists():
            print(f"NOT COMPARED: {path} is not there", file=sys.stderr)
            continue
        if word := DIFFERENCES.get(name):
            with path.open(newline="", encoding="utf-8") as file:
                rows = [["" if cell == word else cell for cell in row] for row in csv.reader(file)]
            path = node.folder.parent / path.name
            write(path, rows)
        contract = node.add(path)
        linted = DataContract(data_contract_file=str(contract)).lint()
        if linted.result.value != "passed":
            problems.append(f"{name}: `datacontract lint` says {[c.reason for c in linted.checks]}")
        ours, why = node.keeps(name)
        found, numbers = theirs(contract)
        if not ours or not found:
            problems.append(f"{name}: its own draft is not kept: {why or numbers}")
        tried += 1
    return tried


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def promises(node, problems):
    """Each promise over tables of several sizes: the same word of both, and their number in ours."""
    tried, broken = 0, 0
    for rows in (4, 30):
        path = node.folder.parent / f"do-{rows}.csv"
        write(path, table(rows))
        contract = node.add(path)
        draft = yaml.safe_load(contract.read_text(encoding="utf-8"))
        # Its day is left a text: yaml gives a datetime that JSON and the standard's schema do not know.
        draft["contractCreatedTs"] = "2026-01-01T00:00:00Z"
        for what, change in corpus():
            doc = copy.deepcopy(draft)
            one = doc["schema"][0]
            change(one, {p["name"]: p for p in one["properties"]})
            contract.write_text(yaml.safe_dump(doc, allow_unicode=True, sort_keys=False), encoding="utf-8")
            ours, why = node.keeps(path.stem)
            found, numbers = theirs(contract)
            tried += 1
            broken += not ours
            if found is None:
                problems.append(f"{path.name}, {what}: `datacontract test` could not tell: {numbers}")
            elif ours != found:
                problems.append(f"{path.name}, {what}: ours says kept={ours}, theirs {found}\n  {why}{numbers}")
            elif not ours and "metric" in json.dumps(doc) and not all(number_in(why, n) for n in numbers):
                problems.append(f"{path.name}, {what}: theirs counts {numbers}, ours says\n  {why}")
    return tried, broken


def number_in(text, number):
    """Whether the figure stands in our words, as written or rounded to two decimals."""
    figures = {float(f.replace(",", ".")) for f in re.findall(r"\d+(?:[.,]\d+)?", text)}
    return any(abs(f - float(number)) < 0.006 for f in figures)


def main():
    folder = pathlib.Path(sys.argv[2])
    node, problems = Node(sys.argv[1], folder), []
    tables = drafts(node, pathlib.Path(sys.argv[3]), problems)
    tried, broken = promises(node, problems)
    for text in problems[:20]:
        print(text, file=sys.stderr)
    print(f"tests/conformance/contracts: {tables} drafts of real tables, {tried} promises ({broken} broken) against datacontract: "
          f"{len(problems)} differ")
    if tried < 180 or not 0 < broken < tried:
        sys.exit("too little was compared")
    sys.exit(1 if problems else 0)


main()
