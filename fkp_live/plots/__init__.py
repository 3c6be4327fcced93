"""What recordings say, for people: rows, timelines, reports."""
