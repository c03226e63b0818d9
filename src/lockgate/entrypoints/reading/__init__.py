"""What people and machines ask to see: plain rows, put together from one consistent view of the state. No use case per read."""
