/// The error that `body` throws, if it does.
func failure(_ body: () async throws -> some Sendable) async -> (any Error)? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
