#!/usr/bin/env bash
# Builds Courtside if need be and runs it on this machine, with a demo match to watch. Ctrl-C stops everything.
#
#   scripts/run.sh [--port PORT] [--media-port PORT] [--data-dir DIR] [--no-demo] [--redis] [further options of `courtside serve`]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

port=7880 media_port=7900 data_dir=.data demo=yes redis=no
extra=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,4p' "$0" | sed 's/^# \?//'; exit 0 ;;
    --no-demo) demo=no ;;
    # Chats over a private Redis of its own, as with several nodes.
    --redis) redis=yes ;;
    --port | --media-port | --data-dir)
      [ $# -gt 1 ] || fail "$1 needs a value"
      case $1 in --port) port=$2 ;; --media-port) media_port=$2 ;; --data-dir) data_dir=$2 ;; esac
      shift ;;
    --port=*) port=${1#*=} ;;
    --media-port=*) media_port=${1#*=} ;;
    --data-dir=*) data_dir=${1#*=} ;;
    *) extra+=("$1") ;;
  esac
  shift
done
case $port in '' | *[!0-9]*) fail "--port must be a number, not '$port'" ;; esac

# Before the build, so that nobody waits for it in vain.
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  fail "port $port is taken by another program: stop it, or choose another with scripts/run.sh --port $((port + 100))"
fi

need_toolchains
[ $demo = no ] || need ffmpeg ffmpeg
[ $redis = no ] || need redis-server redis-server
install_missing
build_web_client
courtside=${CARGO_TARGET_DIR:-target}/release/courtside
[ -x "$courtside" ] || say "building the server (the first time takes some minutes)"
cargo build --release --quiet --bin courtside

mkdir -p "$data_dir"
server='' publisher='' bus=''
stop() {
  trap - EXIT
  trap '' INT TERM
  # The publisher first, so that the server sees it leave.
  for pid in $publisher $server $bus; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}
trap stop EXIT
trap 'say "stopping"; exit 0' INT TERM

# get PATH: the server's answer, head and body.
get() {
  (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3 && cat <&3) 2>/dev/null
}
answers() { [[ $(get /readyz) == 'HTTP/1.1 200 '* ]]; }
on_air() { [[ $(get /api/v1/broadcasts) == *'"state":"live"'* ]]; }

if [ $redis = yes ]; then
  redis_port=$((port + 1))
  setsid redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$(realpath "$data_dir")" --appendonly yes >"$data_dir/redis.log" 2>&1 &
  bus=$!
  for _ in $(seq 50); do
    (exec 3<>"/dev/tcp/127.0.0.1/$redis_port") 2>/dev/null && break
    kill -0 "$bus" 2>/dev/null || { tail -n 5 "$data_dir/redis.log" >&2; bus=''; fail "redis-server did not start"; }
    sleep 0.1
  done
  extra+=(--redis "redis://127.0.0.1:$redis_port")
fi

# In sessions of their own, so that Ctrl-C reaches this script alone and the order of stopping is ours.
setsid "$courtside" serve --listen "127.0.0.1:$port" --media-port "$media_port" --data-dir "$data_dir" --open-publish \
  --log "${COURTSIDE_LOG:-info}" "${extra[@]}" 2>"$data_dir/server.log" &
server=$!
for _ in $(seq 150); do
  # Its life first: another server that took the port meanwhile would answer too.
  kill -0 "$server" 2>/dev/null || { cat "$data_dir/server.log" >&2; server=''; fail "the server did not start"; }
  answers && break
  sleep 0.2
done
answers || { tail -n 20 "$data_dir/server.log" >&2; fail "the server started and is not ready"; }
grep -h ' WARN ' "$data_dir/server.log" >&2 || true

if [ $demo = yes ]; then
  setsid "$courtside" demo --whip-url "http://127.0.0.1:$port/whip/demo" --data-dir "$data_dir" 2>"$data_dir/demo.log" &
  publisher=$!
  # The first time it draws and encodes the match, and says so.
  for _ in $(seq 600); do
    on_air && break
    kill -0 "$publisher" 2>/dev/null || break
    sleep 0.5
  done
  on_air && say "the demo match is on air"
fi

say "Courtside is running: http://localhost:$port/"
say "logs are in $data_dir; Ctrl-C stops"
wait -n || true
trap - INT TERM
if [ -n "$publisher" ] && ! kill -0 "$publisher" 2>/dev/null; then
  tail -n 5 "$data_dir/demo.log" >&2
  publisher=''
  say "the demo has ended; the server goes on"
  trap 'say "stopping"; exit 0' INT TERM
  wait "$server" || true
fi
tail -n 5 "$data_dir/server.log" >&2
fail "the server has ended"
