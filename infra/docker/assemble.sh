#!/bin/sh
# Turns a fresh copy of the workspace into what one app needs to run, in place: its own code and
# that of the libraries, compiled, with production dependencies alone. `main` leads to its entry.
set -eu
app="$1"

if [ -d "apps/$app" ]; then
  project="apps/$app/tsconfig.app.json"
  entry="apps/$app/dist/main.js"
else
  # Node.js runs the sources of a tool as they are.
  project="tools/$app/tsconfig.tool.json"
  entry="tools/$app/src/main.ts"
fi

# Not `npm ci`: it refuses a lock file that lacks the packages of platforms it was not made on. The
# versions and hashes of the lock hold all the same.
install="npm install --ignore-scripts --no-audit --no-fund"
$install
node node_modules/typescript/bin/tsc -b "$project"

find apps tools -mindepth 1 -maxdepth 1 ! -name "$app" -exec rm -rf {} +
# What only tests need is left out by name: to npm, a linked library's tests are part of it.
npm pkg delete devDependencies --workspaces --include-workspace-root
rm -rf node_modules libs/testing
$install --omit=dev --workspace="@soma/$app"

find apps libs infra -name node_modules -prune -o \
  \( -name '*.ts' -o -name 'tsconfig*.json' -o -name '*.tsbuildinfo' \) -type f -exec rm {} +
rm -rf infra/docker tsconfig*.json package-lock.json
# Links of the workspace that lead to what was just removed.
find node_modules/@soma -xtype l -delete
test -f "$entry"
ln -s "$entry" main
