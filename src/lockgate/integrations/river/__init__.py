"""River models, which learn row by row, become packages here. Needs the extra `river`."""
