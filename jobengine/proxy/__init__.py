"""The process that has the port where contents are kept in files: a reverse proxy on the same host.

It asks the http process for answers to plain GETs of payloads, sends their bodies out of the files that it
is told of, and remembers for a moment what it was told. Every other connection it hands through, byte by
byte. It decides nothing: who may read what, and what an answer says, is the http process's to tell. One
thread, which waits for nothing but its sockets.
"""
