#!/bin/sh
# A short load run: the gateway with the example plugin under wrk. Fails on any answer that is not 200, on any error of a socket, and
# when the gateway does not end well. What it prints is no measurement: client and server share the machine.
#
#   load.sh <the gateway's binary> <seconds>
set -eu
command -v wrk >/dev/null || { echo "load.sh: needs wrk; get it by: apt-get install wrk" >&2; exit 1; }

out=$(mktemp -d)
trap 'kill "$gateway" 2>/dev/null || true; rm -rf "$out"' EXIT
"$1" --listen 127.0.0.1:0 --metrics 127.0.0.1:0 >"$out/gateway" &
gateway=$!
tries=0
until grep -q '^stop it' "$out/gateway"; do
    kill -0 "$gateway" 2>/dev/null || { echo "load.sh: the gateway did not start" >&2; exit 1; }
    tries=$((tries + 1))
    [ "$tries" -lt 1200 ] || { echo "load.sh: the gateway is not ready after two minutes" >&2; exit 1; }
    sleep 0.1
done
url=$(sed -n '1s/.* \(http:.*\)/\1/p' "$out/gateway")

wrk --threads 2 --connections 64 --duration "${2:-5}s" --latency "$url/hello?fast=1" | tee "$out/wrk"
if grep -E 'Non-2xx|Socket errors' "$out/wrk" || ! grep -qE '^ *[1-9][0-9]* requests in' "$out/wrk"; then
    echo "load.sh: not every request was answered with 200" >&2
    exit 1
fi
kill -TERM "$gateway"
wait "$gateway"
