#!/bin/sh
# Makes three.min.mjs anew; needs Node. See README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/three_parts.mjs" "$work"
cd "$work"
npm install --silent --no-audit --no-fund three@0.187.0 esbuild@0.28.2
npx esbuild three_parts.mjs --bundle --minify --format=esm --legal-comments=inline --outfile=three.min.mjs
cp three.min.mjs "$here/three.min.mjs"
cp node_modules/three/LICENSE "$here/LICENSE.three"
