#!/usr/bin/env bash
# Everything that must hold before a change lands; CI runs exactly this. Ends with one line: "N passed, N failed".
#
#   scripts/test.sh [--no-browser]
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

browser=yes
for option in "$@"; do
  case $option in
    -h | --help) sed -n '2,4p' "$0" | sed 's/^# \?//'; exit 0 ;;
    --no-browser) browser=no ;;
    *) fail "there is no option $option" ;;
  esac
done
[ -f tests/browser/package.json ] || browser=no

need_toolchains
need_python
# The demo's tests encode a little of its match.
need ffmpeg ffmpeg
# The store's tests start a private PostgreSQL, whose programs Debian keeps out of the path.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need initdb postgresql
# The bus of several nodes is tested on servers of its own.
need redis-server redis-server
# The cache that docs/nginx-hls.conf describes is tested in the real one.
need_nginx
if [ $browser = yes ]; then
  need chromium chromium
  need firefox-esr firefox-esr
fi
install_missing
npm_packages web-client || fail "the packages of web-client cannot be fetched"
[ $browser = no ] || npm_packages tests/browser || fail "the packages of tests/browser cannot be fetched"

logs=target/test-logs
mkdir -p $logs
passed=0 failed=0 failures=()

# What the common test runners print at their end, summed: "passed failed".
count() {
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /^test result:/               { p += $4; f += $6; seen = 1 }                                  # cargo test
    /^ *Tests +/                  { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } seen = 1 }  # vitest
    /^(#|ℹ) pass [0-9]+$/         { p += $3; seen = 1 }                                           # node --test
    /^(#|ℹ) fail [0-9]+$/         { f += $3; seen = 1 }
    /^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3; seen = 1 }
    END { if (seen) print p + 0, f + 0 }'
}

# step NAME COMMAND...: runs it, keeps its output in a file, shows the end of that when it fails.
step() {
  local name=$1 log="$logs/${1// /-}.log" start=$SECONDS status=0 ok bad
  shift
  printf '%s' "$bold==>$plain $name ... "
  "$@" >"$log" 2>&1 || status=$?
  read -r ok bad <<<"$(count "$log")"
  # A step without tests of its own counts as one; so does a runner that failed without naming a test.
  if [ -z "${ok:-}" ]; then ok=0 bad=0; [ $status -ne 0 ] || ok=1; fi
  [ $status -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
  passed=$((passed + ok)) failed=$((failed + bad))
  if [ $status -eq 0 ] && [ "$bad" -eq 0 ]; then
    echo "ok ($ok passed, $((SECONDS - start)) s)"
  else
    echo "FAILED ($((SECONDS - start)) s)"
    failures+=("$name: $log")
    tail -n 60 "$log"
  fi
}

step "format" cargo fmt --check
step "web types" npm run --silent check --prefix web-client
step "web tests" npm test --silent --prefix web-client
step "web build" build_web_client
step "web size" npm run --silent size --prefix web-client
step "lint" cargo clippy --quiet --all-targets -- -D warnings
step "rust tests" cargo test --quiet --no-fail-fast
step "server" cargo build --quiet --bin courtside
step "contract" scripts/contract.sh
if [ $browser = yes ]; then
  step "browser tests" npm test --silent --prefix tests/browser
fi

for failure in "${failures[@]}"; do echo "failed: $failure"; done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
