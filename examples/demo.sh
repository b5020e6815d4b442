#!/usr/bin/env bash
# From image tags to a trained segmenter on a small set that is drawn here; nothing is downloaded.
# All outputs go to .demo (or to the given folder), the report to .demo/report.html.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
demo=${1:-.demo}
mkdir -p "$demo"
say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }

say "1. A data set: five kinds of object in clutter, each image tagged with what it contains"
[[ -d $demo/data ]] || wsstool sample -o "$demo/data" --count 400

say "2. A classifier learns the tags"
wsstool train-cls "$demo/data" --recipe demo --split train --val-split val -o "$demo/cls.pth"

say "3. Class maps and, through a pipe, pseudo-masks"
wsstool cam "$demo/data" --recipe demo --split train --weights "$demo/cls.pth" |
    tee "$demo/cams.h5" |
    wsstool pseudo-mask --recipe demo --images "$demo/data" -o "$demo/masks.h5"

say "4. A segmenter learns the pseudo-masks; a fully supervised reference learns the ground truth"
wsstool cotrain "$demo/masks.h5" --recipe demo --init "$demo/cls.pth" -o "$demo/seg.pth"
wsstool cotrain "$demo/data" --split train --recipe demo --init "$demo/cls.pth" -o "$demo/reference.pth"

say "5. New images, without tags"
wsstool predict "$demo/data" --recipe demo --split test --weights "$demo/seg.pth" -o "$demo/prediction.h5"
wsstool predict "$demo/data" --recipe demo --split test --weights "$demo/reference.pth" -o "$demo/reference.h5"

say "6. Scores"
echo "pseudo-masks, training images:"
wsstool eval "$demo/masks.h5"
echo "segmenter, test images:"
wsstool eval "$demo/prediction.h5"
echo "fully supervised reference (the same network trained on ground-truth masks):"
wsstool eval "$demo/reference.h5"

wsstool report cam="$demo/cams.h5" pseudo-mask="$demo/masks.h5" prediction="$demo/prediction.h5" \
    --twin "$demo/reference.h5" --log "$demo/cls.pth.log.jsonl" --log "$demo/seg.pth.log.jsonl" \
    --strips "$demo/strips" --title "The demo" -o "$demo/report.html"
say "Report: $demo/report.html"
