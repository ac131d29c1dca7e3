"""Vectors to clusters: k-means, neighbours, density (HDBSCAN), and what happens to rows in no cluster."""
