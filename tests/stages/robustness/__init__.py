"""Tests of the corruption of images, and of the scores under it."""
