"""Work kind ``convert``: a recipe makes something of elements in the contents store."""
