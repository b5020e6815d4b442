"""Methods that train segmenters on noisy label maps."""
