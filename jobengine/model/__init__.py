"""What is true without I/O: documents, triggers, the lifecycle, merging, the plan. No clock reads either."""
