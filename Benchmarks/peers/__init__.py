"""The other systems' applications, each with one no-op; they run in environments of their own."""
