import Foundation
import JobModel
import Mailbox
import Redis

extension RedisBroker {
    /// How many expired workers one round looks after.
    private static let workersEachRound = 16
    /// How often what one of them holds is looked for: once for each list it may have waited on.
    private static let roundsEachWorker = 256
    /// How many messages one call puts back.
    private static let messagesEachCall = 100
    /// Stands for a lease that ended for certain: whoever saw the process die wrote it.
    private static let knownDead = -1

    package func reclaimExpired(limit: Int) async throws(BrokerError) -> Reclamation {
        var total = Reclamation()
        total.count += try await reclaimUnanswered()
        for worker in try await expiredForGood() {
            total += try await reclaim(from: worker, limit: limit, countingDeath: true)
        }
        total.count += try await reclaimAbandoned(limit: limit)
        return total
    }

    package func leave(_ worker: WorkerID) async throws(BrokerError) {
        // A failure leaves it to others, who find it soon.
        try? await finishOwn()
        _ = try await send(RedisCommand("ZADD", keys.workers, 0, worker.text))
        _ = try await reclaim(from: worker, limit: Self.messagesEachCall, countingDeath: false)
    }

    package func reportDeath(of worker: WorkerID) async throws(BrokerError) -> Reclamation {
        try await certifyDeath(of: worker)
        // Only of one that is listed: who left in order has nothing to put back.
        guard try await send(RedisCommand("ZSCORE", keys.workers, worker.text)).string != nil else {
            return Reclamation()
        }
        return try await reclaim(
            from: worker, limit: Self.messagesEachCall, countingDeath: true, isCertain: true)
    }

    private func certifyDeath(of worker: WorkerID) async throws(BrokerError) {
        _ = try await send(
            RedisCommand("ZADD", keys.workers, "XX", Self.knownDead, worker.text))
    }

    /// Puts back what a worker holds and strikes it off, and then looks again.
    ///
    /// Its waits may still be under way at the server, whose news of a death can be late: each takes
    /// one message more, of those that were just put back.
    private func reclaim(
        from worker: WorkerID, limit: Int, countingDeath: Bool, isCertain: Bool = false
    ) async throws(BrokerError) -> Reclamation {
        var total = Reclamation()
        let suspects = Set(
            (try await send(RedisCommand("SMEMBERS", keys.suspects(of: worker))).array ?? [])
                .compactMap(\.string))
        let death = Death(worker: worker, isCounted: countingDeath, suspects: suspects)
        for round in 0..<Self.roundsEachWorker {
            let tags = try await tags(of: worker)
            if round > 0, tags.isEmpty { break }
            let before = total.count + total.poisoned.count
            for start in stride(from: 0, to: tags.count, by: limit) {
                let some = Array(tags[start..<min(start + limit, tags.count)])
                total += try await putBack(some, after: death)
            }
            // With a lease anew, by such a wait: it is found again when that has run out.
            if round > 0, total.count + total.poisoned.count == before { break }
            guard try await forget(worker) else { break }
            if round == 0 { total.workers.append(worker) }
            if isCertain { try await certifyDeath(of: worker) }
        }
        return total
    }

    /// Workers that are known to be dead, or have been overdue for `reclaimGrace`: after an outage of
    /// Redis every lease has run out, and the living renew theirs first.
    ///
    /// Since when is kept in Redis, so that a reaper may die as well.
    private func expiredForGood() async throws(BrokerError) -> [WorkerID] {
        let now = try await serverMilliseconds()
        let expired = try await expiredWorkers(at: now)
        guard !expired.isEmpty else { return [] }
        let workers = Array(expired.keys)
        _ = try await pipeline(
            workers.map { RedisCommand("HSETNX", keys.overdue, $0.text, now) })
        let seen = try await send(RedisCommand("HMGET", [keys.overdue] + workers.map(\.text)))
        return zip(workers, seen.array ?? []).filter { worker, since in
            let isKnownDead = (expired[worker] ?? 0) < 0
            return isKnownDead
                || now - Int64(since.int ?? Int(now)) >= options.reclaimGrace.inMilliseconds
        }.map(\.0)
    }

