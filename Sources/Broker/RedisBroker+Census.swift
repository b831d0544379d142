package import Foundation
package import JobModel
import Redis

/// What the doctor asks; each question is bounded, and none changes anything but ``discard(_:idle:)``.
extension RedisBroker {
    /// Keys looked at in one step of a survey, and how many steps at most for each pattern.
    private static let keysEachStep = 1000
    private static let surveySteps = 200
    /// The most stale tags that are counted.
    private static let mostStale = 1000

    /// Redis' clock.
    package func serverTime() async throws(BrokerError) -> Date {
        let clock = try await send(RedisCommand("TIME"))
        guard let parts = clock.array, parts.count == 2, let seconds = parts[0].int,
            let microseconds = parts[1].int
        else { throw BrokerError.unexpected("TIME") }
        return Date(timeIntervalSince1970: Double(seconds) + Double(microseconds) / 1e6)
    }

    /// Every worker that has a lease, or had one and was not struck off yet.
    package func standings() async throws(BrokerError) -> [WorkerStanding] {
        let now = try await serverTime()
        let reply = try await send(RedisCommand("ZRANGE", keys.workers, 0, -1, "WITHSCORES"))
        let items = (reply.array ?? []).compactMap(\.string)
        let names = stride(from: 0, to: items.count - 1, by: 2).map { items[$0] }
        guard !names.isEmpty else { return [] }
        let records = try await send(RedisCommand("HMGET", [keys.presence] + names)).array ?? []
        return names.enumerated().map { index, name in
            let ends = (Double(items[index * 2 + 1]) ?? 0) / 1000
            let record = records.indices.contains(index) ? records[index].bytes : nil
            return WorkerStanding(
                worker: WorkerID(text: name), leaseEnds: Date(timeIntervalSince1970: ends),
                isAlive: ends > now.timeIntervalSince1970,
                presence: record.flatMap { WorkerPresence(decoding: $0) })
        }
    }

    /// What Redis refuses of what workers do, as its own texts; empty when it refuses nothing.
    ///
    /// - Throws: `server` when scripts are refused altogether.
    package func refusals() async throws(BrokerError) -> [String] {
        var call = RedisScriptCall(
            scripts.probe,
            keys: [keys.unacked, keys.unackedIndex, keys.delayed, keys.probeList])
        call.append(RedisKeys.probeMember)
        guard let errors = try await run(call).array else { throw .unexpected("probe") }
        return errors.compactMap(\.string)
    }

    /// The keys that hold something else than they must, those of `queues` among them.
    package func mistypedKeys(
        queues: [QueueName]
    ) async throws(BrokerError) -> [MistypedKey] {
        let wanted = keys.types + queues.flatMap { keys.lists(of: $0) }.map { ($0, "list") }
        let replies = try await pipeline(wanted.map { RedisCommand("TYPE", $0.key) })
        var mistyped: [MistypedKey] = []
        for (wanted, reply) in zip(wanted, replies) {
            if case .error(let error) = reply { throw BrokerError(error) }
            guard let found = reply.string, found != "none", found != wanted.type else { continue }
            mistyped.append(MistypedKey(key: wanted.key, expected: wanted.type, found: found))
        }
        return mistyped
    }

    /// What has been in flight for longer than the visibility timeout.
    package func staleFlight() async throws(BrokerError) -> StaleFlight {
        let oldest =
            try await serverTime().timeIntervalSince1970 - options.visibilityTimeout.inSeconds
        let reply = try await send(
            RedisCommand(
                "ZRANGEBYSCORE", keys.unackedIndex, "-inf", oldest, "LIMIT", 0, Self.mostStale))
        let tags = (reply.array ?? []).compactMap(\.string)
        let ours = tags.count { LeaseTag($0) != nil }
        return StaleFlight(
            ours: ours, foreign: tags.count - ours, isCut: tags.count == Self.mostStale)
    }

