"""What is known of a face: detection, landmarks, tracks, smoothing, pose and openness."""
