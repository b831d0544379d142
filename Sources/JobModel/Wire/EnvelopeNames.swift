/// A key of at most sixteen bytes in two machine integers, so that comparing keys is one step; of a
/// longer one, its beginning and its length.
struct PackedName: Equatable {
    private let low: UInt64
    private let high: UInt64
    let count: Int

    /// `low` and `high` are the first sixteen bytes, what is beyond `count` included.
    init(low: UInt64, high: UInt64, count: Int) {
        self.count = count
        self.low = count < 8 ? low & (1 << UInt64(8 * count) - 1) : low
        self.high =
            count <= 8 ? 0 : count < 16 ? high & (1 << UInt64(8 * (count - 8)) - 1) : high
    }

    init(_ name: String) {
        var words: (UInt64, UInt64) = (0, 0)
        for (place, byte) in name.utf8.enumerated() where place < 16 {
            if place < 8 {
                words.0 |= UInt64(byte) << UInt64(8 * place)
            } else {
                words.1 |= UInt64(byte) << UInt64(8 * (place - 8))
            }
        }
        self.init(low: words.0, high: words.1, count: name.utf8.count)
    }

    /// Whether it is longer than what is compared: an equal one may still be another.
    var isCut: Bool { count > 16 }
}

/// The keys that the scanner looks for.
///
/// A class: each scan would otherwise begin by copying all of them.
final class EnvelopeNames: Sendable {
    static let wire = EnvelopeNames()

    let headers = PackedName("headers")
    let properties = PackedName("properties")
    let body = PackedName("body")
    let contentType = PackedName("content-type")
    let contentEncoding = PackedName("content-encoding")
    let task = PackedName("task")
    let id = PackedName("id")
    let retries = PackedName("retries")
    let eta = PackedName("eta")
    let expires = PackedName("expires")
    let timelimit = PackedName("timelimit")
    let ignoreResult = PackedName("ignore_result")
    let rootID = PackedName("root_id")
    let parentID = PackedName("parent_id")
    let group = PackedName("group")
    let compression = PackedName("compression")
    let redelivered = PackedName("redelivered")
    let deaths = PackedName(JobMessage.deathsHeader)
    let tickEntry = PackedName(TickHeaders.entry)
    let tickDueAt = PackedName(TickHeaders.dueAt)
    let priority = PackedName("priority")
    let bodyEncoding = PackedName("body_encoding")
}
