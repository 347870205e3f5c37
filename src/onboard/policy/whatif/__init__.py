"""What would follow from other policies, or from other facts about somebody."""
