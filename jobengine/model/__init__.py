"""What is true without I/O: documents, triggers, the lifecycle, merging, the plan. No SQL, sockets, files or clock reads."""
