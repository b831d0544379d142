/// A key of at most sixteen bytes in one machine integer, so that comparing keys is one step; of a
/// longer one, its end and its length.
struct PackedName: Equatable {
    private var bytes: UInt128 = 0
    private var count = 0

    init() {}

    init(_ name: String) { for byte in name.utf8 { append(byte) } }

    /// Whether it is longer than what is compared: an equal one may still be another.
    var isCut: Bool { count > 16 }

    mutating func append(_ byte: UInt8) {
        bytes = bytes << 8 | UInt128(byte)
        count += 1
    }
}

/// The keys that the scanner looks for.
struct EnvelopeNames {
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
