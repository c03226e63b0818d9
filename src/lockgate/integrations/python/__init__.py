"""Models that are their author's own Python become packages here."""
