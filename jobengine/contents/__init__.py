"""The contents store: elements of media streams, kept durably, found by any time reference."""
