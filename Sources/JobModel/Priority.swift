/// Celery's priority on Redis: 0 is the most urgent, 9 the least; four lists hold the ten values.
///
/// Source: kombu's Redis transport with its default steps (0, 3, 6, 9).
public struct Priority: Hashable, Sendable, Comparable {
    /// The first priority of each of the four lists, most urgent first.
    public static let steps = [0, 3, 6, 9]

    /// The default, and the most urgent.
    public static let highest = Priority(0)

    /// The value sent in `properties.priority`.
    public let value: Int

    /// Wraps a value; anything outside 0…9 is clamped, as Celery does.
    public init(_ value: Int) { self.value = min(max(value, 0), 9) }

    /// The index in ``steps`` of the list that carries this priority.
    public var step: Int { Self.steps.lastIndex { $0 <= value } ?? 0 }

    /// Whether `left` is the more urgent.
    public static func < (left: Priority, right: Priority) -> Bool { left.value < right.value }
}
