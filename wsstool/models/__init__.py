"""Networks, and the weights files that fit them."""
