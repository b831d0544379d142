import Redis

/// The error that `body` throws, nil if it throws none; unlike `#expect(throws:)` it can run beside
/// the test in an `async let`.
func failure<Value>(
    _ body: () async throws(RedisError) -> Value
) async -> RedisError? {
    do throws(RedisError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
