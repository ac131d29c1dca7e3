"""From texts to vectors and types: one layer a file, found by its file name."""
