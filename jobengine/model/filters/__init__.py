"""What stands in the graphs of a pipe: one filter a file, found by name through ``registry``."""
