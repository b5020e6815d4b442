"""Training images for every kind of supervision, decoded, augmented and collated."""
