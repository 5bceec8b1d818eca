#!/bin/sh
# Compiles the library for this kind of machine, or for the one that CC compiles for: native/build.sh [the folder it goes to, seen from here]
# Machines without a compiler use the committed one; a test compares the sources that it tells with those here.
# It stays loaded once it was (nodelete): sessions of any thread have its functions, and koffi unloads what is collected.
set -eu
cd "$(dirname "$0")"
to=${1:-../src/products/native/$(node -p 'process.platform + "-" + process.arch')}
mkdir -p "$to"
sources=$(LC_ALL=C cat ./*.c ./*.h build.sh | sha256sum | cut -d ' ' -f 1)
"${CC:-cc}" -std=gnu17 -O3 -fPIC -shared -s -Wall -Wextra -Werror -fvisibility=hidden -ffp-contract=off -Wl,--build-id=none -Wl,-z,nodelete \
  "-DSOURCES=\"$sources\"" -o "$to/millrace-products.so.new" ./*.c
# Processes that have it open keep the old one.
mv "$to/millrace-products.so.new" "$to/millrace-products.so"
