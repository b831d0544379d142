import Foundation
import JobModel
import Redis

/// What became of an operator's wish for one entry.
package enum GraveAnswer: Sendable, Equatable {
    case done
    /// Somebody put it back or purged it, or it was dropped.
    case gone
    /// Somebody changed it since it was read; nothing was done.
    case changed
}

/// How many entries a round of trimming dropped, for each grave.
package struct GraveTrim: Sendable, Equatable {
    /// Beyond the most entries kept.
    package var dropped: [Grave: Int] = [:]
    /// Older than they may become.
    package var expired: [Grave: Int] = [:]

    package init() {}

    /// All of them.
    package var count: Int { (Array(dropped.values) + Array(expired.values)).reduce(0, +) }
}

extension RedisBroker {
    /// The most entries purged in one script.
    private static let purgedEachCall = 200

    /// Reads a grave page by page, from its end or from `place`.
    package func scan(
        _ grave: Grave, _ filter: GraveFilter = GraveFilter(), order: GraveOrder = .newestFirst,
        after place: GraveCursor? = nil
    ) -> GraveScan {
        GraveScan(self, grave, filter, order, after: place)
    }

    /// The place behind the newest `count` entries; nil when there are not so many.
    package func place(
        behind count: Int, of grave: Grave
    ) async throws(BrokerError) -> GraveCursor? {
        let found = try await send(
            RedisCommand(
                "ZREVRANGE", keys.graveOrder(grave), count - 1, count - 1, "WITHSCORES")
        ).array
        guard let found, found.count == 2, let entry = found[0].string else { return nil }
        return GraveCursor(time: Int64(Double(found[1].string ?? "") ?? 0), entry: entry)
    }

    /// How many entries a grave has.
    package func count(of grave: Grave) async throws(BrokerError) -> Int {
        try await send(RedisCommand("ZCARD", keys.graveOrder(grave))).int ?? 0
    }

    /// One entry as it stands; nil when there is none.
    package func record(
        of entry: String, in grave: Grave
    ) async throws(BrokerError) -> BuriedRecord? {
        let replies = try await pipeline([
            RedisCommand("HGET", keys.graveEntries(grave), entry),
            RedisCommand("ZSCORE", keys.graveOrder(grave), entry),
        ])
        for reply in replies {
            if case .error(let error) = reply { throw BrokerError(error) }
        }
        guard let bytes = replies[0].bytes else { return nil }
        let time = Int64(Double(replies[1].string ?? "") ?? 0)
        return BuriedRecord(cursor: GraveCursor(time: time, entry: entry), bytes: bytes)
    }

    /// Puts a message back on its list, as if it had never been tried, and takes its entry away.
    ///
    /// - Parameters:
    ///   - record: the entry as it was read; one that was changed since is not put back.
    ///   - grave: where it is.
    ///   - keepsExpiry: false to let it run although its `expires` has passed.
    /// - Returns: whether it was put back.
    /// - Throws: `refused` for a record that was not written by this system.
    package func replay(
        _ record: BuriedRecord, from grave: Grave, keepsExpiry: Bool = true
    ) async throws(BrokerError) -> GraveAnswer {
        let message = try readable(record)
        let queue: QueueName
        do throws(InvalidName) {
            queue = try QueueName(message.queue)
        } catch {
            throw BrokerError(code: .refused, message: "entry \(message.entry): the \(error)")
        }
        var call = RedisScriptCall(
            scripts.replay,
            keys: [
                keys.graveOrder(grave), keys.graveEntries(grave),
                keys.list(of: queue, step: message.step), keys.counters,
            ])
        call.append(record.entry)
        call.append(message.fresh(keepsExpiry: keepsExpiry, at: time.now))
        call.append(record.bytes)
        call.append(GraveCounter.replayed(grave).name)
        return try answer(try await run(call), of: "replay")
    }

