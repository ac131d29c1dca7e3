"""How diverse a set of rows is: one family of measures a file, found by existing."""
