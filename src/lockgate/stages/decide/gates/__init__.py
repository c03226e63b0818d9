"""Quality gates: is the candidate good enough, and not worse than the champion, as far as the held-out examples can tell?"""
