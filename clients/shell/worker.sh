#!/usr/bin/env bash
# A worker for serial-gate, of curl and jq: worker.sh AGENT COMMAND…
# The command gets the job as JSON on stdin, and prints the body of the completion: {"result": …, "stage": …, "next": […]}.
# It is ended when the job is no longer ours; when it fails, the end of its stderr is reported.
set -u
umask 077
url=${SERIAL_GATE_URL:-http://127.0.0.1:8080} agent=$1 tmp=$(mktemp -d)
shift
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$tmp"' EXIT
trap exit INT TERM
echo "${SERIAL_GATE_TOKEN:+Authorization: Bearer $SERIAL_GATE_TOKEN}" >"$tmp/token"
# Repeats a call under one key while the service does not answer. The body is on stdin.
post() { curl -sS --fail-with-body --retry 9 --retry-connrefused -H @"$tmp/token" -H "Idempotency-Key: $(uuid)" -H 'Content-Type: application/json' -d @- "$url$1"; }
uuid() { cat /proc/sys/kernel/random/uuid; }
end() { jq -c --argjson job "$job" '. + {lease_token: $job.lease.token}' | post "/jobs/$(jq .id <<<"$job")/$1" >/dev/null; }
claim=$(jq -nc --arg agent "$agent" '{agents: [$agent], wait_ms: 20000, lease_ms: 60000}')
while sleep 0.1; do
  job=$(post /jobs/claim <<<"$claim" | jq -ce '.jobs[0] // empty') || continue
  "$@" <<<"$job" >"$tmp/out" 2>"$tmp/err" & work=$!
  while sleep 20; do end heartbeat <<<'{}' || kill $work; done & beat=$!
  if wait $work; then end complete <"$tmp/out"; else jq -Rsc '{error: .[-4000:]}' "$tmp/err" | end fail; fi
  kill $beat
done
