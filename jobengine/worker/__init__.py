"""The worker process: executes one job's work. Knows messages, media and clocks; no SQL, no HTTP."""
