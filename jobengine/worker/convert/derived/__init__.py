"""Elements that are made of those of other contents, when they are wanted."""
