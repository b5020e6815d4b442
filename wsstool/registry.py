"""The registries: command-line name -> function, imported on first use.

A new method is one file and one line here; the choices of the option, completion, ``wsstool methods``, the
table in the docs and the contract tests follow. Other packages add methods through entry points of the group
``wsstool.<family>``; their distribution, version and source are part of the keys of results.
"""

from __future__ import annotations

from wsstool.family import Entry, Registry
from wsstool.registries.backbones import BACKBONES
from wsstool.registries.corruptions import CORRUPTIONS
from wsstool.registries.heads import HEADS
from wsstool.registries.losses import CLASS_LOSSES, PIXEL_LOSSES

EXPORTS = Registry(
    "exports",
    "export format",
    {
        "coco": Entry(
            "wsstool.data.formats.coco_write:write_instances", "Lin et al., ECCV 2014", "one JSON file"
        ),
        "coco-results": Entry(
            "wsstool.data.formats.coco_write:write_results", "Lin et al., ECCV 2014", "one JSON file"
        ),
        "cvat": Entry("wsstool.data.formats.cvat:write", "CVAT for images 1.1", "one XML file"),
        "label-studio": Entry("wsstool.data.formats.label_studio:write", "Label Studio", "one JSON file"),
        "yolo": Entry("wsstool.data.formats.yolo:write", "Ultralytics YOLO", "one text file per image"),
        "voc": Entry("wsstool.data.formats.voc_png:write", "Everingham et al., IJCV 2010", "two PNGs each"),
        "geojson": Entry("wsstool.data.formats.geojson:write", "RFC 7946; QuPath", "one file per image"),
        "csv": Entry("wsstool.data.formats.object_table:write", "list, lowest score first", "one CSV file"),
    },
)

EXPRESSIONS = Registry(
    "expressions",
    "format of sentences",
    {
        "jsonl": Entry("wsstool.expressions.formats.jsonl:read", "JSON lines", "one file"),
        "refer": Entry("wsstool.expressions.formats.refer:read", "Kazemzadeh et al., EMNLP 2014", "2 files"),
        "coco": Entry("wsstool.expressions.formats.coco:read", "Lin et al., ECCV 2014", "one JSON file"),
    },
)

EXPRESSION_EXPORTS = Registry(
    "expression-exports",
    "format of sentences",
    {
        "jsonl": Entry("wsstool.expressions.formats.jsonl:write", "JSON lines", "one file"),
        "refer": Entry("wsstool.expressions.formats.refer:write", "Kazemzadeh et al., EMNLP 2014", "2 files"),
        "coco": Entry("wsstool.expressions.formats.coco:write", "Lin et al., ECCV 2014", "one JSON file"),
    },
)

CAMS = Registry(
    "cams",
    "CAM method",
    {
        "cam": Entry("wsstool.cams.cam:cam", "Zhou et al., CVPR 2016", "1 forward pass"),
        "gradcam": Entry(
            "wsstool.cams.gradcam:gradcam",
            "Selvaraju et al., ICCV 2017",
            "1 forward pass, backward to the layer",
        ),
        "gradcam++": Entry(
            "wsstool.cams.gradcam_plus_plus:gradcam_plus_plus", "Chattopadhay et al., WACV 2018", "as gradcam"
        ),
        "layercam": Entry("wsstool.cams.layercam:layercam", "Jiang et al., TIP 2021", "as gradcam"),
        "scorecam": Entry(
            "wsstool.cams.scorecam:scorecam", "Wang et al., CVPRW 2020", "1 forward pass per channel"
        ),
        "token": Entry("wsstool.cams.token:token", "Zhao et al., ICCV 2023", "1 forward pass"),
        "text": Entry("wsstool.cams.text:text", "Zhou et al., ECCV 2022", "1 forward pass"),
    },
)

REFINERS = Registry(
    "refiners",
    "refiner",
    {
        "crf": Entry(
            "wsstool.masks.crf:crf",
            "Krähenbühl and Koltun, NIPS 2011",
            "about 0.5 s per image",
            presets="wsstool.masks.crf:PRESETS",
            only={"logit_scale": ("unary", "logits"), "label_probability": ("unary", "labels")},
        ),
        "random-walk": Entry(
            "wsstool.masks.random_walk:random_walk", "Grady, PAMI 2006", "one sparse solve per class"
        ),
        "pamr": Entry("wsstool.masks.pamr:pamr", "Araslanov and Roth, CVPR 2020", "10 local averages"),
        "affinity": Entry(
            "wsstool.masks.guided.affinity:affinity",
            "Ahn and Kwak, CVPR 2018",
            "1 forward pass, 1 matrix product",
            reads="features",
        ),
        "regions": Entry(
            "wsstool.masks.guided.region_vote:region_vote",
            "Chen et al., 2023 (sepl)",
            "one sum per region, --regions",
            only={"inside": ("vote", "sepl"), "covering": ("vote", "sepl")},
            reads="regions",
        ),
        "sam": Entry(
            "wsstool.masks.guided.sam:sam",
            "Kirillov et al., ICCV 2023",
            "1 encoding, 1 decoding per part, --sam-weights",
            only={
                "similarity": ("elastic", "true"),
                "strength": ("gaussian", "true"),
                "span": ("gaussian", "true"),
            },
            reads="segmenter",
        ),
    },
)

