"""The files of torchvision's first ImageNet weights, as torchvision names them; a test compares the two.

torchvision itself is not asked: importing it loads torch's compiler, which takes seconds.
"""

from __future__ import annotations

ADDRESS = "https://download.pytorch.org/models/"

TORCHVISION_FILES = {
    "mobilenet-v2": ("mobilenet_v2-b0353104.pth", 13_555_000),
    "mobilenet-v3-small": ("mobilenet_v3_small-047dcff4.pth", 9_829_000),
    "mobilenet-v3-large": ("mobilenet_v3_large-8738ca79.pth", 21_114_000),
    "resnet-18": ("resnet18-f37072fd.pth", 44_661_000),
    "resnet-34": ("resnet34-b627a593.pth", 83_275_000),
    "resnet-50": ("resnet50-0676ba61.pth", 97_781_000),
    "resnet-101": ("resnet101-63fe2227.pth", 170_511_000),
    "resnet-152": ("resnet152-394f9c45.pth", 230_434_000),
    "resnext-50": ("resnext50_32x4d-7cdf4587.pth", 95_789_000),
    "wide-resnet-50": ("wide_resnet50_2-95faca4d.pth", 131_820_000),
    "vgg-11": ("vgg11-8a719046.pth", 506_840_000),
    "vgg-16": ("vgg16-397923af.pth", 527_796_000),
    "vgg-16-bn": ("vgg16_bn-6c64b313.pth", 527_866_000),
    "vgg-19": ("vgg19-dcbb9e9d.pth", 548_051_000),
    "efficientnet-b0": ("efficientnet_b0_rwightman-7f5810bc.pth", 20_451_000),
    "efficientnet-b1": ("efficientnet_b1_rwightman-bac287d4.pth", 30_134_000),
    "efficientnet-b2": ("efficientnet_b2_rwightman-c35c1473.pth", 35_174_000),
    "efficientnet-b3": ("efficientnet_b3_rwightman-b3899882.pth", 47_184_000),
    "efficientnet-v2-s": ("efficientnet_v2_s-dd5fe13b.pth", 82_704_000),
    "convnext-tiny": ("convnext_tiny-983f1562.pth", 109_119_000),
    "convnext-small": ("convnext_small-0c510722.pth", 191_703_000),
    "convnext-base": ("convnext_base-6075fbad.pth", 338_064_000),
    "regnet-y-400mf": ("regnet_y_400mf-c65dace8.pth", 16_806_000),
    "regnet-y-1.6gf": ("regnet_y_1_6gf-b11a554e.pth", 43_152_000),
    "regnet-x-1.6gf": ("regnet_x_1_6gf-e3633e7f.pth", 35_339_000),
}
"""Backbone -> file below ``ADDRESS``, whose name ends with 8 digits of its SHA-256, and its bytes."""
