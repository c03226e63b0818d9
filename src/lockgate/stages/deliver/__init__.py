"""How does it come to users, and does it stay?"""