RULES = Registry(
    "rules",
    "rule",
    {
        "argmax": Entry("wsstool.masks.rules:argmax", "common practice", "one pass"),
        "threshold": Entry("wsstool.masks.rules:threshold", "common practice", "one pass"),
        "multilayer": Entry("wsstool.masks.multilayer:multilayer", "Han et al., MedIA 2022", "one pass"),
    },
)

BACKGROUNDS = Registry(
    "backgrounds",
    "background",
    {"white": Entry("wsstool.masks.white:white", "Han et al., MedIA 2022", "one pass over the pixels")},
)

SELECTORS = Registry(
    "selectors",
    "selection method",
    {
        "greedy": Entry(
            "wsstool.selection.selectors.greedy:greedy",
            "Feng et al., TNNLS 2022",
            "0.01 to 0.1 s per box",
            only={"f1": ("guide", "contour", "both"), "threshold": ("guide", "contour", "region", "both")},
        ),
        "best": Entry(
            "wsstool.selection.selectors.best:best", "common practice", "one pass over the proposals"
        ),
        "proposal": Entry("wsstool.selection.selectors.best:proposal", "as in SDI and BBAM", "as best"),
    },
)

FILLERS = Registry(
    "fillers",
    "fill method",
    {
        "prior": Entry("wsstool.selection.fillers.simple:prior", "common practice", "one comparison"),
        "box": Entry("wsstool.selection.fillers.simple:box", "common practice", "nothing"),
        "ellipse": Entry("wsstool.selection.fillers.simple:ellipse", "common practice", "nothing"),
        "rim": Entry("wsstool.selection.fillers.simple:rim", "Khoreva et al., CVPR 2017", "nothing"),
        "grabcut": Entry(
            "wsstool.selection.fillers.grabcut:grabcut", "Rother et al., SIGGRAPH 2004", "0.1 to 1 s per box"
        ),
        "grabcut-map": Entry(
            "wsstool.selection.fillers.grabcut_map:grabcut_map",
            "Rother et al., SIGGRAPH 2004",
            "0.1 to 0.5 s per box",
        ),
        "grabcut-opencv": Entry(
            "wsstool.selection.fillers.grabcut_opencv:grabcut_opencv",
            "Rother et al., SIGGRAPH 2004",
            "as grabcut",
        ),
    },
)

PROMPTERS = Registry(
    "prompters",
    "prompted method",
    {
        "sam": Entry(
            "wsstool.selection.prompters.sam:sam",
            "Kirillov et al., ICCV 2023",
            "1 encoding, 1 decoding per box, --sam-weights",
            only={
                name: ("guide", "region")
                for name in ("threshold", "points", "elastic", "gaussian", "similarity", "strength", "span")
            },
        ),
    },
)
"""Selection methods that mask all boxes of an image together, with a promptable segmenter."""

COTRAINERS = Registry(
    "cotrainers",
    "co-training method",
    {
        "plain": Entry("wsstool.training.cotraining.cotrainers:plain", "cross-entropy", "1 network"),
        "coteaching": Entry(
            "wsstool.training.cotraining.cotrainers:coteaching", "Han et al., NeurIPS 2018", "2 networks"
        ),
        "self-training": Entry(
            "wsstool.training.cotraining.cotrainers:self_training",
            "own small-loss selection",
            "1 network",
        ),
        "ema-teacher": Entry(
            "wsstool.training.cotraining.cotrainers:ema_teacher",
            "Tarvainen and Valpola, NIPS 2017",
            "1 network, 2 forward passes",
        ),
        "multilayer": Entry(
            "wsstool.training.cotraining.multilayer_task:multilayer", "Han et al., MedIA 2022", "1 network"
        ),
    },
)

ATTENTIONS = Registry(
    "attentions",
    "attention",
    {
        "progressive-dropout": Entry(
            "wsstool.training.progressive_dropout:progressive_dropout",
            "Han et al., MedIA 2022",
            "one 1x1 convolution per step",
        ),
    },
)

