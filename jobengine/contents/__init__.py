"""The contents store's backends, and the contents and streams that are kept in any of them."""
