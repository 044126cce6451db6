#!/bin/sh
# Is the calculation deterministic, does it still say what it said, and what does it say otherwise
# than the released version? Run from the folder of the job:
#
#   sh ci/check.sh target/reducers/orders.wasm reducers/released.wasm
#
# Leaves report.md for people and verify.xml for the CI server. All steps are taken whatever one of
# them finds; the exit code is the highest of theirs (1: a check failed, 2: bad usage, 3: unfinished).
set -u
new=$1
released=$2
job=${JOB:-retally.toml}
expected=expected.toml
[ -f "$expected" ] || expected=none

code=0
note() {
    was=$?
    [ "$was" -le "$code" ] || code=$was
}

retally verify --job "$job" --set "job.reducer.path=$(pwd)/$new" --golden golden.json \
    --junit verify.xml >verify.txt
note

rm -f compare.md
retally compare --job "$job" --a "$released" --b "$new" --expect "$expected" \
    --markdown compare.md >compare.txt
note

{
    echo '## Is it deterministic, and what it was?'
    echo
    sed 's/^/    /' verify.txt
    echo
    if [ -f compare.md ]; then cat compare.md; else echo 'The versions could not be compared.'; fi
} >report.md
exit "$code"
