"""The data plane: a tower with processes of its own. It imports boundary and kernel only, and nobody imports it."""
