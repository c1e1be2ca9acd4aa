#!/bin/sh
# Installs the authorization servers of this folder, exactly as package-lock.json and requirements.txt pin them.
set -eu
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "interop: npm is missing; install Node.js 20.19 or later" >&2; exit 1; }
command -v python3 >/dev/null || { echo "interop: python3 is missing; install Python 3.10 or later" >&2; exit 1; }
npm ci --no-audit --no-fund
rm -f .venv/complete
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.txt
touch .venv/complete
