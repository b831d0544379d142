import Foundation
import JobModel
import Mailbox
import Redis

extension RedisBroker {
    /// How many expired workers one round looks after.
    private static let workersEachRound = 16

    package func reclaimExpired(limit: Int) async throws(BrokerError) -> Reclamation {
        var total = Reclamation()
        total.count += try await reclaimUnanswered()
        for worker in try await expiredForGood() {
            total.count += try await reclaim(from: worker, limit: limit)
            if try await forget(worker) { total.workers.append(worker) }
        }
        total.count += try await reclaimAbandoned(limit: limit)
        return total
    }

    package func leave(_ worker: WorkerID) async throws(BrokerError) {
        _ = try await send(RedisCommand("ZADD", keys.workers, 0, worker.text))
        _ = try await reclaim(from: worker, limit: 100)
        _ = try await forget(worker)
    }

    /// Workers that stayed expired for `reclaimGrace`, as this process saw it: after an outage of
    /// Redis every lease has run out, and the living renew theirs first.
    private func expiredForGood() async throws(BrokerError) -> [WorkerID] {
        let expired = try await expiredWorkers()
        let now = time.now
        return suspects.withLock { suspects in
            suspects = suspects.filter { expired.contains($0.key) }
            return expired.filter { worker in
                let since = suspects[worker, default: now]
                suspects[worker] = since
                return now.timeIntervalSince(since) >= options.reclaimGrace.inSeconds
            }
        }
    }

    /// Puts back what a reserve took whose answer never came: its tags are known, and nobody else
    /// would look for them before the visibility timeout.
    private func reclaimUnanswered() async throws(BrokerError) -> Int {
        let due = unanswered.withLock { calls in
            let now = time.now
            let due = calls.filter {
                now.timeIntervalSince($0.failedAt) >= UnansweredReserve.wait.inSeconds
            }
            calls.removeAll { call in due.contains { $0.tags == call.tags } }
            return due
        }
        var count = 0
        for (index, call) in due.enumerated() {
            do throws(BrokerError) {
                count += try await release(call.tags)
            } catch {
                unanswered.withLock { $0 += due[index...] }
                throw error
            }
        }
        return count
    }

    private func release(_ tags: [String]) async throws(BrokerError) -> Int {
        let records = try await send(RedisCommand("HMGET", [keys.unacked] + tags))
        var call = RedisScriptCall(scripts.release, keys: [keys.unacked, keys.unackedIndex])
        for (tag, record) in zip(tags, records.array ?? []).reversed() {
            guard let bytes = record.bytes, let parts = InFlightRecord.parts(of: bytes) else {
                continue
            }
            let message = RestoredMessage(parts.message)
            call.append(tag)
            call.append(keys.list(of: parts.queue, step: message.step))
            call.append(message.bytes)
        }
        let answers = try await run(call)
        return (answers.array ?? []).count { $0.int == 1 }
    }

    private func expiredWorkers() async throws(BrokerError) -> [WorkerID] {
        let clock = try await send(RedisCommand("TIME"))
        guard let parts = clock.array, parts.count == 2, let seconds = parts[0].int else {
            throw BrokerError.unexpected("TIME")
        }
        let reply = try await send(
            RedisCommand(
                "ZRANGEBYSCORE", keys.workers, "-inf", seconds * 1000, "LIMIT", 0,
                Self.workersEachRound))
        return (reply.array ?? []).compactMap { $0.string.map { WorkerID(text: $0) } }
    }

