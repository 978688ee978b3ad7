#!/usr/bin/env bash
# Prints the path of promtool; takes it out of Debian's package if there is none. The
# package is not installed: with it comes a server that starts by itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$PWD/.venvs/promtool

if command -v promtool; then exit; fi
if [[ ! -x $folder/promtool ]]; then
  rm -rf "$folder/new"
  mkdir -p "$folder/new"
  cd "$folder/new"
  apt-get -qq download prometheus >/dev/null 2>&1 || {
    apt-get -qq update && apt-get -qq download prometheus
  } >&2
  dpkg-deb --fsys-tarfile prometheus_*.deb | tar x --strip-components=3 ./usr/bin/promtool
  mv promtool ..
  cd "$folder"
  rm -r new
fi
echo "$folder/promtool"
