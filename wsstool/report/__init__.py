"""Visual output: overlays, curves, and the HTML report."""
