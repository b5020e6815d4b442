"""``eval`` of the maps of boxes: their masks at one threshold, or at many."""
