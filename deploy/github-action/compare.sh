#!/usr/bin/env bash
# What the action does: goldwatch compare, with the inputs as environment variables (never as text in a script, where a
# branch's name could become a command). Summary and annotations by --github; verdict and exit code as outputs.
set -uo pipefail
words=(compare --github --json --config "$CONFIG" --alpha "$ALPHA" --fail-on "$FAIL_ON")
[ -z "${GOLDEN:-}" ] || words+=(--golden "$GOLDEN")
[ -z "${TARGET:-}" ] || words+=(--target "$TARGET")
[ -z "${JUNIT:-}" ] || words+=(--junit "$JUNIT")
while IFS= read -r scorer; do
  [ -z "${scorer// /}" ] || words+=(--scorer "$scorer")
done <<< "${SCORERS:-}"

said=$(goldwatch "${words[@]}" -- "$BEFORE" "$AFTER")
code=$?
printf '%s\n' "$said"
verdict=$(printf '%s\n' "$said" | grep -o '"verdict": "[a-z]*"' | head -n 1 | cut -d '"' -f 4)
printf 'verdict=%s\nexit-code=%s\n' "$verdict" "$code" >> "$GITHUB_OUTPUT"
exit "$code"
