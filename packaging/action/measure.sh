#!/usr/bin/env bash
# Measures a server and holds it against a baseline: the part of the Action that is no matter of GitHub's.
#
# By variables: TARGET (a URL), RECORD (a new folder), FLAGS and FAIL_IF (a flag or a criterion a line), BASELINE, INCONCLUSIVE,
# and SERVE with READY_URL and READY_TIMEOUT (seconds) for a server that is started here. Writes report.md, report.html and,
# with a baseline, gate.md beside the record; exit-code, record, report and comment to GITHUB_OUTPUT; the Markdown to
# GITHUB_STEP_SUMMARY. It ends with 0 once there is something to show: what the measurement says is `exit-code`.
set -euo pipefail

: "${TARGET:?name the server to measure}" "${RECORD:?name a new folder for the record}"
output=${GITHUB_OUTPUT:-/dev/null}
summary=${GITHUB_STEP_SUMMARY:-/dev/null}
beside=$(dirname -- "$RECORD")
mkdir -p -- "$beside"
if [ -e "$RECORD" ]; then
    echo "::error::$RECORD is there already: give each measurement a new folder" >&2
    exit 2
fi

# `--slo ttft.p99<500ms` is two words; a value may hold blanks.
words=()
read_lines() {
    local line
    words=()
    while IFS= read -r line; do
        line="${line#"${line%%[![:space:]]*}"}"
        line="${line%"${line##*[![:space:]]}"}"
        [ -n "$line" ] || continue
        words+=("$line")
    done <<<"$1"
}

server=
stop() {
    [ -z "$server" ] || kill -- "-$server" 2>/dev/null || true
}
trap stop EXIT

ready() {
    curl --silent --fail --max-time 5 --output /dev/null -- "$READY_URL"
}

if [ -n "${SERVE:-}" ]; then
    : "${READY_URL:?name what answers with 200 once the server is ready}"
    echo "starting: $SERVE"
    # A process group of its own, so that whatever it starts ends with it.
    setsid bash -c "$SERVE" >"$beside/server.log" 2>&1 &
    server=$!
    until=$((SECONDS + ${READY_TIMEOUT:-600}))
    until ready; do
        if ! kill -0 "$server" 2>/dev/null; then
            echo "::error::the server has ended before it was ready; its last words:" >&2
            tail -n 20 -- "$beside/server.log" >&2
            exit 1
        fi
        if [ "$SECONDS" -ge "$until" ]; then
            echo "::error::$READY_URL did not answer within ${READY_TIMEOUT:-600} s; the server's last words:" >&2
            tail -n 20 -- "$beside/server.log" >&2
            exit 1
        fi
        sleep 1
    done
fi

flags=()
read_lines "${FLAGS:-}"
for line in ${words[@]+"${words[@]}"}; do
    name=${line%%[[:space:]]*}
    flags+=("$name")
    [ "$name" = "$line" ] || flags+=("${line#"$name"[[:space:]]}")
done

code=0
infermeter run "$TARGET" ${flags[@]+"${flags[@]}"} --out "$RECORD" --quiet || code=$?
# 2: a flag is wrong; 4 without a record: nobody answered. Both have been said, and there is nothing to show.
if [ ! -d "$RECORD" ]; then
    echo "exit-code=$code" >>"$output"
    exit "$code"
fi

gate=0
if [ -n "${BASELINE:-}" ]; then
    criteria=()
    read_lines "${FAIL_IF:-}"
    for line in ${words[@]+"${words[@]}"}; do
        criteria+=(--fail-if "$line")
    done
    [ -z "${INCONCLUSIVE:-}" ] || criteria+=(--inconclusive "$INCONCLUSIVE")
    infermeter gate "$RECORD" --baseline "$BASELINE" "${criteria[@]}" --markdown >"$beside/gate.md" || gate=$?
fi
infermeter report "$RECORD" --markdown >"$beside/report.md" || true
infermeter report "$RECORD" --html="$beside/report.html" >/dev/null || true

# What is no code of the command's first (a crash, a signal), then the gravest, as the command itself has it.
gravest() {
    local each
    for each in "$@"; do
        case "$each" in 0 | 1 | 2 | 3 | 4 | 5 | 130) ;; *) echo "$each" && return ;; esac
    done
    for each in 130 4 2 3 1 5; do
        case " $* " in *" $each "*) echo "$each" && return ;; esac
    done
    echo 0
}
code=$(gravest "$code" "$gate")
{
    # One that is there without a baseline is an earlier measurement's.
    [ -z "${BASELINE:-}" ] || cat -- "$beside/gate.md"
    cat -- "$beside/report.md"
} >"$beside/comment.md"
cat -- "$beside/comment.md" >>"$summary"
{
    echo "exit-code=$code"
    echo "record=$RECORD"
    echo "report=$beside/report.html"
    echo "comment=$beside/comment.md"
} >>"$output"
