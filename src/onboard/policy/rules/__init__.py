"""What may never be, and who may do what: Cedar, checked strictly as it loads, and asked."""
