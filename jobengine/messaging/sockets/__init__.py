"""ZeroMQ sockets that carry elements to and from other programs, and the codecs of what they carry.

Everything is driven by a loop: no call waits, no socket has a thread. Savant's rules of confirmation,
fencing and filtering hold, so its readers and writers are fitting peers.
"""
