"""ZeroMQ: the only place that speaks sockets. Messages are msgspec structs, packed as MessagePack."""
