"""What came of this commit, this data, these parameters?"""
