"""Faces: detection, landmarks, tracking, smoothing, head pose and openness."""
