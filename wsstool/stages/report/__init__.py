"""`report` reads record files and scores and writes a page of HTML with images."""
