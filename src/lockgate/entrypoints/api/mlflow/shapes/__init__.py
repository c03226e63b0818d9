"""What is taken in and what is answered, field by field as these clients know it."""
