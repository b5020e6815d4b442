"""Networks that segment what prompts show."""