    /// Gives an entry another message, unless somebody changed it since it was read.
    package func replace(
        _ record: BuriedRecord, with message: BuriedMessage, in grave: Grave
    ) async throws(BrokerError) -> GraveAnswer {
        var call = RedisScriptCall(scripts.edit, keys: [keys.graveEntries(grave)])
        call.append(record.entry)
        call.append(record.bytes)
        call.append(message.encoded())
        return try answer(try await run(call), of: "edit")
    }

    /// Deletes entries for good; returns how many there were.
    package func purge(
        _ entries: [String], from grave: Grave
    ) async throws(BrokerError) -> Int {
        var count = 0
        for start in stride(from: 0, to: entries.count, by: Self.purgedEachCall) {
            var call = RedisScriptCall(
                scripts.purge,
                keys: [keys.graveOrder(grave), keys.graveEntries(grave), keys.counters])
            call.append(GraveCounter.purged(grave).name)
            call.append(
                contentsOf: entries[start..<min(start + Self.purgedEachCall, entries.count)])
            guard let purged = try await run(call).int else { throw .unexpected("purge") }
            count += purged
        }
        return count
    }

    package func trimGraves(limit: Int) async throws(BrokerError) -> GraveTrim {
        var trim = GraveTrim()
        for grave in Grave.allCases {
            var call = RedisScriptCall(
                scripts.trim,
                keys: [keys.graveOrder(grave), keys.graveEntries(grave), keys.counters])
            call.append(options.maximum(grave))
            call.append(Int(options.maximumAge(grave).inMilliseconds))
            call.append(limit)
            call.append(GraveCounter.dropped(grave).name)
            call.append(GraveCounter.expired(grave).name)
            guard let answer = try await run(call).array, answer.count == 2,
                let dropped = answer[0].int, let expired = answer[1].int
            else { throw .unexpected("trim") }
            if dropped > 0 { trim.dropped[grave] = dropped }
            if expired > 0 { trim.expired[grave] = expired }
        }
        return trim
    }

    /// What was ever counted of the graves, by the names of ``GraveCounter``.
    package func counters() async throws(BrokerError) -> [String: Int] {
        let items = try await send(RedisCommand("HGETALL", keys.counters)).array ?? []
        return stride(from: 0, to: items.count - 1, by: 2).reduce(into: [:]) { counters, index in
            guard let name = items[index].string else { return }
            counters[name] = items[index + 1].int ?? 0
        }
    }

    private func readable(_ record: BuriedRecord) throws(BrokerError) -> BuriedMessage {
        if let message = record.message { return message }
        throw BrokerError(
            code: .refused,
            message: "entry \(record.entry) has a record that this program did not write")
    }

    private func answer(
        _ reply: RedisValue, of script: String
    ) throws(BrokerError) -> GraveAnswer {
        switch reply.int {
        case 1: .done
        case 0: .gone
        case -1: .changed
        default: throw .unexpected(script)
        }
    }
}

/// What is counted of a grave, for ever.
package enum GraveCounter: Sendable {
    /// Lost to the most entries kept.
    case dropped(Grave)
    /// Lost to the age they may reach.
    case expired(Grave)
    case purged(Grave)
    case replayed(Grave)

    /// The field of the counters' hash.
    package var name: String {
        switch self {
        case .dropped(let grave): "\(grave.rawValue).dropped"
        case .expired(let grave): "\(grave.rawValue).expired"
        case .purged(let grave): "\(grave.rawValue).purged"
        case .replayed(let grave): "\(grave.rawValue).replayed"
        }
    }
}

extension BrokerOptions {
    /// The most entries of a grave.
    func maximum(_ grave: Grave) -> Int {
        switch grave {
        case .dead: maximumDead
        case .quarantine: maximumQuarantined
        }
    }

    /// How old the entries of a grave may become; zero is for ever.
    func maximumAge(_ grave: Grave) -> Duration {
        switch grave {
        case .dead: maximumDeadAge
        case .quarantine: maximumQuarantinedAge
        }
    }
}
