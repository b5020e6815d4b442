"""`propose`, `contour` and `select`: from images with boxes to one mask per object."""
