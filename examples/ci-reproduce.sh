#!/usr/bin/env bash
# Reproduce a result in CI: stages are cached by key, every byte of every file is verified, and a minimum score is required.
# Usage: examples/ci-reproduce.sh DATA RECIPE MIOU [WORKDIR]
set -euo pipefail
data=$(cd "$1" && pwd) recipe=$2 least=$3 work=${4:-reproduce}
mkdir -p "$work" && cd "$work"

# The streams of a pipe are cached by key: a second run, or a run after a crash, continues where the first one stopped.
export WSSTOOL_CACHE=${WSSTOOL_CACHE:-$PWD/cache}

wsstool train-cls "$data" --split train --recipe "$recipe" -o cls.pth
wsstool cam "$data" --split train --recipe "$recipe" --weights cls.pth |
    wsstool pseudo-mask --recipe "$recipe" --images "$data" -o masks.h5
wsstool cotrain masks.h5 --images "$data" --recipe "$recipe" -o seg.pth
wsstool predict "$data" --split test --recipe "$recipe" --weights seg.pth -o prediction.h5

wsstool check --full masks.h5 prediction.h5
wsstool info prediction.h5 --script > again.sh
wsstool eval prediction.h5 --truth "$data" --fail-under "miou=$least" --json > scores.json
