"""The machinery below the methods: suppression, score decay, groups, and the compiled path."""
