#!/bin/sh
# run_node.sh SCRIPT: runs it with node, or exits 77 (skipped) where node or the packages are missing.
if ! command -v node >/dev/null; then
    echo "skipped: there is no node"
    exit 77
fi
if [ ! -d "$(dirname "$0")/node_modules/@ethereumjs/devp2p" ]; then
    echo "skipped: scripts/setup --test has not installed the packages"
    exit 77
fi
exec node "$@"
