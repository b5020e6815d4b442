"""`export` and `import`: record files to foreign formats and back."""
