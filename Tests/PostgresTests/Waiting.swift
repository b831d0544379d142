import Testing

/// Waits until `condition` holds; false when `limit` has passed without it.
func becomesTrue(
    within limit: Duration = .seconds(20), _ condition: () async throws -> Bool
) async throws -> Bool {
    let clock = ContinuousClock()
    let interval = Duration.milliseconds(5)
    let deadline = clock.now.advanced(by: limit)
    while try await !condition() {
        if clock.now >= deadline { return false }
        try await clock.sleep(for: interval)
    }
    return true
}

/// The error that `body` throws.
func failure(_ body: () async throws -> some Sendable) async -> (any Error)? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
