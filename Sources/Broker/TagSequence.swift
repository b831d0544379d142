import Mailbox

/// Numbers that this process never gives twice.
final class TagSequence: Sendable {
    private let last = Locked(0)

    /// The next number.
    func next() -> Int {
        last.withLock { last in
            last += 1
            return last
        }
    }
}
