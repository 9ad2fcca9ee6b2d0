"""The notifier: alerts from Kafka to people and their programs."""
