"""The composition root: what runs here?"""
