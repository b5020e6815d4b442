"""Images, labels and data set layouts."""
