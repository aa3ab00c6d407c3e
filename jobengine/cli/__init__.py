"""The command line: click and rich over the client. Commands import what they need when they run."""
