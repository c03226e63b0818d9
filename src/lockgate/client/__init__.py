"""For programs that use models: follow a channel, and answer by what it says."""

from lockgate.client.subscriber import Subscriber

__all__ = ["Subscriber"]
