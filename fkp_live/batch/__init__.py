"""Archives: many films and pictures, on one machine or many."""
