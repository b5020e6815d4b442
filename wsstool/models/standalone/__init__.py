"""Networks that leave: pixels in, logits out, as one traced graph in a file that runs without wsstool.

``pixels`` wraps each kind of network, ``trace`` makes the graph, ``onnx_file`` and ``pt2_file`` write it and
run it again, ``agreement`` compares it with the network.
"""
