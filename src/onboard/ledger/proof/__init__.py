"""What convinces an auditor: verification, checkpoints, exports."""
