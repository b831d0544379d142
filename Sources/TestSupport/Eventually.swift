/// A condition that did not come true in time.
package struct NeverHappened: Error, CustomStringConvertible {
    package let description: String
}

/// Waits until `condition` is true, looking again every few milliseconds; throws after `limit`.
package func eventually(
    within limit: Duration = .seconds(10), _ what: String = "the condition",
    fileID: String = #fileID, line: Int = #line, _ condition: () async throws -> Bool
) async throws {
    let interval = Duration.milliseconds(5)
    let clock = ContinuousClock()
    let end = clock.now + limit
    while try await !condition() {
        guard clock.now < end else {
            throw NeverHappened(
                description: "\(what) did not come true within \(limit), at \(fileID):\(line)")
        }
        try await clock.sleep(for: interval)
    }
}
