#!/usr/bin/env bash
# Writes the Markdown of a measurement on a pull request: one comment, which later measurements replace.
#
# By variables: COMMENT (the file), PULL_REQUEST (its number), REPOSITORY (owner/name), NAME (tells several measurements
# apart), and what `gh` takes its token from (GH_TOKEN).
set -euo pipefail

: "${COMMENT:?name the file with the Markdown}" "${PULL_REQUEST:?name the pull request}" "${REPOSITORY:?name the repository}"
# What GitHub allows in a comment, less the mark.
most=65000
mark="<!-- infermeter: ${NAME:-infermeter} -->"
body=$(mktemp)
trap 'rm -f -- "$body"' EXIT
{
    echo "$mark"
    head -c "$most" -- "$COMMENT"
    [ "$(wc -c <"$COMMENT")" -le "$most" ] || printf '\n\n(cut here: the whole report is among the artefacts of this run)\n'
} >"$body"

place="repos/$REPOSITORY/issues"
known=$(gh api --paginate "$place/$PULL_REQUEST/comments" \
    --jq ".[] | select(.body | startswith(\"$mark\")) | .id" | head -n 1)
if [ -n "$known" ]; then
    gh api --method PATCH "$place/comments/$known" --field "body=@$body" --silent
else
    gh api --method POST "$place/$PULL_REQUEST/comments" --field "body=@$body" --silent
fi
