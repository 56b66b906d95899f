#!/usr/bin/env bash
# Measures a release build on this machine. `--json`: one object a line, as docs/benchmarks.md describes, which also says what each does.
#
#   scripts/bench.sh glass|join|loss|step|session|calls|fairness|latency|soak|scaling|hostile|peers|social|forward [--json] [options of the benchmark]
#   scripts/bench.sh fanout [options of the load generator] (--help lists them)
#   scripts/bench.sh all [FOLDER]    everything, as JSON lines and plots in a folder; about an hour and a half
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

names='glass, join, loss, step, session, calls, fairness, latency, soak, scaling, hostile, peers, social, forward, fanout, all'
name=${1:-}
case $name in
  '' | -h | --help) sed -n '2,6p' "$0" | sed 's/^# \?//'; exit 0 ;;
  glass | join | loss | step | session | calls) run=(node "tests/browser/bench/$name.mjs") browser=yes ;;
  # A peer that is measured beside us in the same run: Debian's Janus, without the service its package starts.
  fairness | latency | soak | scaling | hostile | peers | social) run=(node "tests/browser/bench/$name.mjs") browser=no ;;
  forward | fanout) run=() browser=no ;;
  all) run=() browser=yes ;;
  *) fail "there is no benchmark $name: $names" ;;
esac
shift

{
  need_toolchains
  [ $browser = no ] || need chromium chromium
  case $name in peers | all) need janus janus ;; esac
  case $name in
    social | all)
      # nchan is measured beside our chat.
      need_nginx
      [ -e /usr/lib/nginx/modules/ngx_nchan_module.so ] || need nginx-with-nchan libnginx-mod-nchan
      ;;
  esac
  install_missing
  build_web_client
  npm_packages tests/browser
  [ -n "${COURTSIDE_BIN:-}" ] || cargo build --release --quiet --bins
} >&2
export COURTSIDE_BIN=${COURTSIDE_BIN:-${CARGO_TARGET_DIR:-$PWD/target}/release/courtside}

# all FOLDER: one benchmark after the other; one that misses a gate does not keep the next from running.
all() {
  local folder=$1 failed=()
  mkdir -p "$folder"
  one() {
    local file=$1
    shift
    say "$*" >&2
    scripts/bench.sh "$@" --json >"$folder/$file.jsonl" || failed+=("$file")
  }
  one glass-h264 glass
  one glass-vp8 glass --codec=VP8
  one join join --joins=12
  one join-40ms join --joins=12 --round-trip=40
  one forward forward
  one fanout fanout --viewers 300
  one scaling scaling
  one latency latency
  one fairness fairness "--plot=$folder/fairness.plot.json"
  one step step "--plot=$folder/step.plot.json"
  one loss loss
  one session session
  one calls calls
  one hostile hostile
  one peers peers
  one social social
  one soak soak "--plot=$folder/soak.plot.json"
  node scripts/plot.mjs "$folder"
  say "rows and plots are in $folder"
  [ ${#failed[@]} = 0 ] || fail "missed a gate, or did not run: ${failed[*]}"
}
if [ "$name" = all ]; then
  all "${1:-target/bench}"
  exit
fi
if [ "$name" = forward ]; then
  exec cargo bench --quiet --bench forward -- "$@"
fi
case $name in
  fanout | calls) ;;
  *) exec "${run[@]}" "$@" ;;
esac

load=(--publish synthetic)
missed=no
if [ "$name" = fanout ]; then
  load+=(--floor "$@")
else
  # Pages, then the forward path by itself, then calls by the dozen; one that misses a gate does not keep the next from running.
  json=() calls=10
  for option in "$@"; do
    case $option in
      --json) json=(--json) ;;
      --calls=*) calls=${option#--calls=} ;;
    esac
  done
  "${run[@]}" "$@" || missed=yes
  cargo bench --quiet --bench call -- "${json[@]}" || missed=yes
  load+=(--layers 3 --calls "$calls" --members 6 --ramp 5/s "${json[@]}")
fi

# A server of our own, without telling anybody and gone afterwards.
data_dir=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
# Server and generator on a CPU each, where there are two, so that they do not take it from one another; the floor runs on the server's.
pin_server=() pin_load=() floor_on=()
if [ "$(nproc)" -ge 2 ] && command -v taskset >/dev/null; then
  pin_server=(taskset -c 0) pin_load=(taskset -c 1) floor_on=(--floor-cpu 0)
fi
"${pin_server[@]}" "$COURTSIDE_BIN" serve --listen "127.0.0.1:$port" --media-port 0 --workers 1 --data-dir "$data_dir" --open-publish --log warn >&2 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$data_dir"' EXIT
for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$server" 2>/dev/null || fail "the server did not start"
  sleep 0.1
done
"${pin_load[@]}" "$(dirname "$COURTSIDE_BIN")/courtside-loadgen" --url "http://127.0.0.1:$port" "${load[@]}" "${floor_on[@]}" --server-pid "$server" || missed=yes
[ $missed = no ]
