"""The parts of a page, one file each: `section(found) -> Section`, from the findings of the same name."""
