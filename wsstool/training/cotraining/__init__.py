"""Methods that train segmenters on label maps, wrong ones included."""
