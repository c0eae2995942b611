"""NTU RGB+D: what its captures are called, who of the recorded bodies acts, and the forms it comes in."""
