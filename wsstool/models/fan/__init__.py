"""FAN-Hybrid: a ConvNeXt stem, blocks that attend to tokens and to channels, and a class token on top.

The trunk (``trunk``) maps an image to a feature map of stride 16 and is a backbone like any other; the head
(``class_head``) reads the classes of the image, and of every token, from that map.
"""
