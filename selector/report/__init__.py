"""Pages from results: what a finding says becomes sections of one HTML file. Nothing is computed here."""
