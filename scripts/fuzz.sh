#!/usr/bin/env bash
# Fuzzes the parsers and state machines (tests/fuzz/README.md). Stops at the first finding.
#
#   scripts/fuzz.sh [SECONDS_EACH] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

case ${1:-} in -h | --help) sed -n '2,4p' "$0" | sed 's/^# \?//'; exit 0 ;; esac
seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then seconds=$1; shift; fi

need_toolchains
have rustup && rustup toolchain list | grep -q nightly || fail "a nightly compiler is missing: rustup toolchain install nightly"
install_missing
have cargo-fuzz || { say "installing cargo-fuzz"; cargo install --quiet cargo-fuzz; }

targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(basename -s .rs tests/fuzz/targets/*.rs)
host=$(rustc -vV | sed -n 's/^host: //p')
# SQLite is linked in twice (library and targets), which is no finding.
export ASAN_OPTIONS=detect_odr_violation=0
say "building"
cargo +nightly fuzz build --fuzz-dir tests/fuzz
for target in "${targets[@]}"; do
  corpus=tests/fuzz/corpus/$target
  mkdir -p "$corpus"
  # Further directories are only read.
  seeds=() options=(-max_total_time="$seconds" -print_final_stats=1 -verbosity=0 -timeout=60 -rss_limit_mb=2048)
  case $target in
    offer) seeds=(tests/golden/sdp) options+=(-dict=tests/fuzz/sdp.dict -max_len=16384) ;;
    fragment) options+=(-dict=tests/fuzz/sdp.dict) ;;
    conversation) seeds=(tests/golden/signaling/client) options+=(-dict=tests/fuzz/json.dict) ;;
    rewriter | arrivals) options+=(-max_len=2048) ;;
  esac
  say "$target, $seconds s"
  artifacts=tests/fuzz/artifacts/$target/
  mkdir -p "$artifacts"
  log=$corpus.log
  if ! "tests/fuzz/target/$host/release/$target" "$corpus" "${seeds[@]}" "${options[@]}" -artifact_prefix="$artifacts" >"$log" 2>&1; then
    tail -n 60 "$log"
    fail "$target found something: see $artifacts"
  fi
  grep -E '^stat::(number_of_executed_units|average_exec_per_sec|new_units_added|peak_rss_mb)' "$log"
done
