"""`predict` reads images and weights and writes label maps, class probabilities or object masks."""
