"""Images, labels and dataset layouts."""
