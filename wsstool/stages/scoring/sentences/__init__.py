"""``eval`` of masks of sentences: every sentence is a sample."""
