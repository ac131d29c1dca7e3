"""What a report says, as JSON values: one file for each part of the page, `find(scene) -> dict`."""
