"""Random crops, box windows, and photometric transforms of training images."""
