"""The headings under which ``--help`` lists options."""

from __future__ import annotations

INPUT, METHOD, MODEL, TRAINING, RUNTIME, OUTPUT = "Input", "Method", "Model", "Training", "Runtime", "Output"
