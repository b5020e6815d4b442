"""One plain function per command, one folder per noun: paths and numbers in and out.

This is the only place where the families of methods meet. What each folder reads and writes:

- ``inputs``: images, image-level labels, boxes, sentences, label maps: from data folders or record files to
  arrays.
- ``networks``: weights files to classifiers, segmenters and contour networks.
- ``train``: ``train-cls``, ``train-contour``, ``cotrain``: data to weights.
- ``pseudo_masks``: ``cam``: images to class maps; ``pseudo-mask``: class maps or selections to label maps.
- ``objects``: ``propose``, ``contour``, ``select``: images with boxes to one mask per object.
- ``predict``: ``predict``: images and weights to label maps, class probabilities or object masks.
- ``detections``: ``nms``: detections or proposals to fewer of them, in our format and in foreign ones.
- ``scoring``: ``eval``: predictions and ground truth to scores.
- ``robustness``: ``robustness``: weights, and images that it corrupts, to scores.
- ``exchange``: ``export``, ``import``: record files and sentences to foreign formats and back.
- ``report``: ``report``: record files and scores to an HTML page with images.
- ``streams``: ``info``, ``check``, ``cat``, ``merge``, ``cache``: any record file, whatever it holds.
- ``slides``: ``tiles``: slides cut into data folders.
- ``program``: ``methods``, ``doctor``, ``sample``: the program itself, and a data set to try it on.

``checks`` and ``refiners`` serve several folders. Imports between the folders run one way, never in a circle.
"""
