"""FAN-Hybrid: a ConvNeXt stem, blocks that attend to tokens and to channels, and a class token on top.

The trunk (``trunk``) maps an image to a feature map of stride 16 and is used as a backbone; the head
(``class_head``) classifies the image, and optionally every token, from that map.
"""
