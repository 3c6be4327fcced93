"""What a picture is: BGR or 4:2:0 samples, and crops of both."""
