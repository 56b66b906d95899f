#!/usr/bin/env bash
# Proves that clients whose network allows nothing but TURN see and publish a broadcast: Debian's coturn on private loopback ports, a server of
# our own that hands out credentials for it, and Chromium with `iceTransportPolicy: 'relay'`. Not part of scripts/test.sh, which needs no coturn.
#
#   scripts/turn-check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,5p' "$0" | sed 's/^# \?//'; exit 0 ;;
  *) fail "there is no option $1" ;;
esac

need_toolchains
need chromium chromium
# The package would start a relay for everybody as a service; here it only ever runs as our child.
if ! have turnserver && [ -d /run/systemd/system ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" systemctl mask --quiet coturn.service
fi
need turnserver coturn
install_missing
build_web_client
npm_packages tests/browser
[ -n "${COURTSIDE_BIN:-}" ] || cargo build --quiet --bin courtside
cd tests/browser
exec node --test --test-reporter=spec turn/relay.test.mjs
