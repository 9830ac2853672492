"""Lets proofbundle and scitt-cose judge the proofs that `vectors make` wrote: `check.py DIR`.

proofbundle reads the files as they are: log signature, witness quorum, inclusion. scitt-cose gets leaf, path and
roots as numbers and hashes. Each must refuse what is tampered with. One line a check; exit code 1 when one failed.
"""

import base64
import sys
from pathlib import Path

import scitt_cose
from proofbundle import merkle, tlogproof
from proofbundle.errors import ProofBundleError

FAILED = 0


def report(name, fine, why=""):
    global FAILED
    FAILED += not fine
    print(f"ok {name}" if fine else f"FAIL {name}: {why}")


def b64(line):
    raw = base64.b64decode(line, validate=True)
    assert len(raw) == 32, line
    return raw


def root_of(checkpoint):
    """Size and root of a checkpoint's text."""
    lines = checkpoint.split("\n")
    return int(lines[1]), b64(lines[2])


def read_proof(text):
    """Index, path, size and root of a proof file; its grammar is proofbundle's to judge."""
    top, checkpoint = text.split("\n\n", 1)
    lines = [line for line in top.split("\n")[1:] if not line.startswith("extra ")]
    return int(lines[0].removeprefix("index ")), [b64(line) for line in lines[1:]], *root_of(checkpoint)


def proofbundle_says(text, leaf, log, witnesses, threshold):
    """Whether proofbundle accepts; a file that it cannot read is refused."""
    try:
        verdict = tlogproof.verify_tlog_proof(
            text, leaf, log, witness_vkeys=witnesses, threshold=threshold
        )
    except ProofBundleError:
        return False
    return verdict["ok"] is True


def scitt_says(leaf, index, size, path, root):
    hashes = [node.hex() for node in path]
    return scitt_cose.verify_inclusion(leaf.hex(), index, size, hashes, root.hex())


def flipped(raw, at=0):
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def replaced(text, line, how):
    """The text with one line changed; lines count from 0."""
    lines = text.split("\n")
    lines[line] = how(lines[line])
    return "\n".join(lines)


def other_letter(at):
    """Another base64 letter at that place, so that the line stays base64."""
    return lambda line: line[:at] + ("A" if line[at] != "A" else "B") + line[at + 1 :]


def tamperings(text, hashes):
    """Names and texts of the proof with one thing altered that counts."""
    lines = text.split("\n")
    start = next(n for n, line in enumerate(lines) if line.startswith("index "))
    origin = lines.index("", start) + 1
    index = lines[start].removeprefix("index ")
    yield "index", replaced(text, start, lambda _: f"index {int(index) + 1}")
    for n in range(hashes):
        yield f"hash {n}", replaced(text, start + 1 + n, other_letter(5))
    yield "origin", replaced(text, origin, lambda line: line + "x")
    yield "size", replaced(text, origin + 1, lambda line: str(int(line) + 1))
    yield "root", replaced(text, origin + 2, other_letter(9))
    signature = lines[origin + 4].rindex(" ") + 1
    yield "log signature", replaced(text, origin + 4, other_letter(signature + 30))
    if len(lines) > origin + 6:
        cosignature = lines[origin + 5].rindex(" ") + 1
        yield "cosignature", replaced(text, origin + 5, other_letter(cosignature + 40))
        yield "time of the cosignature", replaced(text, origin + 5, other_letter(cosignature + 12))


def check_proof(file, log, witness, threshold):
    text, leaf = file.read_text(), file.with_suffix(".leaf").read_bytes()
    witnesses = [witness] if threshold else []
    name = f"{file.parent.name}/{file.name}"
    index, path, size, root = read_proof(text)
    report(f"proofbundle: {name}", proofbundle_says(text, leaf, log, witnesses, threshold), "refused")
    report(f"scitt-cose: {name}", scitt_says(leaf, index, size, path, root), "refused")

    for what, altered in tamperings(text, len(path)):
        fine = not proofbundle_says(altered, leaf, log, witnesses, threshold)
        report(f"proofbundle: {what} altered in {name}", fine, "accepted")
    other = flipped(leaf, len(leaf) // 2)
    report(f"proofbundle: other leaf for {name}", not proofbundle_says(text, other, log, witnesses, threshold), "accepted")
    short = proofbundle_says(text, leaf, log, witnesses, threshold + 1)
    report(f"proofbundle: one witness too few for {name}", not short, "accepted")

    report(f"scitt-cose: other leaf for {name}", not scitt_says(other, index, size, path, root), "accepted")
    report(f"scitt-cose: other root for {name}", not scitt_says(leaf, index, size, path, flipped(root)), "accepted")
    for n, node in enumerate(path):
        altered = [*path[:n], flipped(node, 31), *path[n + 1 :]]
        report(f"scitt-cose: hash {n} altered in {name}", not scitt_says(leaf, index, size, altered, root), "accepted")


def check_consistency(file, folder):
    first, second = (root_of((folder / "logs" / size / "checkpoint").read_text()) for size in file.name.split("-"))
    path = [b64(line) for line in file.read_text().split()]

    def scitt(nodes, old=first[1], new=second[1]):
        nodes = [node.hex() for node in nodes]
        return scitt_cose.verify_consistency(old.hex(), new.hex(), first[0], second[0], nodes)

    def bundle(nodes, old=first[1], new=second[1]):
        return merkle.verify_consistency(first[0], second[0], nodes, old, new) is True

    for tool, accepts in (("scitt-cose", scitt), ("proofbundle", bundle)):
        name = f"{tool}: consistency {file.name}"
        report(name, accepts(path), "refused")
        report(f"{name}, other old root", not accepts(path, old=flipped(first[1])), "accepted")
        report(f"{name}, other new root", not accepts(path, new=flipped(second[1])), "accepted")
        for n, node in enumerate(path):
            altered = [*path[:n], flipped(node), *path[n + 1 :]]
            report(f"{name}, hash {n} altered", not accepts(altered), "accepted")


def main():
    folder = Path(sys.argv[1])
    log, witness = ((folder / name).read_text().strip() for name in ("log.vkey", "witness.vkey"))
    for kind, threshold in (("proofs", 1), ("receipts", 0)):
        files = sorted((folder / kind).glob("*.tlog-proof"))
        report(f"some files in {kind}", bool(files), "none")
        for file in files:
            check_proof(file, log, witness, threshold)
    files = sorted((folder / "consistency").iterdir())
    report("some consistency proofs", bool(files), "none")
    for file in files:
        check_consistency(file, folder)
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
