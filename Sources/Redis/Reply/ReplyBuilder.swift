/// Puts the parts of a reply together in the order in which the parser meets them.
///
/// Arrays grow as their elements arrive: a length that the peer merely claims reserves little.
final class ReplyBuilder {
    private struct Level {
        var missing: Int
        var elements: [RedisValue]
    }

    /// Elements reserved at once for an array that claims to be long.
    private static let mostReserved = 1024

    private var levels: [Level] = []
    private var finished: RedisValue?

    /// Adds a value that has no parts; it may complete the arrays around it.
    func add(_ leaf: RedisValue) {
        var value = leaf
        while let last = levels.indices.last {
            levels[last].elements.append(value)
            levels[last].missing -= 1
            guard levels[last].missing == 0 else { return }
            value = .array(levels.removeLast().elements)
        }
        finished = value
    }

    /// Begins an array of `count` elements.
    func beginArray(count: Int) {
        guard count > 0 else { return add(.array([])) }
        var elements: [RedisValue] = []
        elements.reserveCapacity(min(count, Self.mostReserved))
        levels.append(Level(missing: count, elements: elements))
    }

    /// Hands out the reply once all of its parts are there.
    func take() -> RedisValue? {
        defer { finished = nil }
        return finished
    }
}
