#!/usr/bin/env bash
# What tests and benchmarks need from the system beside Python: installs it as root on Debian, else says what is missing.
# Elsewhere a missing package is no failure: the tests that need it skip and say so.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian package | how to tell that it is there | what needs it
readonly PACKAGES="\
gcc|command -v cc|benchmarks compare the detection kernel with the same loop in C
binutils-aarch64-linux-gnu|command -v aarch64-linux-gnu-ld|links the detection kernels for gateways with ARM
libc6-dev|test -f /usr/include/stdlib.h|headers for that C
chromium|command -v chromium|tests look at the pages in a real browser
fonts-noto-cjk|fc-list :lang=zh | grep -q .|and see Chinese there
libmodbus-dev|test -f /usr/include/modbus/modbus.h|the Modbus driver is tried and measured against libmodbus
openssh-server|command -v sshd|configurations are pushed to gateways over a real ssh
stunnel4|command -v stunnel4 && command -v openssl|the Modbus driver speaks TLS with it
socat|command -v socat|makes a converter of a network and a serial line, which the Modbus driver reads
mbpoll|command -v mbpoll|a Modbus client of others reads the same registers
npm|command -v npm|installs servers of others that the drivers are tried against"

# Not under tests/, where every tool that walks the tree would find it.
readonly NODE_FOLDER=.venv/node
readonly NODE_PACKAGES=tests/foreign/package.json

may_install() {
    [[ $(id -u) == 0 && -f /etc/debian_version ]]
}

system_packages() {
    local missing=() package probe reason
    while IFS='|' read -r package probe reason; do
        if ! bash -c "$probe" >/dev/null 2>&1; then
            missing+=("$package")
            echo "missing system package: $package ($reason)"
        fi
    done <<<"$PACKAGES"
    if ((${#missing[@]} == 0)); then
        return
    fi
    if ! may_install; then
        echo "tests that need them will be skipped; on Debian: apt-get install ${missing[*]}"
        return
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# The copy of the list is written last, so that an installation that broke off is done again.
node_packages() {
    if cmp -s "$NODE_PACKAGES" "$NODE_FOLDER/installed.json"; then
        return
    fi
    if ! command -v npm >/dev/null; then
        echo "tests against servers on Node will be skipped: npm is missing"
        return
    fi
    mkdir -p "$NODE_FOLDER"
    cp "$NODE_PACKAGES" "$NODE_FOLDER/package.json"
    if (cd "$NODE_FOLDER" && npm install --no-package-lock --omit=optional --ignore-scripts --no-audit --no-fund); then
        cp "$NODE_PACKAGES" "$NODE_FOLDER/installed.json"
    elif may_install; then
        return 1
    else
        echo "tests against servers on Node will be skipped: npm could not install them"
    fi
}

system_packages
node_packages
