"""Tests of the examples for clusters."""
