"""What training minimises: one family of losses a file."""
