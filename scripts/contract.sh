#!/usr/bin/env bash
# Holds the server to the OpenAPI document that it serves: schemathesis makes requests from the document, right ones and wrong ones, and
# judges the answers. What it checks is in tests/contract/schemathesis.toml. The same requests in every run.
#
#   scripts/contract.sh [--examples N]   N: requests drawn for each operation, besides those at the edges of its values
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

examples=20
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,5p' "$0" | sed 's/^# \?//'; exit 0 ;;
    --examples) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "--examples needs a number"; examples=$2; shift 2 ;;
    *) fail "there is no option $1" ;;
  esac
done

need_toolchains
need_python
install_missing
build_web_client
python_packages target/contract/python tests/contract/requirements.txt
[ -n "${COURTSIDE_BIN:-}" ] || cargo build --quiet --bin courtside
courtside=${COURTSIDE_BIN:-${CARGO_TARGET_DIR:-target}/debug/courtside}

here=target/contract
data=$here/data log=$here/server.log
rm -rf "$data" "$here/tokens"
mkdir -p "$data"

export CONTRACT=$here CONTRACT_PASSWORD='a long pass phrase'
export PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=$here/hypothesis

# Each person may do so much a minute, and make so many broadcasts: enough people for all requests. One in eight is no operator.
people=$((32 + 2 * examples))
for number in $(seq $people); do
  role=(--operator)
  [ $((number % 8)) -ne 0 ] || role=()
  "$courtside" user add "Person $number" "${role[@]}" --email "person-$number@example.org" --data-dir "$data" 2>"$log" \
    <<<"$CONTRACT_PASSWORD" >>"$here/tokens" || { cat "$log"; fail "no person could be made"; }
done

"$courtside" serve --listen 127.0.0.1:0 --media-ip 127.0.0.1 --media-port 0 --workers 1 --hls-encoder '' --open-publish \
  --data-dir "$data" >"$log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
url=
while [ -z "$url" ]; do
  kill -0 $server 2>/dev/null || { cat "$log"; fail "the server did not start"; }
  url=$(sed -n 's/.*serving url="\([^"]*\)\/".*/\1/p' "$log")
  [ -n "$url" ] || sleep 0.1
done

# A broadcast has so many markers and moderators at most.
"$here/python/bin/python" tests/contract/prepare.py "$url" "$here" $((4 + examples / 10))
status=0
"$here/python/bin/schemathesis" --config-file tests/contract/schemathesis.toml run "$url/api/v1/openapi.json" \
  --max-examples "$examples" --no-color || status=$?
if grep -n panicked "$log"; then fail "the server panicked: see $log"; fi
kill -0 $server 2>/dev/null || fail "the server is gone: see $log"
[ $status -eq 0 ] || fail "the server and its description say different things"
