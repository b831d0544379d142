import JobModel
import Redis

/// The values of a chord's members, in their order.
struct ChordJoin: Sendable {
    /// What was found.
    enum Gathered: Sendable {
        case values([JSONValue])
        /// The first member that failed or was revoked, and its exception.
        case failed(JobID, JSONValue)
        /// Results are missing that may still come.
        case incomplete
        /// Something there is not what it must be; an exception as Python shows it.
        case unreadable(String)
    }

    /// Parts, or results, read in one command.
    private static let page = 500

    let broker: RedisBroker
    let claim: ChordClaim

    /// Reads what there is: by the tree of results where the group was saved, else all parts.
    func gathered() async throws(BrokerError) -> Gathered {
        let keys = broker.keys.chord(claim.group)
        let replies = try await broker.pipeline([
            RedisCommand("GET", keys.saved), RedisCommand("TYPE", keys.parts),
        ])
        if case .error(let error) = replies[0] { return Self.unreadable("\(error.code)") }
        var parts: [ChordPartRecord] = []
        var bytes = 0
        var page: [RedisValue]
        let command = replies[1].string == "list" ? "LRANGE" : "ZRANGE"
        repeat {
            let reply = try await broker.send(
                RedisCommand(command, keys.parts, parts.count, parts.count + Self.page - 1))
            page = reply.array ?? []
            for item in page {
                guard let text = item.bytes, let part = ChordPartRecord(text) else {
                    return Self.unreadable("a part of the chord is not [1, id, state, value]")
                }
                bytes += text.count
                parts.append(part)
            }
            guard bytes <= broker.options.chords.maximumJoinBytes else {
                return Self.unreadable(
                    "the parts are more than \(broker.options.chords.maximumJoinBytes) bytes")
            }
        } while page.count == Self.page
        if let saved = replies[0].bytes { return try await joined(saved, parts) }
        if let failed = parts.first(where: \.hasFailed) { return .failed(failed.id, failed.value) }
        return .values(parts.map(\.value))
    }

    private static func unreadable(_ text: String) -> Gathered {
        .unreadable(CanvasPublisher.repr(PythonException.valueError.json(text)))
    }

    // MARK: A saved group

    private func joined(
        _ saved: [UInt8], _ parts: [ChordPartRecord]
    ) async throws(BrokerError) -> Gathered {
        guard let record = try? JSONValue(parsing: saved, depth: .max),
            let tree = record["result"].flatMap(ResultTree.init(tuple:)), case .group = tree
        else { return Self.unreadable("the saved group cannot be read") }
        // Members that store no result have left their value here.
        var known = Dictionary(parts.map { ($0.id, $0) }) { first, _ in first }
        let missing = tree.leaves.filter { known[$0] == nil }
        for start in stride(from: 0, to: missing.count, by: Self.page) {
            let some = missing[start..<min(start + Self.page, missing.count)]
            let replies = try await broker.send(
                RedisCommand("MGET", some.map { broker.keys.result(of: $0) }))
            for (id, reply) in zip(some, replies.array ?? []) {
                guard let bytes = reply.bytes else { continue }
                guard let part = ChordPartRecord(id: id, record: bytes) else {
                    return Self.unreadable("the result of \(id) cannot be read")
                }
                if part.hasFailed || part.state == ResultRecord.State.success { known[id] = part }
            }
        }
        for id in tree.leaves {
            if let part = known[id], part.hasFailed { return .failed(id, part.value) }
        }
        guard let values = tree.value({ known[$0]?.value })?.arrayValue else { return .incomplete }
        return .values(values)
    }
}

/// What one member has brought.
struct ChordPartRecord: Sendable {
    let id: JobID
    let state: ResultRecord.State
    let value: JSONValue

    /// Reads `[1, id, state, value]`.
    init?(_ bytes: [UInt8]) {
        guard let json = try? JSONValue(parsing: bytes, depth: .max),
            case .array(let items) = json, items.count == 4, case .string(let id) = items[1],
            case .string(let state) = items[2]
        else { return nil }
        self.id = JobID(id)
        self.state = ResultRecord.State(state)
        value = items[3]
    }

    /// Reads the record of a result.
    init?(id: JobID, record: [UInt8]) {
        guard let json = try? JSONValue(parsing: record, depth: .max),
            let state = json["status"]?.stringValue
        else { return nil }
        self.id = id
        self.state = ResultRecord.State(state)
        value = json["result"] ?? .null
    }

    var hasFailed: Bool { state == .failure || state == .revoked }
}
