"""`nms` reads and writes boxes or proposals, in our format and in foreign ones."""
