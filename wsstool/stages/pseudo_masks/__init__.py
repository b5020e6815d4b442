"""`cam`: images to class maps; `pseudo-mask`: class maps or selections to label maps."""
