#!/usr/bin/env bash
# Measures a release build on this machine. `--json`: one object a line, as docs/benchmarks.md describes.
#
#   scripts/bench.sh glass|join|fanout [--json] [options of the benchmark]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

name=${1:-}
case $name in
  '' | -h | --help) sed -n '2,4p' "$0" | sed 's/^# \?//'; exit 0 ;;
  glass | join) run=(node "tests/browser/bench/$name.mjs") browser=yes ;;
  fanout) run=(scripts/bench/fanout.sh) browser=no ;;
  *) fail "there is no benchmark $name: glass, join, fanout" ;;
esac
shift

{
  need_toolchains
  [ $browser = no ] || need chromium chromium
  install_missing
  build_web_client
  [ $browser = no ] || npm_packages tests/browser
  [ -n "${COURTSIDE_BIN:-}" ] || cargo build --release --quiet --bins
} >&2
export COURTSIDE_BIN=${COURTSIDE_BIN:-${CARGO_TARGET_DIR:-$PWD/target}/release/courtside}
exec "${run[@]}" "$@"
