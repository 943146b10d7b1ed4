#!/usr/bin/env bash
# Writes the Markdown of a measurement on a pull request: one comment, which later measurements replace.
#
# By variables: COMMENT (the file), PULL_REQUEST (its number), REPOSITORY (owner/name), NAME (tells several measurements
# apart), and what `gh` takes its token from (GH_TOKEN).
set -euo pipefail

: "${COMMENT:?name the file with the Markdown}" "${PULL_REQUEST:?name the pull request}" "${REPOSITORY:?name the repository}"
if [[ "${NAME:-infermeter}" =~ [^A-Za-z0-9\ ._-] ]]; then
    echo "::error::the name $NAME holds more than letters, digits, blanks, dots, _ and -" >&2
    exit 2
fi
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
    --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$mark\"))) | .id")
known=${known%%$'\n'*}
if [ -n "$known" ]; then
    gh api --method PATCH "$place/comments/$known" --field "body=@$body" --silent
else
    gh api --method POST "$place/$PULL_REQUEST/comments" --field "body=@$body" --silent
fi
