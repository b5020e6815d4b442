"""Foreign formats of scored detections, one per file."""
