"""Files beside the database: artifacts and journals."""
