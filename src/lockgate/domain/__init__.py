"""The nouns of the journey: frozen values, without behaviour that needs the world."""
