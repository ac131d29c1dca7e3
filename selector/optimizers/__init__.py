"""From a problem to picks: one optimizer a file, found by its file name."""
