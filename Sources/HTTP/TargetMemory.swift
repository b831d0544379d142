import Mailbox

/// The targets of late, by their URLs: endpoints are few, and each is sent to again and again.
///
/// Callable from any thread.
final class TargetMemory: Sendable {
    private let targets = Locked<[String: RequestTarget]>([:])
    private let limits: HTTPLimits

    init(limits: HTTPLimits) {
        self.limits = limits
        targets.withLock { $0.reserveCapacity(64) }
    }

    /// What `url` was read as before, or reads it.
    ///
    /// - Throws: `.badURL`, `.protocolNotAllowed`.
    func target(of url: String) throws(HTTPError) -> RequestTarget {
        if let known = targets.withLock({ $0[url] }) { return known }
        let target = try RequestTarget(url, limit: limits.urlBytes)
        targets.withLock { targets in
            // Those that are in use are soon here again.
            if targets.count >= limits.rememberedTargets { targets.removeAll() }
            targets[url] = target
        }
        return target
    }
}
