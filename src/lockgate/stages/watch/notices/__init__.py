"""Who is told of which event, in which words, signed how, and when again. It stands here since telling is how watching ends."""
