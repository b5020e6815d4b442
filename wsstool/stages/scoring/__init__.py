"""`eval` reads predictions and ground truth and writes scores."""
