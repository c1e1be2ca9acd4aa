#!/bin/sh
# Installs the conformance suite, and the Node.js that it wants, exactly as package-lock.json pins them.
set -eu
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "conformance: npm is missing; install Node.js 20.19 or later" >&2; exit 1; }
npm ci --no-audit --no-fund
