import Foundation
package import JobModel
import Redis

/// Looks for the members of a chord wherever a message can be; nothing here changes anything.
struct ChordSearch: Sendable {
    /// Messages read in one command, and their bytes, about.
    private static let page = 200

    private let broker: RedisBroker
    private let group: String
    /// Messages left to look at.
    private var left: Int
    private var detail: ChordDetail
    private var known: Set<String>
    private let mark: [UInt8]

    init(_ chord: OpenChord, broker: RedisBroker, limit: Int) {
        self.broker = broker
        group = chord.group
        left = limit
        detail = ChordDetail(chord: chord)
        known = []
        mark = Array(chord.group.utf8)
    }

    /// Everything that is known of it.
    mutating func run(queues: [QueueName]) async throws(BrokerError) -> ChordDetail {
        try await readParts()
        try await lookInFlight()
        try await lookAtDelayed()
        for grave in Grave.allCases { try await look(in: grave) }
        for queue in queues {
            for list in broker.keys.lists(of: queue) {
                try await look(at: list, .waiting(queue: queue.text))
            }
        }
        let staged = try await broker.send(
            RedisCommand("ZRANGE", broker.keys.staging, 0, Self.page - 1))
        for list in (staged.array ?? []).compactMap(\.string) {
            try await look(at: list, .staged)
        }
        detail.found.sort { ($0.index ?? .infinity) < ($1.index ?? .infinity) }
        nameNowhere()
        return detail
    }

    private mutating func readParts() async throws(BrokerError) {
        let key = broker.keys.chord(group).parts
        guard try await broker.send(RedisCommand("TYPE", key)).string == "zset" else { return }
        var items: [RedisValue]
        repeat {
            let start = detail.there.count
            let reply = try await broker.send(
                RedisCommand("ZRANGE", key, start, start + Self.page - 1, "WITHSCORES"))
            items = reply.array ?? []
            for place in stride(from: 0, to: items.count - 1, by: 2) {
                let part = items[place].bytes.flatMap(ChordPartRecord.init)
                let id = part?.id.text ?? "?"
                let score = items[place + 1].string.flatMap(Double.init)
                detail.there.append(
                    (
                        score.flatMap { $0.isFinite ? $0 : nil }, id,
                        part?.state.name ?? "?"
                    ))
                known.insert(id)
            }
        } while items.count == Self.page * 2
    }

    private mutating func nameNowhere() {
        guard !detail.isCut, let size = detail.chord.size, size <= 1_000_000,
            (detail.lost ?? 0) > 0
        else { return }
        let seen = Set(
            (detail.there.map(\.index) + detail.found.map(\.index)).compactMap { index in
                index.flatMap { Int(exactly: $0) }
            })
        detail.nowhere = (0..<size).filter { !seen.contains($0) }
    }

    // MARK: Places

    private mutating func look(
        at list: String, _ place: MissingMember.Place
    ) async throws(BrokerError) {
        var start = 0
        var items: [RedisValue]
        repeat {
            let reply = try await broker.send(
                RedisCommand("LRANGE", list, start, start + Self.page - 1))
            items = reply.array ?? []
            for item in items {
                guard mayLook() else { return }
                guard let bytes = item.bytes else { continue }
                note(place == .staged ? StagedItem.message(in: bytes) : bytes, place)
            }
            start += items.count
        } while items.count == Self.page
    }

    private mutating func lookInFlight() async throws(BrokerError) {
        try await scan(broker.keys.unacked) { search, tag, record in
            guard let parts = InFlightRecord.parts(of: record) else { return }
            let worker = WorkerID(owning: tag)
            search.note(
                parts.message,
                worker.map { .inFlight(worker: $0.text) } ?? .inFlightElsewhere)
        }
    }

    private mutating func lookAtDelayed() async throws(BrokerError) {
        var waiting: [(member: String, message: [UInt8])] = []
        try await scan(broker.keys.delayedMessages) { search, member, record in
            guard let line = record.firstIndex(of: UInt8(ascii: "\n")) else { return }
            let message = Array(record[(line + 1)...])
            if search.mentions(message) { waiting.append((member, message)) }
        }
        for (member, message) in waiting {
            let due = try await broker.send(
                RedisCommand("ZSCORE", broker.keys.delayed, member))
            let time = due.string.flatMap(Double.init) ?? 0
            note(message, .delayed(until: Date(timeIntervalSince1970: time / 1000)))
        }
    }

