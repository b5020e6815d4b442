#!/usr/bin/env bash
# A command in shards as a Slurm array, then one file: slurm/submit.sh SHARDS OUTPUT.h5 COMMAND ...
# as in: examples/cluster/slurm/submit.sh 64 cams.h5 cam data --weights cls.pth
# Prints the numbers of the two jobs. Submitted again, it computes only what is missing.
set -euo pipefail
if (($# < 3)) || [[ ! $1 =~ ^[1-9][0-9]*$ || $2 != *.h5 ]]; then
    echo "usage: submit.sh SHARDS OUTPUT.h5 COMMAND ..., as in: submit.sh 64 cams.h5 cam data --weights cls.pth" >&2
    exit 2
fi
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
shards=$1 output=$2
shift 2

parts=()
for ((i = 0; i < shards; i++)); do parts+=("${output%.h5}.$i.h5"); done

array=$(sbatch --parsable --array="0-$((shards - 1))" "$here/shard.sbatch" "${output%.h5}.%s.h5" "$@")
array=${array%%;*} # of several clusters, Slurm names the one that took the job
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes \
    "$here/merge.sbatch" "$output" "${parts[@]}")
echo "array $array, merge ${merge%%;*}"
