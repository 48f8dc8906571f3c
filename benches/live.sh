#!/usr/bin/env bash
# Live capture under load: tcpreplay sends a capture over a veth pair between two network namespaces, and tlscope and
# tcpdump watch the far end at the same time. Prints what each lost, the CPU seconds and the memory of tlscope.
#
#   benches/live.sh CAPTURE [PACKETS-A-SECOND] [SECONDS] [libpcap|socket]
#
# CAPTURE is an Ethernet capture (pcap), long enough to be played again and again. Needs root, tcpreplay, tcpdump, iproute2 and
# a release build.
set -euo pipefail
capture=$(realpath "$1")
rate=${2:-100000}
seconds=${3:-30}
through=${4:-libpcap}
cd "$(dirname "$0")/.."
tlscope=$PWD/target/release/tlscope
out=$(mktemp -d)
near=bench-near-$$ far=bench-far-$$
cleanup() {
  # shellcheck disable=SC2046
  kill $(jobs -p) 2>/dev/null || true
  wait 2>/dev/null || true
  ip netns del "$near" 2>/dev/null || true
  ip netns del "$far" 2>/dev/null || true
  rm -rf "$out"
}
trap cleanup EXIT

ip netns add "$near"
ip netns add "$far"
ip -n "$near" link add near type veth peer name far netns "$far"
ip -n "$near" link set near mtu 9000 up
ip -n "$far" link set far mtu 9000 up

ip netns exec "$far" "$tlscope" live -i far --through "$through" -v -F ndjson > >(tail -n 1 >"$out/last") 2>"$out/said" &
watcher=$!
ip netns exec "$far" tcpdump -i far -B 65536 -Z root -w /dev/null 2>"$out/tcpdump" &
dumper=$!
for _ in $(seq 100); do
  grep -q "tried from inside" "$out/said" && grep -q listening "$out/tcpdump" && break
  sleep 0.1
done

memory() { awk '/VmRSS/ {print $2}' "/proc/$watcher/status"; }
ip netns exec "$near" tcpreplay -q -K --loop 0 --duration "$seconds" --pps "$rate" -i near "$capture" >"$out/replay" 2>&1 &
replay=$!
began=$SECONDS
early=0
while kill -0 "$replay" 2>/dev/null; do
  sleep 1
  # The settled state: after a fifth of the time.
  if [ "$early" = 0 ] && [ $((SECONDS - began)) -ge $((seconds / 5)) ]; then early=$(memory); fi
  late=$(memory)
done
sleep 1
ticks=$(awk '{print $14 + $15}' "/proc/$watcher/stat")
kill -INT "$watcher" "$dumper"
wait "$watcher" || true
wait "$dumper" || true

grep -E "Actual|Rated" "$out/replay" || true
echo "tcpdump:  $(grep -E 'captured|dropped by kernel' "$out/tcpdump" | tr '\n' ' ')"
sleep 1
python3 -c '
import json, sys
last = json.load(sys.stdin)
source = last["sources"][0]
frames, dropped, flows = source["frames"], source["dropped"], last["flows"]
print(f"tlscope:  {frames} packets captured, {dropped} dropped, {flows} flows reported")' <"$out/last"
awk -v t="$ticks" -v hz="$(getconf CLK_TCK)" 'BEGIN {printf "tlscope:  %.1f s CPU\n", t / hz}'
echo "tlscope:  ${early:-?} KiB resident after a fifth of the time, ${late:-?} KiB at the end"
grep -v sandbox "$out/said" || true