    private mutating func look(in grave: Grave) async throws(BrokerError) {
        var scan = broker.scan(grave)
        while true {
            guard left > 0 else {
                detail.isCut = true
                return
            }
            let records = try await scan.next(lookingAt: min(left, 1000))
            if records.isEmpty { return }
            for record in records {
                guard mayLook() else { return }
                guard let buried = record.message else { continue }
                note(
                    [UInt8](buried.original),
                    .buried(
                        in: grave, entry: buried.entry,
                        reason: "\(buried.code): \(buried.message)"))
            }
        }
    }

    private mutating func scan(
        _ hash: String, _ body: (inout ChordSearch, String, [UInt8]) -> Void
    ) async throws(BrokerError) {
        var cursor = "0"
        repeat {
            let page = try await broker.send(
                RedisCommand("HSCAN", hash, cursor, "COUNT", Self.page))
            guard let parts = page.array, parts.count == 2, let next = parts[0].string,
                let items = parts[1].array
            else { throw BrokerError.unexpected("HSCAN") }
            for place in stride(from: 0, to: items.count - 1, by: 2) {
                guard mayLook() else { return }
                guard let field = items[place].string, let value = items[place + 1].bytes else {
                    continue
                }
                body(&self, field, value)
            }
            cursor = next
        } while cursor != "0"
    }

    private mutating func mayLook() -> Bool {
        guard left > 0 else {
            detail.isCut = true
            return false
        }
        left -= 1
        detail.seen += 1
        return true
    }

    // MARK: Messages

    /// Whether a message may be a member, or carry one: cheap, and wrong now and then.
    private func mentions(_ raw: [UInt8]) -> Bool {
        if raw.firstRange(of: mark) != nil { return true }
        // The rest of a chain, and bodies, stand in the message's own body.
        guard let message = try? JobMessage(decoding: raw, limits: WireLimits()) else {
            return false
        }
        return (try? message.body(limits: WireLimits())).map { !$0.embed.isEmpty } ?? false
    }

    private mutating func note(_ raw: [UInt8], _ place: MissingMember.Place) {
        guard mentions(raw),
            let message = try? JobMessage(decoding: raw, limits: WireLimits())
        else { return }
        if message.groupID == group {
            let index = JobRequest(message).groupIndex.doubleValue
            add(message.id.text, message.name.text, index, behind: nil, place)
            return
        }
        guard let body = try? message.body(limits: WireLimits()),
            let task = try? CanvasTask(message, body)
        else { return }
        // A member that a chain leads to, or the body of a chord that leads to one.
        for step in task.chain + (task.chord.map { [$0] } ?? [])
        where step.options["group_id"]?.stringValue == group && step.options["chord"] != nil {
            add(
                step.options["task_id"]?.stringValue ?? "?", step.name.text,
                step.options["group_index"]?.doubleValue, behind: message.id.text, place)
        }
    }

    private mutating func add(
        _ id: String, _ name: String, _ index: Double?, behind: String?,
        _ place: MissingMember.Place
    ) {
        guard known.insert(id).inserted else { return }
        detail.found.append(
            MissingMember(index: index, id: id, name: name, behind: behind, place: place))
    }
}

extension RedisBroker {
    /// A chord with the places of its members; nil when it is not open.
    ///
    /// Looks in `queues`, beside those that others know, and at `limit` messages at most; `group` is
    /// the id of the chord's header.
    package func findMembers(
        of group: String, queues: [QueueName], lookingAt limit: Int
    ) async throws(BrokerError) -> ChordDetail? {
        guard let chord = try await openChord(group) else { return nil }
        let standings = try await standings()
        let served = standings.flatMap { $0.presence?.queues ?? [] }
            .compactMap { try? QueueName($0) }
        let known = try await survey(standings: standings).queues
        let all = Set(queues + served + known + [options.canvas.defaultQueue])
        var search = ChordSearch(chord, broker: self, limit: limit)
        return try await search.run(queues: all.sorted { $0.text < $1.text })
    }
}
