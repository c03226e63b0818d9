"""Is it good enough, and who says so?"""