PROPOSALS = Registry(
    "proposals",
    "proposal method",
    {
        "tree": Entry("wsstool.proposals.tree:tree", "Uijlings et al., IJCV 2013", "1 partition, 2 trees"),
        "selective-search": Entry(
            "wsstool.proposals.selective_search:selective_search",
            "Uijlings et al., IJCV 2013",
            "4 partitions, 8 trees",
        ),
        "felzenszwalb": Entry(
            "wsstool.proposals.flat:felzenszwalb", "Felzenszwalb and Huttenlocher, IJCV 2004", "5 partitions"
        ),
        "slic": Entry("wsstool.proposals.flat:slic", "Achanta et al., PAMI 2012", "5 partitions"),
        "ncut": Entry(
            "wsstool.proposals.ncut:ncut",
            "Wang et al., CVPR 2022 and 2023",
            "3 eigenvectors",
            reads="features",
        ),
    },
)

NMS = Registry(
    "nms",
    "NMS method",
    {
        "greedy": Entry("wsstool.nms.methods.greedy:greedy", "Felzenszwalb et al., PAMI 2010", "n log n"),
        "soft": Entry("wsstool.nms.methods.soft:soft", "Bodla et al., ICCV 2017", "one step per box"),
        "weighted": Entry("wsstool.nms.methods.weighted:weighted", "Zhou et al., ICCVW 2017", "as greedy"),
        "iou-guided": Entry(
            "wsstool.nms.methods.iou_guided:iou_guided", "Jiang et al., ECCV 2018", "as greedy"
        ),
        "variance-voting": Entry(
            "wsstool.nms.methods.variance_voting:variance_voting",
            "He et al., CVPR 2019",
            "as soft, dense per group",
        ),
        "adaptive": Entry(
            "wsstool.nms.methods.adaptive:adaptive", "Liu et al., CVPR 2019", "as greedy, or as soft"
        ),
        "diou": Entry("wsstool.nms.methods.diou:diou", "Zheng et al., AAAI 2020", "as greedy"),
        "fast": Entry(
            "wsstool.nms.methods.fast:fast", "Bolya et al., ICCV 2019", "one pass over overlapping pairs"
        ),
        "cluster": Entry("wsstool.nms.methods.cluster:cluster", "Zheng et al., TCYB 2021", "as greedy"),
        "matrix": Entry("wsstool.nms.methods.matrix:matrix", "Wang et al., NeurIPS 2020", "as fast"),
        "voting": Entry("wsstool.nms.methods.voting:voting", "Gidaris and Komodakis, ICCV 2015", "as greedy"),
        "fusion": Entry("wsstool.nms.methods.fusion:fusion", "Solovyev et al., IVC 2021", "one step per box"),
    },
)

BOX_LOSSES = Registry(
    "box-losses",
    "box loss",
    {
        "tightness": Entry(
            "wsstool.training.losses.tightness:tightness", "Feng et al., TNNLS 2022", "row and column maxima"
        ),
        "zero": Entry("wsstool.training.losses.zero:zero", "Feng et al., TNNLS 2022", "one pass"),
        "projection-dice": Entry(
            "wsstool.training.losses.projection_dice:projection_dice",
            "Tian et al., CVPR 2021",
            "row and column maxima",
        ),
        "bags": Entry(
            "wsstool.training.losses.bags:bags", "Hsu et al., NeurIPS 2019", "maxima, 4 neighbours per pixel"
        ),
        "pairwise": Entry(
            "wsstool.training.losses.pairwise:pairwise", "Tian et al., CVPR 2021", "4 neighbours per pixel"
        ),
        "mask": Entry(
            "wsstool.training.losses.object_mask:object_mask", "cross-entropy and Dice", "needs masks"
        ),
    },
)

DENSE = Registry(
    "dense",
    "dense scoring",
    {
        "rarefy": Entry(
            "wsstool.models.dense:rarefy",
            "Long et al., CVPR 2015",
            "1 pass at stride 1 over the padded image",
        ),
        "shift-and-stitch": Entry(
            "wsstool.models.dense:shift_and_stitch", "Long et al., CVPR 2015", "stride x stride passes"
        ),
    },
)

REGISTRIES = (
    BACKBONES,
    ATTENTIONS,
    CLASS_LOSSES,
    CAMS,
    REFINERS,
    RULES,
    BACKGROUNDS,
    BOX_LOSSES,
    PROPOSALS,
    SELECTORS,
    FILLERS,
    PROMPTERS,
    NMS,
    COTRAINERS,
    HEADS,
    PIXEL_LOSSES,
    DENSE,
    CORRUPTIONS,
    EXPORTS,
    EXPRESSIONS,
    EXPRESSION_EXPORTS,
)
"""All families, in the order of the pipeline."""
