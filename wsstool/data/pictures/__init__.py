"""Pictures of which a part is read at a time: tiled and pyramid TIFF, slides, and any image that fits.

One format a file; ``picture`` says what they have in common and opens them.
"""
