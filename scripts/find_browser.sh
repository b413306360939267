#!/bin/sh
# Print the path of a Chromium for the browser tests. Install one if possible, otherwise print an instruction.
# No fonts are needed: the tests use their own (scripts/fonts.py).
set -u
python="$(dirname "$0")/../.venv/bin/python"

on_path() {
  for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" && return 0
  done
  return 1
}

playwrights_own() {
  path="$("$python" -c 'from playwright.sync_api import sync_playwright as s
with s() as p: print(p.chromium.executable_path)' 2>/dev/null)" && [ -x "$path" ] && echo "$path"
}

on_path && exit 0
playwrights_own && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq >&2
  for package in chromium-headless-shell chromium; do # the headless shell is faster
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2 && break
  done
  on_path && exit 0
fi
echo "No Chromium found; install one (apt-get install chromium, or $python -m playwright install chromium)." >&2
exit 1
