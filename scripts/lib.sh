# Shared by the scripts: say what happens, install what is missing. Sourced, not run.

bold='' red='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'; fi
say() { printf '%s\n' "$bold==>$plain $*"; }
fail() { printf '%s\n' "${red}error:$plain $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND PACKAGE: notes the Debian package when the command is missing.
missing_packages=()
need() { have "$1" || missing_packages+=("$2"); }

# nginx, which the package would start as a server on port 80; here it only ever runs as our child.
need_nginx() {
  if ! have nginx && [ -d /run/systemd/system ]; then
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" systemctl mask --quiet nginx.service
  fi
  need nginx nginx
}

# Installs what `need` noted, all at once; says what to do where it may not.
install_missing() {
  [ ${#missing_packages[@]} -gt 0 ] || return 0
  have apt-get || fail "please install: ${missing_packages[*]}"
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    have sudo || fail "please install as root: apt-get install ${missing_packages[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing_packages[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing_packages[@]}" >/dev/null
  missing_packages=()
}

need_toolchains() {
  [ -d "$HOME/.cargo/bin" ] && PATH="$PATH:$HOME/.cargo/bin"
  have cargo || fail "Rust is missing: see https://rustup.rs"
  have node && have npm || fail "Node.js (20.19 or newer) with npm is missing: see https://nodejs.org"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js $(node --version) is too old: 20.19 or newer is needed"
  # ring and SQLite are compiled from C.
  need cc build-essential
}

# newer_than FILE PATH...: whether anything below the paths is newer than the file (or the file is missing).
newer_than() {
  local file=$1
  shift
  [ ! -e "$file" ] || [ -n "$(find "$@" -newer "$file" -type f -print -quit 2>/dev/null)" ]
}

# npm_packages DIR: `npm ci` when the lock file has changed since the last one.
npm_packages() {
  local stamp=$1/node_modules/.package-lock.json
  if [ ! -e "$stamp" ] || [ "$1/package-lock.json" -nt "$stamp" ]; then
    say "fetching the packages of $1"
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
    touch "$stamp"
  fi
}

# Python with what makes virtual environments, which Debian has in a package of its own.
need_python() {
  need python3 python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing_packages+=(python3-venv)
}

# python_packages DIR FILE: a virtual environment in DIR with the packages that FILE pins, made anew when FILE has changed.
python_packages() {
  local stamp=$1/installed.txt
  if ! cmp -s "$2" "$stamp"; then
    say "fetching the packages of $2"
    rm -rf "$1"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
    cp "$2" "$stamp"
  fi
}

# Builds web-client/dist when its sources are newer, and packs its files so that the server need not.
build_web_client() {
  npm_packages web-client
  local inputs=(web-client/src web-client/index.html web-client/vite.config.ts web-client/package-lock.json scripts/precompress.mjs)
  [ -d web-client/public ] && inputs+=(web-client/public)
  if newer_than web-client/dist/index.html "${inputs[@]}"; then
    say "building the web client"
    (cd web-client && npm run --silent build -- --logLevel warn)
    node scripts/precompress.mjs web-client/dist
    # The pages are embedded by the compiler, which sees changed files but not new ones.
    touch src/server/web.rs
  fi
}
