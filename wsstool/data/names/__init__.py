"""Names of images as other machines write them."""