    /// Puts back what a reserve took whose answer never came: its tags are known, and nobody else
    /// would look for them before the visibility timeout.
    private func reclaimUnanswered() async throws(BrokerError) -> Int {
        let due = unanswered.withLock { calls in
            let now = time.now
            let due = calls.filter { $0.isDue(at: now) }
            calls.removeAll { $0.isDue(at: now) }
            return due
        }
        var count = 0
        for (index, call) in due.enumerated() {
            do throws(BrokerError) {
                count += try await release(call.tags)
                var again = call
                again.looked += 1
                if again.looked < UnansweredReserve.looks.count {
                    unanswered.withLock { $0.append(again) }
                }
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
            let message = Survivor(
                parts.message, tag: tag, queue: parts.queue, options: options)
            call.append(tag)
            call.append(keys.list(of: parts.queue, step: message.step))
            call.append(message.bytes)
        }
        let answers = try await run(call)
        return (answers.array ?? []).count { $0.int == 1 }
    }

    /// Workers whose lease has run out, and the ends of their leases in ms.
    private func expiredWorkers(at now: Int64) async throws(BrokerError) -> [WorkerID: Int64] {
        let reply = try await send(
            RedisCommand(
                "ZRANGEBYSCORE", keys.workers, "-inf", now, "WITHSCORES", "LIMIT", 0,
                Self.workersEachRound))
        let items = (reply.array ?? []).compactMap(\.string)
        var expired: [WorkerID: Int64] = [:]
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            expired[WorkerID(text: items[index])] = Int64(Double(items[index + 1]) ?? 0)
        }
        return expired
    }

    /// Redis' own time, milliseconds since 1970.
    func serverMilliseconds() async throws(BrokerError) -> Int64 {
        let clock = try await send(RedisCommand("TIME"))
        guard let parts = clock.array, parts.count == 2, let seconds = parts[0].int,
            let microseconds = parts[1].int
        else { throw BrokerError.unexpected("TIME") }
        return Int64(seconds) * 1000 + Int64(microseconds) / 1000
    }

    /// What a worker holds, found by the owner's name in the tags; reserved last goes back first,
    /// because the list is read from the end that RPUSH writes.
    private func tags(of worker: WorkerID) async throws(BrokerError) -> [String] {
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
        return tags.sorted(by: >).map(\.text)
    }

    /// Puts back what nobody renewed within the visibility timeout: a dead Python worker's.
    private func reclaimAbandoned(limit: Int) async throws(BrokerError) -> Int {
        let now = Double(try await serverMilliseconds()) / 1000
        let oldest = now - options.visibilityTimeout.inSeconds
        let reply = try await send(
            RedisCommand("ZRANGEBYSCORE", keys.unackedIndex, "-inf", oldest, "LIMIT", 0, limit))
        let tags = (reply.array ?? []).compactMap(\.string)
        return tags.isEmpty ? 0 : try await putBack(tags.reversed(), after: nil).count
    }

    /// Puts messages back, or into quarantine; without a death they are judged by their age.
    private func putBack(
        _ tags: [String], after death: Death?
    ) async throws(BrokerError) -> Reclamation {
        let records = try await send(RedisCommand("HMGET", [keys.unacked] + tags))
        var call = RedisScriptCall(
            scripts.reclaim,
            keys: [
                keys.unacked, keys.unackedIndex, keys.workers, keys.graveOrder(.quarantine),
                keys.graveEntries(.quarantine),
            ])
        call.append(death?.worker.text ?? "")
        call.append(Int(options.visibilityTimeout.inSeconds))
        call.append(options.secondsKept(.failure))
        var total = Reclamation()
        var alone: [BuriedMessage] = []
        var orphans: [String] = []
        for (tag, record) in zip(tags, records.array ?? []) {
            guard let bytes = record.bytes, let parts = InFlightRecord.parts(of: bytes) else {
                orphans.append(tag)
                continue
            }
            let survivor = Survivor(
                parts.message, tag: tag, queue: parts.queue, after: death, options: options,
                at: time.now)
            if let death, let condemned = survivor.condemned, condemned.aftermath != nil {
                // What follows from its end for its workflow takes a step of its own.
                if try await condemn(condemned.settling(in: .quarantine), of: death.worker) {
                    total.poisoned.append(condemned.buried)
                }
                continue
            }
            let condemned = survivor.condemned
            call.append(tag)
            call.append(
                condemned == nil ? keys.list(of: parts.queue, step: survivor.step) : "")
            call.append(condemned?.buried.encoded() ?? survivor.bytes)
            call.append(time.now.milliseconds)
            call.append(condemned?.result.map { keys.result(of: $0.id) } ?? "")
            call.append(condemned?.result?.encoded() ?? [])
            if let buried = condemned?.buried { alone.append(buried) }
        }
        if !orphans.isEmpty { try await strikeOff(orphans) }
        let reply = try await run(call)
        guard let answer = reply.array, answer.count == 2, let count = answer[0].int,
            let poisoned = answer[1].int
        else { throw BrokerError.unexpected("reclaim") }
        total.count = max(0, Int(count))
        // Another reaper may have come first with some of them.
        total.poisoned += alone.prefix(Int(poisoned))
        return total
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
            keys: [keys.workers, keys.presence, keys.suspects(of: worker), keys.overdue]
                + lists.flatMap { [keys.inbox(of: worker, for: $0), $0] })
        call.append(worker.text)
        let reply = try await run(call)
        return (reply.int ?? -1) >= 0
    }
}
