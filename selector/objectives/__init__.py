"""What a subset is worth: one objective a file, found by its file name."""
