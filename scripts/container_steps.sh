#!/bin/sh
# Steps of the Dockerfile, and of `make lock` and `make audit`, which need no container.
#
#   container_steps.sh install TARGET   install the locked packages into TARGET/venv
#   container_steps.sh copy TARGET      copy the app into TARGET/app
#   container_steps.sh constraints      print the versions and hashes for PyTorch's CPU build
#   container_steps.sh size TARGET      print the size of both and of the largest packages
#   container_steps.sh check TARGET     run the command `vitviz` and import the app
#   container_steps.sh health           exit with 0 if the app answers
#   container_steps.sh lock PYTHON      lock the package versions that this Python has, with hashes
#   container_steps.sh audit            look the locked packages up in the database of known vulnerabilities
#
# Environment variables: PYTHON, the interpreter (python3); TORCH_BACKEND, the build of PyTorch: `cpu` for PyTorch's own
# CPU build, or `pypi` for the build on PyPI, which contains CUDA on Linux.
set -eu
here="$(cd "$(dirname "$0")/.." && pwd)"
python="${PYTHON:-python3}"
files=".streamlit LICENSE app.py assets/icon.svg assets/images assets/models docs/teaching.md pages pyproject.toml
  scripts/container_steps.sh vitviz"

fail() {
  echo "$1" >&2
  exit 1
}

# Create a temporary folder, deleted at the end.
make_work() {
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
}

# Install uv, with its hash checked, into an environment of its own, so that it is no part of the image.
install_uv() {
  make_work
  "$python" -m venv "$work/tools"
  "$work/tools/bin/python" -m pip install --quiet --no-cache-dir --require-hashes -r "$here/requirements/build.txt"
  uv="$work/tools/bin/uv"
}

install() {
  backend="${TORCH_BACKEND:-cpu}"
  case "$backend" in
    cpu | pypi) install_uv ;;
    *) fail "TORCH_BACKEND is '$backend'; set it to cpu or pypi." ;;
  esac
  "$python" -m venv --without-pip "$1/venv"
  set -- pip install --python "$1/venv/bin/python" --compile-bytecode
  if [ "$backend" = pypi ]; then
    "$uv" "$@" --require-hashes -r "$here/requirements/lock.txt"
  else
    # As constraints, not as requirements: the packages of CUDA are not installed, because nothing requires them.
    constraints >"$work/constraints.txt"
    "$uv" "$@" --torch-backend cpu -c "$work/constraints.txt" \
      -r "$here/requirements/library.txt" -r "$here/requirements/app.txt" -r "$here/requirements/data.txt"
  fi
}

# The CPU builds of torch and torchvision have the same versions but other files, so these two hashes are left out.
constraints() {
  awk '/^(torch|torchvision)==/ { print $1; of_torch = 1; next } /^[^ ]/ { of_torch = 0 } !of_torch' \
    "$here/requirements/lock.txt"
}

copy() {
  mkdir -p "$1/app"
  # shellcheck disable=SC2086 # a list of names
  (cd "$here" && tar --exclude=__pycache__ -cf - $files) | tar -xf - -C "$1/app"
  # The file system is read-only later. Times of files may change in a copy, so they are not compared.
  "$1/venv/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$1/app"
  chmod -R a+rX,go-w "$1/app"
}

size() {
  du -sm "$1/venv" "$1/app"
  echo "Largest packages, in MB:"
  du -sm "$1"/venv/lib/python3*/site-packages/* | sort -rn | head -12
}

check() {
  make_work
  cd "$1/app"
  "$1/venv/bin/python" -m vitviz.cli attention assets/images/digits/digit-4.png --model digits -o "$work" --json
  "$1/venv/bin/python" -c 'import streamlit, torch, vitviz.ui.app.serving
print(f"streamlit {streamlit.__version__}, torch {torch.__version__}")'
}

health() {
  "$python" - <<'END'
import os
import urllib.request

port = os.environ.get("STREAMLIT_SERVER_PORT", "8501")
path = os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
direct.open(f"http://127.0.0.1:{port}/{path + '/' if path else ''}_stcore/health", timeout=4)
END
}

lock() {
  python="$1"
  install_uv
  # Versions that the tests ran with. Those of pip and setuptools come with Python, and the app does not use them.
  "$python" -m pip list --format freeze | sed 's/+.*//' | grep -viE '^(pip|setuptools|wheel|vitviz)=' >"$work/versions.txt"
  cd "$here"
  {
    echo "# Package versions of the container image, with hashes, for all platforms. Refresh it with: make lock"
    echo "# The hashes of torch and torchvision are those of the builds on PyPI, which contain CUDA on Linux; PyTorch's"
    echo "# CPU builds are other files. TORCH_BACKEND=pypi checks all hashes, TORCH_BACKEND=cpu all but these two."
    compile --constraints "$work/versions.txt" requirements/library.txt requirements/app.txt requirements/data.txt
  } >"$work/lock.txt"
  {
    echo "# Installer of scripts/container_steps.sh. Refresh it with: make lock"
    echo 'uv>=0.13,<0.14' | compile -
  } >"$work/build.txt"
  mv "$work/lock.txt" "$work/build.txt" requirements/
}

compile() {
  "$uv" pip compile --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links --generate-hashes \
    --universal --python-version 3.11 --fork-strategy fewest "$@"
}

audit() {
  install_uv
  # --strict: a package that is not in the database is an error
  "$uv" tool run 'pip-audit>=2.10,<3' --strict --disable-pip --require-hashes -r "$here/requirements/lock.txt"
}

case "${1:-}" in
  install | copy | size | check | lock)
    [ $# = 2 ] || fail "usage: $0 $1 FOLDER (or, for lock, the path of Python)"
    "$@"
    ;;
  constraints | health | audit) "$1" ;;
  *) fail "usage: $0 install|copy|constraints|size|check|health|lock|audit ..." ;;
esac
