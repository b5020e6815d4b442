"""Fill methods: segment the object in a box without proposals."""
