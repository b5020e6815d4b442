"""Training losses: one family of losses per file."""