    /// The delayed messages that should be on their lists by now; nil when there are none.
    package func overdue() async throws(BrokerError) -> OverdueMessages? {
        let now = try await serverTime().timeIntervalSince1970 * 1000
        let replies = try await pipeline([
            RedisCommand("ZRANGE", keys.delayed, 0, 0, "WITHSCORES"),
            RedisCommand("ZCOUNT", keys.delayed, "-inf", "(\(Int64(now))"),
        ])
        for reply in replies {
            if case .error(let error) = reply { throw BrokerError(error) }
        }
        guard let count = replies[1].int, count > 0,
            let first = replies[0].array?.last?.string.flatMap(Double.init)
        else { return nil }
        return OverdueMessages(count: count, longest: .milliseconds(Int64(max(0, now - first))))
    }

    /// Looks at all keys, up to a bound, for what others left behind.
    package func survey(
        standings: [WorkerStanding]
    ) async throws(BrokerError) -> KeySurvey {
        var survey = KeySurvey()
        for key in try await scan(keys.replyQueuePattern, &survey.isCut) {
            survey.replyQueues.append(ReplyQueue(key: key, idle: try await idle(key)))
        }
        let living = Set(standings.filter(\.isAlive).map(\.worker))
        for key in try await scan(keys.inboxPattern, &survey.isCut) {
            guard let inbox = keys.inbox(key), !living.contains(inbox.worker) else { continue }
            let count = try await send(RedisCommand("LLEN", key)).int ?? 0
            guard count > 0 else { continue }
            survey.orphanInboxes.append(OrphanInbox(key: key, worker: inbox.worker, count: count))
        }
        var names: Set<String> = []
        for key in try await scan(keys.bindingPattern, &survey.isCut) {
            let members = try await send(RedisCommand("SSCAN", key, "0", "COUNT", 1000))
            for member in (members.array?.last?.array ?? []).compactMap(\.string) {
                // `<routing key><sep><pattern><sep><queue>`
                guard let end = member.range(of: RedisKeys.prioritySeparator, options: .backwards)
                else { continue }
                names.insert(String(member[end.upperBound...]))
            }
        }
        survey.queues = names.filter { !$0.hasSuffix(".pidbox") && !$0.hasPrefix("celeryev") }
            .sorted().compactMap { try? QueueName($0) }
        return survey
    }

    /// Deletes keys that have been idle for so long, judged again in the step that deletes.
    package func discard(
        _ keys: [String], idle: Duration
    ) async throws(BrokerError) -> Int {
        var count = 0
        for start in stride(from: 0, to: keys.count, by: 100) {
            let some = Array(keys[start..<min(start + 100, keys.count)])
            var call = RedisScriptCall(scripts.discard, keys: some)
            call.append(Int(idle.inSeconds))
            guard let discarded = try await run(call).int else { throw .unexpected("discard") }
            count += discarded
        }
        return count
    }

    /// How long nobody used a key; nil where the server does not tell, or the key is gone.
    private func idle(_ key: String) async throws(BrokerError) -> Duration? {
        let reply = try await pipeline([RedisCommand("OBJECT", "IDLETIME", key)])[0]
        return reply.int.map { .seconds($0) }
    }

    private func scan(_ pattern: String, _ isCut: inout Bool) async throws(BrokerError) -> [String]
    {
        var found: Set<String> = []
        var cursor = "0"
        for _ in 0..<Self.surveySteps {
            let page = try await send(
                RedisCommand("SCAN", cursor, "MATCH", pattern, "COUNT", Self.keysEachStep))
            guard let parts = page.array, parts.count == 2, let next = parts[0].string else {
                throw BrokerError.unexpected("SCAN")
            }
            found.formUnion((parts[1].array ?? []).compactMap(\.string))
            cursor = next
            if cursor == "0" { return found.sorted() }
        }
        isCut = true
        return found.sorted()
    }
}
