#!/usr/bin/env bash
# Reproduce a result in CI: stages cached by key, every file checked to the last byte, a score that must be reached.
# examples/ci-reproduce.sh DATA RECIPE MIOU [WORKDIR]
set -euo pipefail
data=$(cd "$1" && pwd) recipe=$2 least=$3 work=${4:-reproduce}
mkdir -p "$work" && cd "$work"

# What a pipe carries is kept by key: a second run, or one after a crash, starts where the first one was.
export WSSTOOL_CACHE=${WSSTOOL_CACHE:-$PWD/cache}

wsstool train-cls "$data" --split train --recipe "$recipe" -o cls.pth
wsstool cam "$data" --split train --recipe "$recipe" --weights cls.pth |
    wsstool pseudo-mask --recipe "$recipe" --images "$data" -o masks.h5
wsstool cotrain masks.h5 --images "$data" --recipe "$recipe" -o seg.pth
wsstool predict "$data" --split test --recipe "$recipe" --weights seg.pth -o prediction.h5

wsstool check --full masks.h5 prediction.h5
wsstool info prediction.h5 --script > again.sh
wsstool eval prediction.h5 --truth "$data" --fail-under "miou=$least" --json > scores.json
