"""What people look at: overlays, curves, and the HTML report."""
