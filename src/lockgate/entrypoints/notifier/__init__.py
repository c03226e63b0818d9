"""Tells receivers what happened. A process of its own: a slow receiver, or what nobody foresaw about one, delays no verdict."""
