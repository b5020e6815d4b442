"""The commands of the pipeline: from labels to masks, networks and scores."""
