"""The exchange by person: puts all data of a person into one partition, and works on partitions."""
