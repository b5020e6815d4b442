"""Losses, schedules, the training loop and co-training."""
