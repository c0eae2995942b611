"""What every training run needs: state, optimizer and schedule, sharding, checkpoints."""
