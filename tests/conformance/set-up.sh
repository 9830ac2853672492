# What the programs of this folder share; read by them with `source`. `name` says which one speaks, `here` is the folder with
# what it pins, `work` the one beside the build where it keeps what it brings.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}

say() { printf 'tests/conformance/%s: %s\n' "$name" "$*" >&2; }
die() { say "$*"; exit 1; }

here=$PWD/tests/conformance/$name.d
command -v cargo >/dev/null || die "no cargo on PATH: install Rust from https://rustup.rs and start again"
target=$(cargo metadata --locked --no-deps --format-version 1 | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
work=$target/conformance/$name
mkdir -p "$work"
shared=${TRAM_SHARED:-$PWD/../shared}

# An environment of Python with what `requirements.txt` pins, by hash; installed again when that file changed.
python=$work/python/bin/python
python_packages() {
  if [[ ! -x $python ]] || ! "$python" -c 'import pip' 2>/dev/null; then
    command -v python3 >/dev/null || die "no python3 on PATH: install it (Debian: python3 python3-venv)"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "python3 is older than 3.10"
    rm -rf "$work/python"
    python3 -m venv "$work/python" || die "python3 cannot make an environment: install python3-venv"
  fi
  local stamp=$work/python/requirements.done
  cmp -s "$here/requirements.txt" "$stamp" && return
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$here/requirements.txt" >&2 ||
    die "PyPI does not give what $name.d/requirements.txt asks for, so nothing was compared"
  cp "$here/requirements.txt" "$stamp"
}
