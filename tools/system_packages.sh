#!/usr/bin/env bash
# What tests and benchmarks need from the system beside Python: installs it as root on Debian, else says what is missing.
# Elsewhere a missing package is no failure: the tests that need it skip and say so.
set -euo pipefail

# Debian package | how to tell that it is there | what needs it
readonly PACKAGES="\
gcc|command -v cc|benchmarks compare the detection kernel with the same loop in C
libc6-dev|test -f /usr/include/stdlib.h|headers for that C
chromium|command -v chromium|tests look at the pages in a real browser
fonts-noto-cjk|fc-list :lang=zh | grep -q .|and see Chinese there"

missing=()
while IFS='|' read -r package probe reason; do
    if ! bash -c "$probe" >/dev/null 2>&1; then
        missing+=("$package")
        echo "missing system package: $package ($reason)"
    fi
done <<<"$PACKAGES"

if ((${#missing[@]} == 0)); then
    exit 0
fi
if [[ $(id -u) != 0 || ! -f /etc/debian_version ]]; then
    echo "tests that need them will be skipped; on Debian: apt-get install ${missing[*]}"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
