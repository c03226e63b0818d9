"""What the REST API answers and takes. The shapes are read off the domain's values by attribute and stay when those move."""
