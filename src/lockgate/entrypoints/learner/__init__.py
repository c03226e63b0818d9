"""The process in which models learn online: by lease one at a time."""