    /// Puts back what a dead worker held, found by the owner's name in the tags.
    private func reclaim(from worker: WorkerID, limit: Int) async throws(BrokerError) -> Int {
        var cursor = "0"
        var tags: [LeaseTag] = []
        repeat {
            let page = try await send(
                RedisCommand(
                    "ZSCAN", keys.unackedIndex, cursor, "MATCH", "\(worker.text)-*", "COUNT", 1000))
            guard let parts = page.array, parts.count == 2, let next = parts[0].string,
                let members = parts[1].array
            else { throw BrokerError.unexpected("ZSCAN") }
            cursor = next
            tags += stride(from: 0, to: members.count, by: 2).compactMap { index in
                members[index].string.flatMap(LeaseTag.init)
            }
        } while cursor != "0"
        // Reserved last goes back first: the list is read from the end that RPUSH writes.
        let lastFirst = tags.sorted(by: >).map(\.text)
        var count = 0
        for start in stride(from: 0, to: lastFirst.count, by: limit) {
            let some = Array(lastFirst[start..<min(start + limit, lastFirst.count)])
            count += try await putBack(some, heldBy: worker)
        }
        return count
    }

    /// Puts back what nobody renewed within the visibility timeout: a dead Python worker's.
    private func reclaimAbandoned(limit: Int) async throws(BrokerError) -> Int {
        let clock = try await send(RedisCommand("TIME"))
        guard let seconds = clock.array?.first?.int else { throw BrokerError.unexpected("TIME") }
        let oldest = Double(seconds) - options.visibilityTimeout.inSeconds
        let reply = try await send(
            RedisCommand("ZRANGEBYSCORE", keys.unackedIndex, "-inf", oldest, "LIMIT", 0, limit))
        let tags = (reply.array ?? []).compactMap(\.string)
        return tags.isEmpty ? 0 : try await putBack(tags.reversed(), heldBy: nil)
    }

    private func putBack(
        _ tags: [String], heldBy worker: WorkerID?
    ) async throws(BrokerError) -> Int {
        let records = try await send(RedisCommand("HMGET", [keys.unacked] + tags))
        var call = RedisScriptCall(
            scripts.reclaim, keys: [keys.unacked, keys.unackedIndex, keys.workers])
        call.append(worker?.text ?? "")
        call.append(Int(options.visibilityTimeout.inSeconds))
        var orphans: [String] = []
        for (tag, record) in zip(tags, records.array ?? []) {
            guard let bytes = record.bytes, let parts = InFlightRecord.parts(of: bytes) else {
                orphans.append(tag)
                continue
            }
            let message = RestoredMessage(parts.message)
            call.append(tag)
            call.append(keys.list(of: parts.queue, step: message.step))
            call.append(message.bytes)
        }
        if !orphans.isEmpty { try await strikeOff(orphans) }
        let reply = try await run(call)
        guard let count = reply.int else { throw BrokerError.unexpected("reclaim") }
        return max(0, Int(count))
    }

    /// Index entries without a record: settled between two commands of somebody else, or left by a
    /// crash of the server; there is no message to lose.
    private func strikeOff(_ tags: [String]) async throws(BrokerError) {
        let still = try await send(RedisCommand("HMGET", [keys.unacked] + tags))
        let gone = zip(tags, still.array ?? []).filter { $0.1.isNull }.map(\.0)
        if !gone.isEmpty {
            _ = try await send(RedisCommand("ZREM", [keys.unackedIndex] + gone))
        }
    }

    /// Strikes a dead worker off, with what its inboxes may still hold.
    private func forget(_ worker: WorkerID) async throws(BrokerError) -> Bool {
        let record = try await send(RedisCommand("HGET", keys.presence, worker.text))
        let presence = record.bytes.flatMap { WorkerPresence(decoding: $0) }
        let lists = (presence?.queues ?? []).compactMap { try? QueueName($0) }
            .flatMap { keys.lists(of: $0) }
        var call = RedisScriptCall(
            scripts.forget,
            keys: [keys.workers, keys.presence]
                + lists.flatMap { [keys.inbox(of: worker, for: $0), $0] })
        call.append(worker.text)
        let reply = try await run(call)
        return (reply.int ?? -1) >= 0
    }
}

/// A message as it goes back on a list: marked as delivered before, if it can be read at all.
struct RestoredMessage {
    let bytes: [UInt8]
    let step: Int

    init(_ raw: [UInt8]) {
        let message = try? JobMessage(decoding: raw, limits: WireLimits())
        step = message?.priority.step ?? 0
        bytes = (try? message?.redelivered()) ?? raw
    }
}
