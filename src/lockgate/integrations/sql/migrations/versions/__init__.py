"""One file for each revision; tables.REVISIONS lists them in order."""
