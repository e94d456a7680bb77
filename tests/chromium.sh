#!/bin/sh
# The browser tests need a Chromium: take the system's, install it when that may be done here.
set -eu
if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
    exit 0
fi
echo "No Chromium was found, so the browser tests are skipped. To run them, type:" >&2
echo "    sudo apt-get install chromium" >&2
